//! Reports over HTTP: one file for each, and one way to add one: its rows in a file of their own,
//! a name in [`Name`], and a line in [`Rows::of`].

mod activity;
pub mod chain;
mod durations;
mod equipment;
mod members;
mod occupancy;
mod onboarding;
mod popular_times;
mod quality;
mod question;
mod retention;
mod together;
mod visits;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::Value;

use super::answer::{Fresh, tagged};
use super::auth::Access;
use super::problem::{Code, Problem};
use super::times::instant_to_the_minute;
use super::{App, csv, openapi, reporting};
use crate::clock;
use crate::domain::calendar::{Bucket, days_touched};
use crate::domain::closed::ClosedDays;
use crate::domain::report::minutes::Minutes;
use crate::domain::report::silence::{self, Span};
use crate::domain::{MINUTE, Millis};
use crate::projection::of_range::{is_over, of_range};
use crate::projection::read;
use crate::store::{Gym, Snapshot};
pub use chain::{Chain, ask_chain, of_chain};
pub use question::{
    BUCKETS_MAX, Parameters, comparison_words, grouping_words, interval_words, report_words,
    window_words,
};
use question::{Compare, Name, Question, limit_buckets};

/// A report on one gym.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Report {
    gym: String,
    #[schema(schema_with = report_words)]
    report: &'static str,
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    until: String,
    #[schema(schema_with = interval_words)]
    interval: &'static str,
    time_zone: String,
    /// The last position of the log that it rests on.
    position: i64,
    #[serde(flatten)]
    rows: Rows,
    /// Observed visits over visits entered in the range; null without visits.
    #[schema(required)]
    coverage: Option<f64>,
    /// When it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    comparison: Option<Comparison>,
}

/// What was compared with what: the part of the range that has passed, and the same part of an
/// earlier range, a whole number of weeks before (model section 4, comparison).
#[derive(Serialize, utoipa::ToSchema)]
struct Comparison {
    /// `previous` or `year`.
    #[schema(schema_with = comparison_words)]
    compare: &'static str,
    this: Side,
    that: Side,
}

/// One side of a comparison.
#[derive(Serialize, utoipa::ToSchema)]
struct Side {
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    until: String,
    #[serde(flatten)]
    rows: Rows,
    #[schema(required)]
    coverage: Option<f64>,
}

/// What differs from report to report.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ReportRows)]
#[serde(untagged)]
enum Rows {
    Occupancy(occupancy::Rows),
    Visits(visits::Rows),
    Members(members::Rows),
    Durations(durations::Rows),
    Equipment(equipment::Rows),
    PopularTimes(popular_times::Rows),
    Retention(retention::Rows),
    Onboarding(onboarding::Rows),
    Quality(quality::Rows),
    Activity(activity::Rows),
}

impl Rows {
    fn of(ask: &Ask<'_>) -> Result<Rows, Problem> {
        Ok(match ask.question.name {
            Name::Occupancy => Rows::Occupancy(occupancy::rows(ask)?),
            Name::Visits => Rows::Visits(visits::rows(ask)?),
            Name::Members => Rows::Members(members::rows(ask)?),
            Name::Durations => Rows::Durations(durations::rows(ask)?),
            Name::Equipment => Rows::Equipment(equipment::rows(ask)?),
            Name::PopularTimes => Rows::PopularTimes(popular_times::rows(ask)?),
            Name::Retention => Rows::Retention(retention::rows(ask)?),
            Name::Onboarding => Rows::Onboarding(onboarding::rows(ask)?),
            Name::Quality => Rows::Quality(quality::rows(ask)?),
            Name::Activity => Rows::Activity(activity::rows(ask)?),
        })
    }

    fn parts(&self) -> Parts<'_> {
        match self {
            Rows::Occupancy(rows) => rows.parts(),
            Rows::Visits(rows) => rows.parts(),
            Rows::Members(rows) => rows.parts(),
            Rows::Durations(rows) => rows.parts(),
            Rows::Equipment(rows) => rows.parts(),
            Rows::PopularTimes(rows) => rows.parts(),
            Rows::Retention(rows) => rows.parts(),
            Rows::Onboarding(rows) => rows.parts(),
            Rows::Quality(rows) => rows.parts(),
            Rows::Activity(rows) => rows.parts(),
        }
    }

    /// The list of a report, for CSV.
    fn list(&self) -> csv::Rows<'_> {
        Box::new(self.parts().list.map(say_whether_closed))
    }
}

/// A report taken apart, for what knows no report by its fields: its list, row by row, and what is
/// said of all of it.
struct Parts<'a> {
    list: csv::Rows<'a>,
    totals: Value,
}

impl Parts<'_> {
    fn of<'a>(list: &'a [impl Serialize], totals: &impl Serialize) -> Parts<'a> {
        let totals = serde_json::to_value(totals).expect("totals are plain JSON");
        Parts { list: csv::rows(list), totals }
    }
}

/// A question put to one gym, with what every report needs to answer it.
struct Ask<'a> {
    snapshot: &'a Snapshot<'a>,
    gym: &'a Gym,
    question: &'a Question,
    buckets: Vec<Bucket>,
    silent: &'a [Span],
    closed: ClosedDays,
}

/// A bucket's name, and what is to be known before its numbers are believed.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BucketHead)]
struct Head {
    #[schema(format = DateTime)]
    start: String,
    /// Whether its end has passed and no silent span touches it.
    complete: bool,
    /// Whether it lies wholly within closed days; left out when it does not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    closed: bool,
}

impl Ask<'_> {
    /// A bucket's name: its start on the gym's clock.
    fn start(&self, bucket: &Bucket) -> String {
        instant_to_the_minute(self.gym.settings.zone, bucket.from)
    }

    fn range(&self) -> Bucket {
        Bucket { from: self.question.from, until: self.question.until }
    }

    fn head(&self, bucket: &Bucket) -> Head {
        let closed = self.closed.cover(self.gym.settings.zone, *bucket);
        let silent = if closed { &[] } else { self.silent };
        let complete = silence::is_complete(*bucket, silent, self.question.now);
        Head { start: self.start(bucket), complete, closed }
    }
}

/// A report on one gym.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/reports/{report}",
    tag = "reports",
    operation_id = "report",
    params(Parameters, openapi::IfNoneMatch),
    responses(openapi::JsonOrCsv<Report>, openapi::ReportProblems)
)]
pub async fn of_gym(
    app: web::Data<App>,
    access: Access,
    path: web::Path<(String, String)>,
    parameters: web::Query<Parameters>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (slug, name) = path.into_inner();
    if parameters.gyms.is_some() {
        let detail = "`gyms` is a parameter of /api/v1/reports/{report} only";
        return Err(Problem::new(Code::BadParameter, detail));
    }
    let fresh = Fresh::of(&request, parameters.format.as_deref())?;
    let answer = reporting(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let now = clock::now();
        let question = Question::of(Name::parse(&name)?, &parameters, gym.settings.zone, now)?;
        limit_buckets([(gym.settings.zone, &question)])?;
        let rests_on = rests_on(snapshot, &gym, &question)?;
        fresh.answer(
            &rests_on,
            || answer(snapshot, &gym, &question),
            &[],
            |report| report.rows.list(),
        )
    });
    Ok(tagged(answer.await?))
}

/// Answers a question about one gym, as its parameters put it.
pub fn ask(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    report: &str,
    parameters: &Parameters,
    now: Millis,
) -> Result<Report, Problem> {
    let question = Question::of(Name::parse(report)?, parameters, gym.settings.zone, now)?;
    limit_buckets([(gym.settings.zone, &question)])?;
    answer(snapshot, gym, &question)
}

fn answer(snapshot: &Snapshot<'_>, gym: &Gym, question: &Question) -> Result<Report, Problem> {
    let zone = gym.settings.zone;
    let Side { from, until, rows, coverage } = side(snapshot, gym, question)?;
    let comparison = question.compare.map(|compare| comparison(snapshot, gym, question, compare));
    Ok(Report {
        gym: gym.slug.to_string(),
        report: question.name.word(),
        from,
        until,
        interval: question.interval_word(),
        time_zone: zone.name().to_owned(),
        position: gym.position.0,
        rows,
        coverage,
        comparison: comparison.transpose()?,
    })
}

fn side(snapshot: &Snapshot<'_>, gym: &Gym, question: &Question) -> Result<Side, Problem> {
    let zone = gym.settings.zone;
    let (from, until) = (question.from, question.until);
    let buckets = question.buckets(zone);
    let range = Bucket { from, until };
    let said = of_range(snapshot, gym, range, question.now)?;
    let (first, end) = days_touched(zone, from, until);
    let closed = snapshot.closed_days(gym.id, first, end)?;
    let ask = Ask { snapshot, gym, question, buckets, silent: &said.silent, closed };
    Ok(Side {
        from: instant_to_the_minute(zone, from),
        until: instant_to_the_minute(zone, until),
        rows: Rows::of(&ask)?,
        coverage: said.coverage,
    })
}

fn comparison(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    question: &Question,
    compare: Compare,
) -> Result<Comparison, Problem> {
    let (this, that) = question.compared(gym.settings.zone, compare)?.ok_or_else(|| {
        Problem::new(Code::BadRange, "nothing of the range has passed: there is nothing to compare")
            .as_message("compare.nothing_yet", &[])
    })?;
    Ok(Comparison {
        compare: compare.word(),
        this: side(snapshot, gym, &this)?,
        that: side(snapshot, gym, &that)?,
    })
}

/// All that decides what a report says: an answer with the same is the same.
fn rests_on(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    question: &Question,
) -> Result<impl std::hash::Hash + use<>, Problem> {
    let range = Bucket { from: question.from, until: question.until };
    let is_over = is_over(snapshot, gym, range, question.now)?;
    let now = (!is_over).then(|| question.now.div_euclid(MINUTE));
    let has_departures = question.name == Name::Visits && !is_over;
    let to_come = has_departures
        .then(|| read::departures_to_come(snapshot, gym, question.now))
        .transpose()?;
    let rules = gym.settings.rules.minutes();
    let capacity = gym.settings.capacity;
    let zone = gym.settings.zone.name();
    let asked = Question { now: 0, ..*question };
    let state = (snapshot.epoch()?, gym.id, gym.generation, gym.revision, gym.position);
    Ok((state, rules, capacity, zone, asked, now, to_come.map(|to_come| to_come.len())))
}

/// A length of stay that so many observed visits share that a clock, not a door, must have ended
/// them (model section 4, fixed stays).
#[derive(Serialize, utoipa::ToSchema)]
struct FixedStay {
    minutes: u32,
    visits: i64,
}

/// The fixed stays among lengths of stay.
fn fixed_stays(stays: &Minutes) -> Vec<FixedStay> {
    stays.fixed().into_iter().map(|(minutes, visits)| FixedStay { minutes, visits }).collect()
}

/// In JSON only a bucket of closed days says so. A column has its place whatever the data is: the
/// last.
fn say_whether_closed(mut row: Value) -> Value {
    if let Some(bucket) = row.as_object_mut().filter(|row| row.contains_key("complete")) {
        let closed = bucket.shift_remove("closed").unwrap_or(false.into());
        bucket.insert("closed".to_owned(), closed);
    }
    row
}
