//! Annotations over HTTP: notes on a gym's days, and its closed days.

use actix_web::{HttpResponse, web};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::auth::Access;
use super::openapi::{AnnotationKindWord, EndOfRange};
use super::problem::{Code, Problem};
use super::{App, blocking, json, openapi, times};
use crate::clock;
use crate::domain::annotation::{Annotation, AnnotationKind, BadAnnotation};
use crate::domain::calendar::{Bucket, Day, day_of, day_start};
use crate::store::{ANNOTATIONS_MAX, Gym, Role};

/// Which annotations are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Only those that hold on a day from this instant on: a local date, or RFC 3339.
    #[param(inline, value_type = Option<EndOfRange>)]
    from: Option<String>,
    /// Only those that hold on a day before this.
    #[param(inline, value_type = Option<EndOfRange>)]
    until: Option<String>,
    /// Only those of this kind.
    #[param(inline, value_type = Option<AnnotationKindWord>)]
    kind: Option<String>,
}

/// A gym's annotations.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Annotations {
    annotations: Vec<AnnotationBody>,
    /// Of a range: when each of them holds in it, a yearly one once for each year; the earliest
    /// first. Without a range it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    occurrences: Option<Vec<Occurrence>>,
}

/// A run of days on which an annotation holds.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = AnnotationOccurrence)]
pub struct Occurrence {
    id: i64,
    /// Where its first day begins at the gym.
    #[schema(format = DateTime)]
    start: String,
    /// Where its last day ends at the gym.
    #[schema(format = DateTime)]
    until: String,
    #[schema(schema_with = annotation_kind_words)]
    kind: &'static str,
    text: String,
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
    #[schema(schema_with = annotation_kind_words)]
    kind: String,
    /// On the same dates of every later year too.
    #[serde(default)]
    yearly: bool,
    text: String,
}

impl Note {
    fn checked(&self) -> Result<Annotation, Problem> {
        let kind = parse_kind(&self.kind)?;
        let days = (Day::from_date(self.from), Day::from_date(self.to));
        let checked = Annotation::new(days, kind, self.yearly, &self.text);
        checked.map_err(|bad: BadAnnotation| Problem::new(Code::BadParameter, bad.to_string()))
    }
}

fn parse_kind(word: &str) -> Result<AnnotationKind, Problem> {
    AnnotationKind::from_name(word).ok_or_else(|| {
        let words = AnnotationKind::ALL.map(AnnotationKind::name).join(", ");
        let detail = format!("there is no kind {word:?}; there are {words}");
        Problem::new(Code::BadParameter, detail)
    })
}

pub fn annotation_kind_words() -> utoipa::openapi::Object {
    openapi::one_of(AnnotationKind::ALL.map(AnnotationKind::name))
}

fn body(id: i64, annotation: Annotation) -> AnnotationBody {
    let [from, to] = [annotation.first, annotation.last].map(Day::date);
    let Annotation { kind, yearly, text, .. } = annotation;
    AnnotationBody { id, note: Note { from, to, kind: kind.name().into(), yearly, text } }
}

/// A gym's annotations, the earliest first: all, or those of a range or a kind.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/annotations",
    tag = "gyms",
    operation_id = "annotations",
    params(Parameters),
    responses(
        (status = 200, description = "All that were asked for", body = Annotations),
        openapi::RangeProblems,
    )
)]
pub async fn list(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
    asked: web::Query<Parameters>,
) -> Result<HttpResponse, Problem> {
    let now = clock::now();
    let annotations = blocking(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let kind = asked.kind.as_deref().map(parse_kind).transpose()?;
        let mut found = snapshot.all_annotations(gym.id)?;
        found.retain(|(_, annotation)| kind.is_none_or(|kind| annotation.kind == kind));
        let ends = (asked.from.as_deref(), asked.until.as_deref());
        let occurrences = match ends {
            (None, None) => None,
            ends => {
                Some(occurrences(&gym, &mut found, times::range(ends, gym.settings.zone, now)?))
            }
        };
        let annotations = found.into_iter().map(|(id, annotation)| body(id, annotation)).collect();
        Ok(Annotations { annotations, occurrences })
    });
    Ok(HttpResponse::Ok().json(annotations.await?))
}

/// When annotations hold in a range; those that do not are taken out.
fn occurrences(gym: &Gym, found: &mut Vec<(i64, Annotation)>, range: Bucket) -> Vec<Occurrence> {
    let zone = gym.settings.zone;
    let (first, until) = (day_of(zone, range.from), day_of(zone, range.until - 1).plus(1));
    let mut holding = Vec::new();
    found.retain(|(id, annotation)| {
        let runs = annotation.runs(first, until);
        holding.extend(runs.iter().map(|days| (*days, *id, annotation.clone())));
        !runs.is_empty()
    });
    holding.sort_by_key(|(days, id, _)| (*days, *id));
    let told = holding.into_iter().map(|((first, until), id, annotation)| {
        let [start, until] =
            [first, until].map(|day| times::instant_to_the_minute(zone, day_start(zone, day)));
        Occurrence { id, start, until, kind: annotation.kind.name(), text: annotation.text }
    });
    told.collect()
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
