//! A gym's rules: what others would change, and changing them. For the role `admin`.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::form::Form;
use super::recount::{Recount, State};
use super::table::{Cell, region};
use super::visitor::{Page, Visitor};
use super::ways::{self, Place};
use super::words::Words;
use crate::actions::gyms::{self, Said};
use crate::clock;
use crate::domain::calendar::local;
use crate::domain::rules::{Rules, VISIT_WINDOW_MINUTES_MAX};
use crate::http::problem::{Code, Problem};
use crate::http::{App, what_if};
use crate::projection::retention;
use crate::store::{Gym, GymSettings, Role};

/// The rules by name, in their order.
pub const RULES: [&str; 4] = ["visit_window", "assumed_stay", "assumed_tail", "rejoin_grace"];

/// While it is counted, the page looks again after so many seconds.
const LOOK_SECONDS: u32 = 1;

pub async fn one(app: web::Data<App>, visitor: Visitor, slug: web::Path<String>) -> HttpResponse {
    let recounts = app.pages.recounts.clone();
    let page = visitor.show(app, move |visitor, snapshot| {
        visitor.access.require(Role::Admin)?;
        let gym = visitor.access.gym(snapshot, &slug)?;
        let words = visitor.words;
        let recount = recounts.of(gym.id);
        let tried = recount.as_ref().filter(|recount| recount.is_trial);
        let shown = tried.map_or(gym.settings.rules, |recount| recount.rules);
        let zone = gym.settings.zone;
        let main = html! {
            section {
                h2 { (words.say("set_up.rules")) }
                p.note { (words.say("rules.note")) }
                @if let Some(until) = retention::frozen_until(&gym) {
                    @let day = words.date(local(zone, until).date_naive());
                    p.note { (words.fill("rules.frozen", &[&day])) }
                }
                (rules_form(visitor, &gym, shown))
                @if let Some(recount) = &recount { (progress(words, recount)) }
            }
        };
        let title = words.say("rules.title");
        let title = format!("{} – {title}", gym.settings.name);
        Ok(Page { title, place: Some(Place::of(&gym, ways::RULES)), main })
    });
    page.await
}

fn rules_form(visitor: &Visitor, gym: &Gym, shown: Rules) -> Markup {
    let words = visitor.words;
    let fields = RULES.iter().zip(shown.minutes()).zip(gym.settings.rules.minutes());
    html! {
        form.range method="post" {
            input type="hidden" name="csrf" value=(visitor.csrf);
            @for ((rule, minutes), now) in fields {
                label { (words.say(&format!("set_up.{rule}")))
                    " (" (words.fill("rules.now", &[&words.whole(now.into())])) ")"
                    input type="number" name=(rule) value=(minutes) min="0"
                        max=(VISIT_WINDOW_MINUTES_MAX) required; }
            }
            button name="do" value="try" { (words.say("rules.try")) }
            button name="do" value="apply" { (words.say("rules.apply")) }
        }
    }
}

/// How far a recount is, or what came of it.
fn progress(words: &Words, recount: &Recount) -> Markup {
    let rules = recount.rules.minutes().map(|minutes| words.whole(minutes.into())).join(" / ");
    let done = if recount.is_trial { "rules.tried" } else { "rules.applied" };
    match &recount.state {
        State::Running(events) => {
            html! {
                p.note role="status" data-every=(LOOK_SECONDS) {
                    (words.count("rules.running", events.cast_signed(), &[&rules]))
                }
            }
        }
        State::Failed => html! { p.alert role="alert" { (words.fill("rules.failed", &[&rules])) } },
        State::Done { before, after } => html! {
            p role="status" { (words.fill(done, &[&rules, &words.whole(what_if::DAYS.into())])) }
            (compared(words, before, after))
        },
    }
}

/// The main figures side by side.
fn compared(words: &Words, before: &Value, after: &Value) -> Markup {
    let names = before.as_object().into_iter().flat_map(|figures| figures.keys());
    let title = words.say("rules.figure");
    region(
        title,
        &html! { table {
            thead { tr { @for key in ["rules.figure", "rules.before", "rules.after"] {
                th scope="col" { (words.say(key)) }
            } } }
            tbody { @for name in names { tr.changed[before[name] != after[name]] {
                th scope="row" { (words.say(&format!("column.{name}"))) }
                @for side in [before, after] { td { (cell(name).show(words, &side[name], None)) } }
            } } }
        } },
    )
}

fn cell(figure: &str) -> Cell {
    match figure {
        "coverage" => Cell::Percent,
        "average" => Cell::Decimal,
        "mean_minutes" | "median_minutes" => Cell::Minutes,
        _ => Cell::Whole,
    }
}

#[derive(Deserialize)]
pub struct Wanted {
    csrf: String,
    /// `try` or `apply`.
    r#do: String,
    visit_window: u32,
    assumed_stay: u32,
    assumed_tail: u32,
    rejoin_grace: u32,
}

/// Begins to count the gym by other rules.
pub async fn recount(
    app: web::Data<App>,
    visitor: Visitor,
    slug: web::Path<String>,
    wanted: Form<Wanted>,
) -> HttpResponse {
    let back = format!("/gyms/{slug}/rules");
    let begun = async {
        let gym = visitor.administered(&app, &wanted.csrf, slug.into_inner()).await?;
        let Wanted { visit_window, assumed_stay, assumed_tail, rejoin_grace, .. } = *wanted;
        let rules = Rules::new(visit_window, assumed_stay, assumed_tail, rejoin_grace);
        let rules = rules.map_err(|error| {
            let most = visitor.words.whole(VISIT_WINDOW_MINUTES_MAX.into());
            Problem::new(Code::BadParameter, error.to_string()).as_message("rules.bad", &[&most])
        })?;
        let settings = GymSettings { rules, ..gym.settings.clone() };
        let is_trial = wanted.r#do != "apply";
        if !is_trial {
            want(&app, &visitor, gym.slug.to_string(), rules).await?;
        }
        app.pages.recounts.begin(app.store.database(), gym, settings, is_trial)
    };
    visitor.lead(begun.await, &back)
}

/// Says by which rules the gym is to be counted, so that a stop meanwhile loses nothing.
async fn want(
    app: &web::Data<App>,
    visitor: &Visitor,
    slug: String,
    rules: Rules,
) -> Result<(), Problem> {
    let (recounts, database) = (app.pages.recounts.clone(), app.store.database().clone());
    let (said, now) = (Said { rules: rules.minutes().map(Some), ..Said::default() }, clock::now());
    let said = visitor.access.write(app, Role::Admin, move |tx, access| {
        recounts.is_free(&database)?;
        let id = access.gym(&tx.view(), &slug)?.id;
        Ok(gyms::change(tx, id, &said, now).map(|_| ())?)
    });
    said.await
}
