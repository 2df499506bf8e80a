//! The event log of a gym, by cursor.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::auth::Access;
use super::cursor::Cursors;
use super::problem::{Code, Problem};
use super::times::instant;
use super::{App, openapi, reporting};
use crate::domain::foreign_text;
use crate::domain::ids::Position;
use crate::store::{Cursored, LoggedEvent, Role};

/// The most entries of a page.
pub const PAGE_MAX: usize = 1_000;
const PAGE_DEFAULT: usize = 100;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Entries after this: the `cursor` of a page, or a plain position or id. Default: from the
    /// first.
    pub after: Option<String>,
    /// How many at most. Default: 100.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// Of the log: only events of this type.
    #[param(ignore)]
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

impl Page {
    pub fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(PAGE_DEFAULT);
        if (1..=PAGE_MAX).contains(&limit) {
            return Ok(limit);
        }
        Err(Problem::new(Code::BadParameter, format!("`limit` is 1 to {PAGE_MAX}")))
    }
}

/// A page of a gym's event log.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Events {
    events: Vec<EventBody>,
    /// Ask for what comes `after` this; null at the end of the log.
    #[schema(required)]
    next: Option<String>,
    /// Where the page ends, also at the end of the log. After a restore of the database it is stale.
    cursor: String,
}

/// An event as it was sent, and when it came.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Event)]
pub struct EventBody {
    position: i64,
    /// Null when the member was erased meanwhile.
    #[schema(required)]
    account: Option<Uuid>,
    #[serde(rename = "type")]
    kind: String,
    /// On the gym's clock.
    #[schema(format = DateTime)]
    at: String,
    #[schema(format = DateTime)]
    received_at: String,
    /// It was taken from a club's own records by `footfall import`.
    imported: bool,
    /// Fields of the delivery that we do not know, as they were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    extra: Option<Box<RawValue>>,
}

impl EventBody {
    pub fn of(event: &LoggedEvent, account: Option<Uuid>, zone: chrono_tz::Tz) -> EventBody {
        let extra = event.extra.clone().and_then(|text| RawValue::from_string(text).ok());
        EventBody {
            position: event.position.0,
            account,
            kind: event.kind.name().to_owned(),
            at: instant(zone, event.at),
            received_at: instant(zone, event.arrival.received_at),
            imported: event.arrival.imported,
            extra,
        }
    }

    /// The event without fields that name others than its member.
    pub fn without_others(mut self) -> EventBody {
        let named = |fields: &RawValue| foreign_text::read(fields.get().as_bytes()).accounts;
        self.extra = self.extra.filter(|fields| {
            let named = named(fields);
            named.iter().all(|account| Some(account.0) == self.account)
        });
        self
    }
}

/// The event log of a gym, by cursor. For the role `admin`.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/events",
    tag = "log",
    operation_id = "events",
    params(
        Page,
        ("type" = Option<String>, Query, description = "Only events of this type, as it was sent"),
    ),
    responses((status = 200, description = "A page", body = Events), openapi::CursorProblems)
)]
pub async fn list(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
    page: web::Query<Page>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let limit = page.limit()?;
    let body = reporting(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let cursors = Cursors::of(snapshot, Cursored::Log)?;
        let after = Position(cursors.read(page.after.as_deref())?);
        let kind = page.kind.as_deref();
        let events = snapshot.owned_events_after(gym.id, kind, after, limit)?;
        let full = events.len() == limit;
        let cursor = cursors.name(events.last().map_or(after, |(event, _)| event.position).0);
        let zone = gym.settings.zone;
        let rows = events
            .iter()
            .map(|(event, account)| EventBody::of(event, account.map(|account| account.0), zone));
        Ok(Events { events: rows.collect(), next: full.then(|| cursor.clone()), cursor })
    });
    Ok(HttpResponse::Ok().json(body.await?))
}
