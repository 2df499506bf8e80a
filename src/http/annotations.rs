//! Annotations over HTTP: notes on a gym's days, and its closed days.

use actix_web::{HttpResponse, web};
use chrono::NaiveDate;
use serde::Serialize;

use super::auth::Access;
use super::problem::Problem;
use super::{App, blocking, openapi};
use crate::domain::annotation::{Annotation, AnnotationKind};
use crate::domain::calendar::Day;

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
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = AnnotationNote)]
struct Note {
    #[schema(value_type = String, format = Date)]
    from: NaiveDate,
    /// In it.
    #[schema(value_type = String, format = Date)]
    to: NaiveDate,
    #[schema(schema_with = kind_words)]
    kind: &'static str,
    yearly: bool,
    text: String,
}

fn kind_words() -> utoipa::openapi::Object {
    openapi::one_of(AnnotationKind::ALL.map(AnnotationKind::name))
}

fn body(id: i64, annotation: Annotation) -> AnnotationBody {
    let [from, to] = [annotation.first, annotation.last].map(Day::date);
    let Annotation { kind, yearly, text, .. } = annotation;
    AnnotationBody { id, note: Note { from, to, kind: kind.name(), yearly, text } }
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
        let always = [NaiveDate::MIN, NaiveDate::MAX].map(Day::from_date);
        let found = snapshot.annotations(gym.id, always[0], always[1])?;
        Ok(found.into_iter().map(|(id, annotation)| body(id, annotation)).collect())
    });
    Ok(HttpResponse::Ok().json(Annotations { annotations: annotations.await? }))
}
