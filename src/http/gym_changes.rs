//! Gyms made, changed, archived and removed over HTTP. For the role `admin`.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::auth::Access;
use super::gyms::GymBody;
use super::problem::{Code, Problem};
use super::{App, blocking, json, openapi};
use crate::actions::gyms::{self, Changed, Retain, Said};
use crate::clock;
use crate::domain::ids::Slug;
use crate::domain::report::busy::Public;
use crate::projection::removal;
use crate::store::{Gym, Holdings, Role};

/// What is said of a gym. What is left out, or null, stays as it is; of a gym that is new, it is the
/// default.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GymChange {
    name: Option<String>,
    /// An IANA time zone. Another one counts the gym again.
    time_zone: Option<String>,
    /// How many members it is meant to hold; 0: not known.
    capacity: Option<u32>,
    /// Other rules count the gym again.
    rules: Option<RulesChange>,
    /// Events are kept for so many months; 0: for ever.
    retain_events_months: Option<u32>,
    /// What everybody may see of how busy it is.
    #[schema(schema_with = public_words)]
    public: Option<String>,
    archived: Option<bool>,
    /// Changes the zone though there are frozen sums, whose days keep the old one.
    #[serde(default)]
    frozen_days_keep_zone: bool,
}

/// In minutes.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesChange {
    visit_window: Option<u32>,
    assumed_stay: Option<u32>,
    assumed_tail: Option<u32>,
    rejoin_grace: Option<u32>,
}

/// What goes with a gym.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Goes {
    gym: String,
    /// Whether this was only asked.
    dry_run: bool,
    events: i64,
    members: i64,
    webhooks: i64,
    quarantined: i64,
    annotations: i64,
    /// Tokens and users that saw this gym among some.
    tokens: i64,
    users: i64,
    erasure_records: i64,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRun {
    /// Only say what would go.
    #[serde(default)]
    dry_run: bool,
}

fn public_words() -> utoipa::openapi::Object {
    openapi::one_of(Public::ALL.map(Public::name))
}

impl GymChange {
    fn said(self) -> Result<Said, Problem> {
        let public = self.public.as_deref().map(|word| {
            let unknown = "`public` is `off`, `levels` or `percent`";
            Public::from_name(word).ok_or_else(|| Problem::new(Code::BadParameter, unknown))
        });
        let retain = self.retain_events_months.map(|months| match months {
            0 => Retain::ForEver,
            months => Retain::Months(months),
        });
        let RulesChange { visit_window, assumed_stay, assumed_tail, rejoin_grace } =
            self.rules.unwrap_or_default();
        Ok(Said {
            name: self.name,
            time_zone: self.time_zone,
            capacity: self.capacity,
            rules: [visit_window, assumed_stay, assumed_tail, rejoin_grace],
            retain,
            public: public.transpose()?,
            archived: self.archived,
            frozen_days_keep_zone: self.frozen_days_keep_zone,
        })
    }
}

/// What became of a gym that was made or changed.
enum Done {
    Made(Gym),
    Changed(Box<Changed>),
}

/// The same, once it holds or is under way.
pub enum Became {
    Made,
    Changed,
    /// It is counted again, and is so then.
    Counted,
}

/// Makes a gym, or changes it. For the role `admin`; making one for all gyms only.
///
/// The same again changes nothing. A new gym needs `name` and `time_zone`.
#[utoipa::path(
    put,
    path = "/api/v1/gyms/{gym}",
    tag = "set-up",
    operation_id = "put_gym",
    request_body = GymChange,
    responses(
        (status = 200, description = "It was there, and is so now", body = GymBody),
        (status = 201, description = "It was made", body = GymBody),
        (status = 202, description = "It is counted again, and is so then", body = GymBody),
        openapi::NamingProblems,
    )
)]
pub async fn put(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
    sent: web::Payload,
) -> Result<HttpResponse, Problem> {
    change(&app, &access, slug.into_inner(), sent, true).await
}

/// Changes a gym. For the role `admin`.
///
/// Another time zone or other rules count it again; until that is done, its answers are as before.
#[utoipa::path(
    patch,
    path = "/api/v1/gyms/{gym}",
    tag = "set-up",
    operation_id = "change_gym",
    request_body = GymChange,
    responses(
        (status = 200, description = "It is so now", body = GymBody),
        (status = 202, description = "It is counted again, and is so then", body = GymBody),
        openapi::NamingProblems,
    )
)]
pub async fn patch(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
    sent: web::Payload,
) -> Result<HttpResponse, Problem> {
    change(&app, &access, slug.into_inner(), sent, false).await
}

async fn change(
    app: &web::Data<App>,
    access: &Access,
    slug: String,
    sent: web::Payload,
    may_add: bool,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let said = json::read::<GymChange>(sent).await?.said()?;
    let (gym, became) = apply(app, access, slug, said, may_add).await?;
    let mut answer = match became {
        Became::Made => HttpResponse::Created(),
        Became::Changed => HttpResponse::Ok(),
        Became::Counted => HttpResponse::Accepted(),
    };
    // Deliveries wait for what is written, and not for what a gym looks like.
    let body = blocking(app.clone(), move |snapshot| Ok(GymBody::of(snapshot, &gym)?)).await?;
    Ok(answer.json(body))
}

/// Changes a gym, or makes it where that may be, and begins to count it again where that is due.
pub async fn apply(
    app: &web::Data<App>,
    access: &Access,
    slug: String,
    said: Said,
    may_add: bool,
) -> Result<(Gym, Became), Problem> {
    let now = clock::now();
    let (recounts, database) = (app.pages.recounts.clone(), app.store.database().clone());
    let done = access.write(app, Role::Admin, move |tx, access| {
        let new = slug.parse::<Slug>().ok().filter(|_| may_add && access.reader.gyms.is_none());
        if let Some(new) = new.filter(|_| access.gym(&tx.view(), &slug).is_err()) {
            let gym = gyms::add(tx, access.by(), &new, &said, now)?;
            return Ok(Done::Made(gym));
        }
        let gym = access.gym(&tx.view(), &slug)?;
        if said.is_about_counting() {
            // What is being counted would take the place of what is said now.
            recounts.is_free(&database)?;
        }
        Ok(Done::Changed(Box::new(gyms::change(tx, gym.id, &said, now)?)))
    });
    Ok(match done.await? {
        Done::Made(gym) => (gym, Became::Made),
        Done::Changed(changed) if changed.is_to_be_recounted() => {
            let Changed { gym, settings } = *changed;
            app.pages.recounts.begin(app.store.database(), gym.clone(), settings, false)?;
            (gym, Became::Counted)
        }
        Done::Changed(changed) => (changed.gym, Became::Changed),
    })
}

/// Removes a gym with all that is stored of it. For the role `admin`.
///
/// Nobody sees it from the answer on; what is stored of it goes within minutes.
#[utoipa::path(
    delete,
    path = "/api/v1/gyms/{gym}",
    tag = "set-up",
    operation_id = "remove_gym",
    params(DryRun),
    responses(
        (status = 200, description = "What would go", body = Goes),
        (status = 202, description = "What goes", body = Goes),
        openapi::ListProblems,
    )
)]
pub async fn remove(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
    asked: web::Query<DryRun>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let goes = remove_one(&app, &access, slug.into_inner(), asked.dry_run).await?;
    let mut answer = if asked.dry_run { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    Ok(answer.json(goes))
}

/// Begins the removal of a gym, or says what would go.
pub async fn remove_one(
    app: &App,
    access: &Access,
    slug: String,
    dry_run: bool,
) -> Result<Goes, Problem> {
    let now = clock::now();
    // A rebuild of it would go on writing.
    let lock = if dry_run { None } else { app.store.database().try_lock_rebuild()? };
    if lock.is_none() && !dry_run {
        let detail = "a gym is being counted again or removed; wait until that is done";
        return Err(Problem::new(Code::Unavailable, detail).as_message("rules.busy", &[]));
    }
    let goes = access.write(app, Role::Admin, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?;
        let goes = goes(gym.slug.to_string(), dry_run, tx.view().holdings(gym.id)?);
        if !dry_run {
            removal::begin(tx, gym.id, now)?;
        }
        Ok(goes)
    });
    let goes = goes.await;
    drop(lock);
    goes
}

fn goes(gym: String, dry_run: bool, holdings: Holdings) -> Goes {
    let Holdings {
        events,
        members,
        webhooks,
        quarantined,
        annotations,
        tokens,
        users,
        erasures: erasure_records,
    } = holdings;
    Goes {
        gym,
        dry_run,
        events,
        members,
        webhooks,
        quarantined,
        annotations,
        tokens,
        users,
        erasure_records,
    }
}
