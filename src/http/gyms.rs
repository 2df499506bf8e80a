//! Gyms, and who is in them now.

use actix_web::{HttpResponse, web};
use chrono_tz::Tz;
use serde::Serialize;

use super::auth::Access;
use super::problem::Problem;
use super::times::{instant, instant_to_the_minute};
use super::{App, blocking, openapi};
use crate::clock;
use crate::domain::Millis;
use crate::projection::read::{self, Occupancy};
use crate::projection::retention;
use crate::store::{Gym, Snapshot, StoreError};

/// A gym's configuration.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Gym)]
pub struct GymBody {
    /// Its slug.
    gym: String,
    name: String,
    /// An IANA time zone.
    time_zone: String,
    #[schema(required)]
    capacity: Option<u32>,
    rules: RulesBody,
    retention: RetentionBody,
    /// The minute of its last event.
    #[schema(required, format = DateTime)]
    last_event: Option<String>,
    /// Whether a silent span is going on; null with too few weeks behind to tell.
    #[schema(required)]
    silent: Option<bool>,
    /// What everybody may see of how busy it is.
    public: &'static str,
    /// Whether it has closed: nobody is told of it any more, and its reports stay.
    archived: bool,
    webhooks: Vec<WebhookBody>,
    /// The last position of the log that its reports rest on.
    position: i64,
}

/// The rules by which visits are found (model section 3), in minutes.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Rules)]
pub struct RulesBody {
    visit_window: u32,
    assumed_stay: u32,
    assumed_tail: u32,
    rejoin_grace: u32,
}

/// A door through which a gym's deliveries come.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookBody {
    /// Its id.
    webhook: String,
    /// When anything last came through it, also a `TEST`.
    #[schema(required, format = DateTime)]
    last_delivery: Option<String>,
    #[schema(required, format = DateTime)]
    last_test: Option<String>,
    /// Whether nothing has come through it, since it was made if nothing ever did, for so long that
    /// for the gym it would be a silent span; null when that cannot be told.
    #[schema(required)]
    silent: Option<bool>,
}

/// How long events are kept (model section 6).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Retention)]
pub struct RetentionBody {
    /// In months; null: for ever.
    #[schema(required)]
    retain_events_months: Option<u32>,
    /// No event before it is accepted; null when all are.
    #[schema(required, format = DateTime)]
    accepted_from: Option<String>,
    /// Older events have gone, and what they counted for stays as it is; null before the first went.
    #[schema(required, format = DateTime)]
    frozen_until: Option<String>,
}

impl RetentionBody {
    fn of(gym: &Gym) -> RetentionBody {
        let zone = gym.settings.zone;
        let name = |at| instant_to_the_minute(zone, at);
        RetentionBody {
            retain_events_months: gym.settings.retain_months,
            accepted_from: retention::horizon(gym, clock::now()).map(name),
            frozen_until: retention::frozen_until(gym).map(name),
        }
    }
}

/// All gyms that a token may see.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Gyms {
    gyms: Vec<GymBody>,
}

impl GymBody {
    pub fn of(snapshot: &Snapshot<'_>, gym: &Gym) -> Result<GymBody, StoreError> {
        let [visit_window, assumed_stay, assumed_tail, rejoin_grace] = gym.settings.rules.minutes();
        let zone = gym.settings.zone;
        let last_event = read::last_event(snapshot, gym)?;
        let (rates, now) = (read::rates(snapshot, gym)?, clock::now());
        let closed = read::lately_closed(snapshot, gym, now)?;
        let rates = rates.filter(|_| gym.archived_at.is_none());
        let is_silent = |since: Millis| rates.as_ref()?.is_silent(zone, &closed, since, now);
        let name = |at| instant(zone, at);
        let webhooks = snapshot.webhooks(Some(gym.id))?.into_iter().map(|webhook| WebhookBody {
            silent: is_silent(webhook.quiet_since()),
            last_delivery: webhook.last_delivery_at.map(name),
            last_test: webhook.last_test_at.map(name),
            webhook: webhook.public_id,
        });
        Ok(GymBody {
            gym: gym.slug.to_string(),
            name: gym.settings.name.clone(),
            time_zone: zone.name().to_owned(),
            capacity: gym.settings.capacity,
            rules: RulesBody { visit_window, assumed_stay, assumed_tail, rejoin_grace },
            retention: RetentionBody::of(gym),
            last_event: last_event.map(|at| instant_to_the_minute(zone, at)),
            silent: last_event.and_then(is_silent),
            public: gym.settings.public.name(),
            archived: gym.archived_at.is_some(),
            webhooks: webhooks.collect(),
            position: gym.position.0,
        })
    }
}

/// The gyms that the token may see, by slug.
#[utoipa::path(
    get,
    path = "/api/v1/gyms",
    tag = "gyms",
    operation_id = "gyms",
    responses((status = 200, description = "The gyms", body = Gyms), openapi::TokenProblems)
)]
pub async fn list(app: web::Data<App>, access: Access) -> Result<HttpResponse, Problem> {
    let gyms = blocking(app, move |snapshot| {
        let gyms = access.gyms(snapshot)?;
        Ok(gyms.iter().map(|gym| GymBody::of(snapshot, gym)).collect::<Result<_, _>>()?)
    });
    Ok(HttpResponse::Ok().json(Gyms { gyms: gyms.await? }))
}

/// One gym: its settings, and how far its reports are.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}",
    tag = "gyms",
    operation_id = "gym",
    responses((status = 200, description = "The gym", body = GymBody), openapi::GymProblems)
)]
pub async fn one(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let body = blocking(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        Ok(GymBody::of(snapshot, &gym)?)
    });
    Ok(HttpResponse::Ok().json(body.await?))
}

/// Who is in a gym now (model section 4, occupancy now).
#[derive(Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Occupancy)]
pub struct OccupancyBody {
    gym: String,
    #[schema(format = DateTime)]
    at: String,
    /// Members in the gym, as far as is known; without a check-out, by assumption.
    present: u32,
    /// Of those, how many came in by a check-in.
    observed: u32,
    #[schema(required)]
    capacity: Option<u32>,
    /// `present` over `capacity`.
    #[schema(required)]
    utilisation: Option<f64>,
    #[schema(required)]
    usual: Option<UsualBody>,
    #[schema(required)]
    today_peak: Option<PeakBody>,
    arrivals: ArrivalsBody,
    /// The coming 6 local hours.
    next_hours: Vec<NextHourBody>,
    /// Whether the gym says that it is closed today.
    closed: bool,
}

/// What is to be expected of a coming hour: `usual × (today so far + k) / (usual so far + k)` over
/// the last 3 complete hours, where `k` is the mean of those usual hours.
#[derive(Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = NextHour)]
pub struct NextHourBody {
    #[schema(format = DateTime)]
    start: String,
    /// The mean of its averages over the last 8 complete weeks; null with fewer than 2.
    #[schema(required)]
    usual: Option<f64>,
    /// Its average as is to be expected; null on a closed day, and where `usual` is not known.
    #[schema(required)]
    expected: Option<f64>,
    /// How far off the same rule was in those weeks: the mean absolute error.
    #[schema(required)]
    error: Option<f64>,
}

/// Visits that began on the local day so far.
#[derive(Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Arrivals)]
pub struct ArrivalsBody {
    today: i64,
    /// How many usually have begun by this time of this weekday, in tenths: the mean over the last 8
    /// complete weeks, of the hour that goes on a part; null with fewer than 2.
    #[schema(required)]
    usual: Option<f64>,
}

/// What is usual at this local hour of the week: means over the last 8 complete weeks.
#[derive(Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Usual)]
pub struct UsualBody {
    average: f64,
    peak: f64,
}

/// The largest sample of the local day so far, and the first minute that had it.
#[derive(Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Peak)]
pub struct PeakBody {
    #[schema(format = DateTime)]
    at: String,
    present: i64,
}

impl OccupancyBody {
    /// Whether the two differ in nothing but their time.
    pub fn says_the_same(&self, other: &OccupancyBody) -> bool {
        *self == OccupancyBody { at: self.at.clone(), ..other.clone() }
    }

    pub fn of(gym: &Gym, occupancy: &Occupancy, now: Millis) -> OccupancyBody {
        let zone: Tz = gym.settings.zone;
        let capacity = gym.settings.capacity;
        let usual = occupancy.usual;
        let peak = occupancy.today_peak;
        let next_hours = occupancy.next_hours.iter().map(|hour| NextHourBody {
            start: instant_to_the_minute(zone, hour.start),
            usual: hour.usual,
            expected: hour.expected,
            error: hour.error,
        });
        OccupancyBody {
            gym: gym.slug.to_string(),
            at: instant(zone, now),
            present: occupancy.present,
            observed: occupancy.observed,
            capacity,
            utilisation: read::utilisation(gym, occupancy.present),
            usual: usual.map(|usual| UsualBody { average: usual.average, peak: usual.peak }),
            today_peak: peak.map(|peak| PeakBody {
                at: instant_to_the_minute(zone, peak.at),
                present: peak.present,
            }),
            arrivals: ArrivalsBody {
                today: occupancy.arrived,
                usual: occupancy.usually_arrived.map(|usual| (usual * 10.0).round() / 10.0),
            },
            next_hours: next_hours.collect(),
            closed: occupancy.is_closed,
        }
    }
}

/// Who is there now.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/occupancy",
    tag = "gyms",
    operation_id = "occupancy",
    responses((status = 200, description = "Now", body = OccupancyBody), openapi::GymProblems)
)]
pub async fn occupancy(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let body = blocking(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let now = clock::now();
        let occupancy = read::occupancy_now(snapshot, &gym, now)?;
        Ok(OccupancyBody::of(&gym, &occupancy, now))
    });
    Ok(HttpResponse::Ok().json(body.await?))
}
