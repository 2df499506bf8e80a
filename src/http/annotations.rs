//! Annotations over HTTP: notes on a gym's days, and its closed days.

use actix_web::{HttpResponse, web};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::auth::Access;
use super::problem::{Code, Problem};
use super::{App, blocking, json, openapi};
use crate::clock;
use crate::domain::annotation::{Annotation, AnnotationKind, BadAnnotation};
use crate::domain::calendar::Day;
use crate::store::{ANNOTATIONS_MAX, Role};

/// A gym's annotations.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Annotations {
    annotations: Vec<AnnotationBody>,
}

/// What people know of a gym's days and no event tells.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Annotation)]
pub struct AnnotationBody {
    id: i64,
    #[serde(flatten)]
    note: Note,
}

/// What is said of an annotation.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnnotationNote)]
pub struct Note {
    #[schema(value_type = String, format = Date)]
    from: NaiveDate,
    /// In it.
    #[schema(value_type = String, format = Date)]
    to: NaiveDate,
    #[schema(schema_with = kind_words)]
    kind: String,
    /// On the same dates of every later year too.
    #[serde(default)]
    yearly: bool,
    text: String,
}

impl Note {
    fn checked(&self) -> Result<Annotation, Problem> {
        let bad = |why: String| Problem::new(Code::BadParameter, why);
        let unknown = || {
            let words = AnnotationKind::ALL.map(AnnotationKind::name).join(", ");
            bad(format!("there is no kind {:?}; there are {words}", self.kind))
        };
        let kind = AnnotationKind::from_name(&self.kind).ok_or_else(unknown)?;
        let days = (Day::from_date(self.from), Day::from_date(self.to));
        let checked = Annotation::new(days, kind, self.yearly, &self.text);
        checked.map_err(|error: BadAnnotation| bad(error.to_string()))
    }
}

fn kind_words() -> utoipa::openapi::Object {
    openapi::one_of(AnnotationKind::ALL.map(AnnotationKind::name))
}

fn body(id: i64, annotation: Annotation) -> AnnotationBody {
    let [from, to] = [annotation.first, annotation.last].map(Day::date);
    let Annotation { kind, yearly, text, .. } = annotation;
    AnnotationBody { id, note: Note { from, to, kind: kind.name().into(), yearly, text } }
}

/// A gym's annotations, the earliest first.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/annotations",
    tag = "gyms",
    operation_id = "annotations",
    responses((status = 200, description = "All of them", body = Annotations), openapi::GymProblems)
)]
pub async fn list(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let annotations = blocking(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let found = snapshot.all_annotations(gym.id)?;
        Ok(found.into_iter().map(|(id, annotation)| body(id, annotation)).collect())
    });
    Ok(HttpResponse::Ok().json(Annotations { annotations: annotations.await? }))
}

/// Writes an annotation. For the role `manager`.
#[utoipa::path(
    post,
    path = "/api/v1/gyms/{gym}/annotations",
    tag = "gyms",
    operation_id = "annotate",
    request_body = Note,
    responses(
        (status = 201, description = "As it is kept", body = AnnotationBody),
        openapi::WriteProblems,
    )
)]
pub async fn add(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
    sent: web::Payload,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Manager)?;
    let (annotation, now) = (json::read::<Note>(sent).await?.checked()?, clock::now());
    let written = access.write(&app, Role::Manager, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?;
        let id = tx.add_annotation(gym.id, &annotation, now)?;
        Ok(id.map(|id| body(id, annotation.clone())))
    });
    let full = || {
        let detail = format!("a gym has {ANNOTATIONS_MAX} annotations at most; remove one first");
        Problem::new(Code::BadParameter, detail)
    };
    Ok(HttpResponse::Created().json(written.await?.ok_or_else(full)?))
}

/// Removes an annotation. For the role `manager`.
#[utoipa::path(
    delete,
    path = "/api/v1/gyms/{gym}/annotations/{id}",
    tag = "gyms",
    operation_id = "remove_annotation",
    responses((status = 204, description = "It is gone"), openapi::RoleProblems)
)]
pub async fn remove(
    app: web::Data<App>,
    access: Access,
    path: web::Path<(String, i64)>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Manager)?;
    let (slug, id) = path.into_inner();
    let removed = access.write(&app, Role::Manager, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?.id;
        Ok(tx.remove_annotation(gym, id)?)
    });
    let unknown = || Problem::new(Code::NotFound, "the gym has no annotation of that id");
    removed.await?.then(|| HttpResponse::NoContent().finish()).ok_or_else(unknown)
}
