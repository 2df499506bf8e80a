//! How busy a gym is now, for everybody: a small page to embed, the same as JSON and as SVG. Only of
//! gyms that chose so, coarse, and worked out at most once a minute however many look.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use actix_web::http::header::{CACHE_CONTROL, ContentType, VARY};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::frame;
use super::words::Words;
use crate::clock;
use crate::domain::calendar::local;
use crate::domain::ids::{GymId, Slug};
use crate::domain::report::busy::{Busy, Level, Public, busy};
use crate::domain::{MINUTE, Millis};
use crate::http::problem::{Code, Problem};
use crate::http::times::instant_to_the_minute;
use crate::http::{App, blocking, openapi};
use crate::projection::read;
use crate::store::{Gym, GymSettings, Snapshot, StoreError};

/// Who is there is counted again after so long.
const KEPT: Millis = MINUTE;
/// An embedded page looks again after so many seconds.
const LOOK_SECONDS: u32 = 60;

/// What everybody may see of a gym: never a count.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Busy)]
struct Told {
    /// Its slug.
    gym: String,
    name: String,
    /// The minute that it is about.
    #[schema(format = DateTime)]
    at: String,
    #[serde(skip)]
    clock: chrono::DateTime<chrono::FixedOffset>,
    /// `quiet`, `moderate` (from 25 % of the capacity on), `busy` (from 50 %) or `very_busy` (from
    /// 80 %).
    #[schema(schema_with = level_words)]
    level: &'static str,
    /// The same, from 1 to 4.
    #[serde(skip)]
    fields: u32,
    /// Of the capacity, in steps of 5, or of so many that each stands for 5 members; null where only levels are told, and with fewer than 5
    /// members present.
    #[schema(required)]
    percent: Option<u32>,
}

fn level_words() -> utoipa::openapi::Object {
    openapi::one_of(Level::ALL.map(Level::name))
}

/// How many were there, and when they were counted, of gyms that everybody may see.
#[derive(Default)]
pub struct Cache(Mutex<HashMap<GymId, (Millis, u32)>>);

impl Cache {
    fn present(&self, snapshot: &Snapshot<'_>, gym: &Gym) -> Result<(Millis, u32), StoreError> {
        let now = clock::now();
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = kept().get(&gym.id).copied();
        if let Some((at, present)) = counted.filter(|(at, _)| (*at..*at + KEPT).contains(&now)) {
            return Ok((at, present));
        }
        let present = read::occupancy_now(snapshot, gym, now)?.present;
        kept().insert(gym.id, (now, present));
        Ok((now, present))
    }
}

#[derive(Deserialize)]
pub struct Asked {
    /// A language; else the browser's.
    lang: Option<String>,
}

async fn told(app: &web::Data<App>, slug: web::Path<String>) -> Result<Told, Problem> {
    let cache = app.clone();
    blocking(app.clone(), move |snapshot| {
        let none = || Problem::new(Code::NotFound, "nobody is told here how busy a gym is");
        let slug: Slug = slug.parse().map_err(|_| none())?;
        let gym = snapshot.gym_by_slug(&slug)?.ok_or_else(none)?;
        let GymSettings { public, capacity, zone, .. } = gym.settings;
        if public == Public::Off || gym.archived_at.is_some() {
            return Err(none());
        }
        let (at, present) = cache.pages.busy.present(snapshot, &gym)?;
        let found = busy(public, present, capacity.unwrap_or(0));
        let Busy { level, percent } = found.ok_or_else(none)?;
        Ok(Told {
            gym: slug.to_string(),
            at: instant_to_the_minute(zone, at - at.rem_euclid(MINUTE)),
            clock: local(zone, at),
            level: level.name(),
            fields: level.number(),
            percent,
            name: gym.settings.name,
        })
    })
    .await
}

/// For anybody's page, and for a minute in anybody's cache.
fn open_to_all() -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CACHE_CONTROL, "public, max-age=60"))
        .insert_header((VARY, "accept-language, cookie"))
        .insert_header(("access-control-allow-origin", "*"))
        .insert_header(("cross-origin-resource-policy", "cross-origin"));
    answer
}

/// How busy a gym is, for everybody, if the gym chose so.
///
/// It is worked out at most once a minute, and any page may ask.
#[utoipa::path(
    get,
    path = "/busy/{gym}.json",
    tag = "gyms",
    operation_id = "busy",
    security(()),
    responses((status = 200, description = "Now", body = Told), openapi::OpenGymProblems)
)]
pub async fn json(app: web::Data<App>, slug: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(open_to_all().json(told(&app, slug).await?))
}

pub async fn svg(
    app: web::Data<App>,
    request: HttpRequest,
    slug: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let told = told(&app, slug).await?;
    let drawn = picture(words(&request, &asked), &told).into_string();
    Ok(open_to_all().insert_header(("content-type", "image/svg+xml")).body(drawn))
}

pub async fn page(
    app: web::Data<App>,
    request: HttpRequest,
    slug: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let told = told(&app, slug).await?;
    let words = words(&request, &asked);
    let main = html! {
        div data-every=(LOOK_SECONDS) {
            (picture(words, &told))
            p.note { (words.fill("busy.at", &[&words.time(told.clock)])) }
        }
    };
    let answer = open_to_all()
        .insert_header(ContentType::html())
        .insert_header(("content-security-policy", frame::EMBEDDED_POLICY))
        .body(frame::embedded(words, &told.name, &main).into_string());
    Ok(answer)
}

fn words(request: &HttpRequest, asked: &Asked) -> &'static Words {
    let chosen = asked.lang.as_deref().and_then(Words::in_language);
    chosen.unwrap_or_else(|| Words::of(request))
}

/// Four fields, as many of them filled as it is busy. Its colours show on light and on dark.
fn picture(words: &Words, told: &Told) -> Markup {
    let level = words.say(&format!("busy.{}", told.level)).to_owned();
    let says = match told.percent {
        Some(percent) => format!("{level} · {}", words.percent(f64::from(percent) / 100.0)),
        None => level,
    };
    let label = format!("{}: {says}", told.name);
    html! {
        svg.busy xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 56" width="240" height="56"
            role="img" aria-label=(label) {
            @for field in 1..=4u32 {
                rect x=((field - 1) * 60 + 2) y="4" width="56" height="14" rx="4" stroke="#2a8a93"
                    stroke-width="2"
                    fill=(if field <= told.fields { "#2a8a93" } else { "none" }) {}
            }
            rect x="0" y="24" width="240" height="32" rx="6" fill="#ffffff" {}
            text x="120" y="46" text-anchor="middle" font-family="system-ui, sans-serif"
                font-size="18" font-weight="600" fill="#1a2226" { (says) }
        }
    }
}
