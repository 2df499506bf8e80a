//! Members: who stopped coming, and all that is stored of one. Personal data: for the role
//! `manager`, and dead with an erasure.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::{Fresh, tagged};
use super::auth::Access;
use super::events::EventBody;
use super::problem::{Code, Problem};
use super::times::instant;
use super::{App, csv, openapi, reporting};
use crate::clock;
use crate::domain::calendar::{Day, day_of};
use crate::domain::ids::Account;
use crate::domain::member::Past;
use crate::domain::visit::{EndedBy, EnteredBy, Visit};
use crate::projection::people;
use crate::store::{Gym, Role, Snapshot};

/// The longest absence that can be asked for, in days.
pub const ABSENT_DAYS_MAX: i32 = 3_650;
const DAYS_DEFAULT: i32 = 14;
const LOST_AFTER_DEFAULT: i32 = 90;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AbsentParameters {
    /// The last visit was at least so many local days ago. Default: 14.
    #[param(minimum = 1, maximum = 3650)]
    days: Option<i32>,
    /// And less than so many; more than `days`. Default: 90.
    #[param(minimum = 2, maximum = 3650)]
    lost_after: Option<i32>,
    /// `json` or `csv`. Default: by `Accept`, else `json`.
    #[param(inline, value_type = Option<openapi::FormatWord>)]
    format: Option<String>,
}

/// Members who stopped coming (model section 4, absence).
#[derive(Serialize, utoipa::ToSchema)]
pub struct Absent {
    gym: String,
    days: i32,
    lost_after: i32,
    /// The longest away last.
    members: Vec<AbsentMember>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct AbsentMember {
    account: Uuid,
    /// When the last visit was entered.
    #[schema(format = DateTime)]
    last_visit: String,
    days_ago: i32,
    /// Visits in the eight weeks up to and with the last one; null when some of those are older than
    /// the gym keeps events.
    #[schema(required)]
    visits_before: Option<u32>,
}

/// Members who stopped coming. For the role `manager`.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/members/absent",
    tag = "members",
    operation_id = "absent",
    params(AbsentParameters, openapi::IfNoneMatch),
    responses(openapi::JsonOrCsv<Absent>, openapi::ListProblems)
)]
pub async fn absent(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
    parameters: web::Query<AbsentParameters>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Manager)?;
    let days = parameters.days.unwrap_or(DAYS_DEFAULT);
    let lost_after =
        parameters.lost_after.unwrap_or(LOST_AFTER_DEFAULT.max(days.saturating_add(1)));
    if !(1..lost_after).contains(&days) || lost_after > ABSENT_DAYS_MAX {
        let detail = format!("1 <= `days` < `lost_after` <= {ABSENT_DAYS_MAX}");
        return Err(Problem::new(Code::BadParameter, detail));
    }
    let fresh = Fresh::of(&request, parameters.format.as_deref())?;
    let answer = reporting(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let today = day_of(gym.settings.zone, clock::now());
        let rests_on =
            (snapshot.epoch()?, gym.id, gym.generation, gym.revision, today, days, lost_after);
        let compute = || list_absent(snapshot, &gym, days, lost_after);
        let header = &["account", "last_visit", "days_ago", "visits_before"];
        fresh.answer(&rests_on, compute, header, |absent: &Absent| csv::rows(&absent.members))
    });
    Ok(tagged(answer.await?.kept_by_nobody()))
}

/// Those whose last visit was at least `days` and less than `lost_after` local days ago.
pub fn list_absent(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    days: i32,
    lost_after: i32,
) -> Result<Absent, Problem> {
    let zone = gym.settings.zone;
    let absent = people::absent(snapshot, gym, day_of(zone, clock::now()), days, lost_after)?;
    let members = absent.into_iter().map(|absent| AbsentMember {
        account: absent.account.0,
        last_visit: instant(zone, absent.last_visit),
        days_ago: absent.days_ago,
        visits_before: absent.visits_before,
    });
    Ok(Absent { gym: gym.slug.to_string(), days, lost_after, members: members.collect() })
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NewParameters {
    /// `json` or `csv`. Default: by `Accept`, else `json`.
    #[param(inline, value_type = Option<openapi::FormatWord>)]
    format: Option<String>,
}

/// Members whose first visit was in the last 30 local days.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NewMembers {
    gym: String,
    /// The newest first.
    members: Vec<NewMember>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct NewMember {
    account: Uuid,
    /// The local day of the first visit.
    #[schema(format = Date)]
    first_visit: String,
    #[schema(format = Date)]
    last_visit: String,
    visits: u32,
    /// The local day on which an onboarding was first completed.
    #[schema(required, format = Date)]
    onboarded: Option<String>,
}

/// Members in their first 30 days. For the role `manager`.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/members/new",
    tag = "members",
    operation_id = "new_members",
    params(NewParameters, openapi::IfNoneMatch),
    responses(openapi::JsonOrCsv<NewMembers>, openapi::ListProblems)
)]
pub async fn new(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
    parameters: web::Query<NewParameters>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Manager)?;
    let fresh = Fresh::of(&request, parameters.format.as_deref())?;
    let answer = reporting(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let today = day_of(gym.settings.zone, clock::now());
        let rests_on = ("new", snapshot.epoch()?, gym.id, gym.generation, gym.revision, today);
        let header = &["account", "first_visit", "last_visit", "visits", "onboarded"];
        let compute = || list_new(snapshot, &gym);
        fresh.answer(&rests_on, compute, header, |new: &NewMembers| csv::rows(&new.members))
    });
    Ok(tagged(answer.await?.kept_by_nobody()))
}

/// Members in their first 30 days.
pub fn list_new(snapshot: &Snapshot<'_>, gym: &Gym) -> Result<NewMembers, Problem> {
    let new = people::new(snapshot, gym, day_of(gym.settings.zone, clock::now()))?;
    let date = |day: Day| day.date().to_string();
    let members = new.into_iter().map(|new| NewMember {
        account: new.account.0,
        first_visit: date(new.first_visit),
        last_visit: date(new.last_visit),
        visits: new.visits,
        onboarded: new.onboarded.map(date),
    });
    Ok(NewMembers { gym: gym.slug.to_string(), members: members.collect() })
}

/// All that is stored of one member at one gym.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Member)]
pub struct MemberBody {
    gym: String,
    account: Uuid,
    /// In the order of the log.
    events: Vec<EventBody>,
    visits: Vec<VisitBody>,
    /// Check-outs without a visit they could end.
    orphan_checkouts: Vec<String>,
    /// Deliveries in quarantine that name the account.
    quarantine: Vec<MentionBody>,
    /// What stays known of events that the gym does not keep any more; null without any.
    #[schema(required)]
    frozen: Option<FrozenBody>,
}

/// A delivery in quarantine that names the member.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Mention)]
struct MentionBody {
    id: i64,
    #[schema(format = DateTime)]
    received_at: String,
    /// A word for programs.
    reason: String,
    bytes: usize,
    /// As it was received, at most the first 2,048 bytes; for the role `admin` only, since it may
    /// name others as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    body: Option<String>,
}

/// What stays known of a member's events that are older than the gym keeps them.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Frozen)]
struct FrozenBody {
    /// The local day of the first visit.
    #[schema(required, format = Date)]
    first_visit: Option<String>,
    /// When the last of those visits was entered.
    #[schema(required, format = DateTime)]
    last_visit: Option<String>,
    /// How many of them were in the ISO week of the last one.
    visits_in_last_week: u32,
    /// The local day of the first completed onboarding.
    #[schema(required, format = Date)]
    onboarded: Option<String>,
}

impl FrozenBody {
    fn of(past: &Past, zone: chrono_tz::Tz) -> FrozenBody {
        let date = |day: Day| day.date().to_string();
        FrozenBody {
            first_visit: past.visits.map(|visits| date(visits.first_day)),
            last_visit: past.visits.map(|visits| instant(zone, visits.last_entered)),
            visits_in_last_week: past.visits.map_or(0, |visits| visits.in_last_week),
            onboarded: past.onboarded.map(date),
        }
    }
}

/// One stay.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Visit)]
struct VisitBody {
    #[schema(format = DateTime)]
    entered: String,
    /// `checkin` or `equipment`.
    #[schema(schema_with = beginnings)]
    entered_by: &'static str,
    #[schema(format = DateTime)]
    left: String,
    /// `checkout`, `assumed`, `window`, `next_visit` or `erasure`.
    #[schema(schema_with = ends)]
    ended_by: &'static str,
    equipment_checkins: u32,
    repeat_swipes: u32,
}

fn beginnings() -> utoipa::openapi::Object {
    openapi::one_of(["checkin", "equipment"])
}

fn ends() -> utoipa::openapi::Object {
    openapi::one_of(["checkout", "assumed", "window", "next_visit", "erasure"])
}

/// All that is stored of one member at a gym. For the role `manager`.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/members/{account}",
    tag = "members",
    operation_id = "member",
    responses((status = 200, description = "All of it", body = MemberBody), openapi::RoleProblems)
)]
pub async fn one(
    app: web::Data<App>,
    access: Access,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Manager)?;
    let (slug, account) = path.into_inner();
    let body = reporting(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        of_account(snapshot, &gym, &account, access.require(Role::Admin).is_ok())
    });
    Ok(HttpResponse::Ok().json(body.await?))
}

/// All that is stored of one member. The text of what waits in quarantine is for admins, as are
/// unknown fields that name others.
pub fn of_account(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    account: &str,
    is_admin: bool,
) -> Result<MemberBody, Problem> {
    let unknown = || Problem::new(Code::NotFound, "nothing is stored of such a member at this gym");
    let account = Account(Uuid::parse_str(account).map_err(|_| unknown())?);
    let stored = people::member(snapshot, gym, account)?.ok_or_else(unknown)?;
    Ok(member_body(gym, account, &stored, is_admin))
}

fn member_body(gym: &Gym, account: Account, stored: &people::Member, is_admin: bool) -> MemberBody {
    let zone = gym.settings.zone;
    let events = stored.events.iter();
    let mentions = stored.quarantine.iter().map(|waiting| MentionBody {
        id: waiting.id,
        received_at: instant(zone, waiting.received_at),
        reason: waiting.reason.clone(),
        bytes: waiting.bytes(),
        body: is_admin.then(|| String::from_utf8_lossy(&waiting.body).into_owned()),
    });
    MemberBody {
        gym: gym.slug.to_string(),
        account: account.0,
        events: events
            .map(|event| EventBody::of(event, Some(account.0), zone))
            .map(|event| if is_admin { event } else { event.without_others() })
            .collect(),
        visits: stored.visits.iter().map(|visit| visit_body(zone, visit)).collect(),
        orphan_checkouts: stored.orphan_checkouts.iter().map(|at| instant(zone, *at)).collect(),
        frozen: (stored.past != Past::default()).then(|| FrozenBody::of(&stored.past, zone)),
        quarantine: mentions.collect(),
    }
}

fn visit_body(zone: chrono_tz::Tz, visit: &Visit) -> VisitBody {
    VisitBody {
        entered: instant(zone, visit.entered),
        entered_by: match visit.entered_by {
            EnteredBy::Checkin => "checkin",
            EnteredBy::Equipment => "equipment",
        },
        left: instant(zone, visit.left),
        ended_by: match visit.ended_by {
            EndedBy::Checkout => "checkout",
            EndedBy::Assumed => "assumed",
            EndedBy::Window => "window",
            EndedBy::NextVisit => "next_visit",
            EndedBy::Erasure => "erasure",
        },
        equipment_checkins: visit.equipment_checkins,
        repeat_swipes: visit.repeat_swipes,
    }
}
