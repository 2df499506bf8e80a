//! A report over several gyms: each in its own zone, and the sum of what is a sum (model
//! section 4, several gyms). Peaks, percentiles, shares and distinct members are not added.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, NaiveDateTime};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::together::answers;
use super::{
    Name, Parameters, Question, Report, interval_words, limit_buckets, report_words, rests_on,
};
use crate::clock;
use crate::domain::Millis;
use crate::domain::calendar::Interval;
use crate::http::answer::{Fresh, tagged};
use crate::http::auth::Access;
use crate::http::problem::{Code, Problem};
use crate::http::{App, csv, openapi, reporting};
use crate::store::{Gym, Snapshot};

/// The most gyms that can be named.
const GYMS_MAX: usize = 1_000;

/// A report over several gyms.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Chain {
    #[schema(schema_with = report_words)]
    report: &'static str,
    #[schema(schema_with = interval_words)]
    interval: &'static str,
    /// Each gym's own report. Members are counted at each gym, and not added.
    gyms: Vec<Report>,
    /// What is a sum, by the local name of the bucket: the same hour on each gym's clock. Empty
    /// for reports without one.
    #[schema(schema_with = openapi::summed_buckets)]
    buckets: Vec<Value>,
    /// What is a sum, over all gyms.
    #[schema(schema_with = openapi::sums)]
    totals: Value,
}

/// A report over several gyms, each in its own zone, and the sum of what is a sum.
#[utoipa::path(
    get,
    path = "/api/v1/reports/{report}",
    tag = "reports",
    operation_id = "chain_report",
    params(
        Parameters,
        (
            "gyms" = Option<String>, Query, example = "berlin,new-york",
            description = "Their slugs, joined by commas. Default: all that the token may see, \
                           but those that were archived before the range",
        ),
        openapi::IfNoneMatch,
    ),
    responses(openapi::JsonOrCsv<Chain>, openapi::ReportProblems)
)]
pub async fn of_chain(
    app: web::Data<App>,
    access: Access,
    name: web::Path<String>,
    parameters: web::Query<Parameters>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let fresh = Fresh::of(&request, parameters.format.as_deref())?;
    let answer = reporting(app, move |snapshot| {
        let (name, now) = (Name::parse(&name)?, clock::now());
        let gyms = chosen(snapshot, &access, parameters.gyms.as_deref())?;
        let mut asked = questions(name, gyms, &parameters, now)?;
        if parameters.gyms.is_none() {
            leave_out_closed(&mut asked);
        }
        let rests_on = asked.iter().map(|(gym, question)| rests_on(snapshot, gym, question));
        let rests_on = rests_on.collect::<Result<Vec<_>, _>>()?;
        fresh.answer(&rests_on, || over(snapshot, name, &asked), &["gym"], list)
    });
    Ok(tagged(answer.await?))
}

fn chosen(
    snapshot: &Snapshot<'_>,
    access: &Access,
    slugs: Option<&str>,
) -> Result<Vec<Gym>, Problem> {
    let gyms = match slugs {
        None => access.gyms(snapshot)?,
        Some(slugs) => {
            let mut slugs: Vec<_> = slugs.split(',').map(str::trim).take(GYMS_MAX + 1).collect();
            if slugs.len() > GYMS_MAX {
                let detail = format!("`gyms` names at most {GYMS_MAX} gyms");
                return Err(Problem::new(Code::BadParameter, detail));
            }
            slugs.sort_unstable();
            slugs.dedup();
            let gyms = slugs.into_iter().map(|slug| access.gym(snapshot, slug));
            gyms.collect::<Result<_, _>>()?
        }
    };
    if gyms.is_empty() {
        return Err(Problem::new(Code::NotFound, "there is no gym that your token may see"));
    }
    Ok(gyms)
}

/// A gym that was archived before a range begins is in it only when it is named. What it counted
/// before that stays in the sums.
fn leave_out_closed(asked: &mut Vec<(Gym, Question)>) {
    asked.retain(|(gym, question)| gym.archived_at.is_none_or(|closed| closed > question.from));
}

/// Answers a question about all of these gyms that were open in the range.
pub fn ask_chain(
    snapshot: &Snapshot<'_>,
    gyms: Vec<Gym>,
    report: &str,
    parameters: &Parameters,
    now: Millis,
) -> Result<Chain, Problem> {
    let name = Name::parse(report)?;
    let mut asked = questions(name, gyms, parameters, now)?;
    leave_out_closed(&mut asked);
    over(snapshot, name, &asked)
}

/// The same of each gym, in its own zone.
fn questions(
    name: Name,
    gyms: Vec<Gym>,
    parameters: &Parameters,
    now: Millis,
) -> Result<Vec<(Gym, Question)>, Problem> {
    let asked = gyms.into_iter().map(|gym| {
        let question = Question::of(name, parameters, gym.settings.zone, now)?;
        Ok((gym, question))
    });
    let asked = asked.collect::<Result<Vec<_>, Problem>>()?;
    limit_buckets(asked.iter().map(|(gym, question)| (gym.settings.zone, question)))?;
    Ok(asked)
}

/// Adds gym by gym and row by row, so that no more than one row is there twice.
fn over(snapshot: &Snapshot<'_>, name: Name, asked: &[(Gym, Question)]) -> Result<Chain, Problem> {
    let question = asked.first().map(|(_, question)| question);
    let interval = question.map_or(Interval::Day, |question| question.interval);
    let (mut totals, mut buckets) = (Map::new(), Buckets::of(interval));
    let gyms = answers(snapshot, asked)?;
    for report in gyms.iter().filter(|_| !sums(name).is_empty()) {
        let parts = report.rows.parts();
        add(&mut totals, &parts.totals, sums(name));
        buckets.add(parts.list, sums(name));
    }
    Ok(Chain {
        report: name.word(),
        interval: question.map_or("1d", |question| question.interval_word()),
        buckets: buckets.into_rows(),
        totals: Value::Object(totals),
        gyms,
    })
}

/// The fields that are sums.
fn sums(name: Name) -> &'static [&'static str] {
    match name {
        Name::Occupancy => &["average"],
        Name::Visits => &["visits", "arrivals", "departures", "entered_by", "ended_by"],
        Name::Durations => &["visits", "observed"],
        Name::Equipment => &["checkins", "visits", "visits_with_equipment", "checkins_per_visit"],
        Name::Onboarding => &["completed"],
        Name::Activity => &["active", "new", "returned", "lapsed"],
        Name::Quality => &[
            "duplicates",
            "repeat_swipes",
            "orphan_checkouts",
            "doors_missed",
            "without_checkout",
            "quarantined",
            "erased",
            "unknown_types",
            "late_events",
            "late_by",
            "visits",
            "observed",
        ],
        Name::Members | Name::PopularTimes | Name::Retention => &[],
    }
}

/// A local time, and which of the times of this name: 1 in the second of a doubled hour. Days and
/// longer buckets go by their local date alone: a clock change may skip the midnight of one gym.
type LocalName = (NaiveDateTime, usize);

/// A bucket of several gyms.
struct Summed {
    name: LocalName,
    /// Its earliest start on any gym's clock.
    start: NaiveDateTime,
    complete: bool,
    closed: bool,
    sum: Map<String, Value>,
}

impl Summed {
    fn take(&mut self, start: NaiveDateTime, bucket: &Value, sums: &[&str]) {
        self.start = self.start.min(start);
        self.complete &= bucket["complete"] == true;
        self.closed &= bucket["closed"] == true;
        add(&mut self.sum, bucket, sums);
    }

    fn row(self) -> Value {
        let start = self.start.format("%Y-%m-%dT%H:%M:%S").to_string();
        let mut row = Map::new();
        row.insert("start".into(), json!(start));
        row.insert("complete".into(), json!(self.complete));
        if self.closed {
            row.insert("closed".into(), json!(true));
        }
        row.extend(self.sum);
        Value::Object(row)
    }
}

/// Buckets summed by their local names; the second of a doubled hour meets other gyms' second ones.
struct Buckets {
    /// Quarters and hours go by their time, what is longer by its date.
    by_time: bool,
    summed: Vec<Summed>,
    places: HashMap<LocalName, usize>,
}

impl Buckets {
    fn of(interval: Interval) -> Buckets {
        let by_time = matches!(interval, Interval::Quarter | Interval::Hour);
        Buckets { by_time, summed: Vec::new(), places: HashMap::new() }
    }

    /// Adds those rows of one gym that are buckets.
    fn add(&mut self, rows: csv::Rows<'_>, sums: &[&str]) {
        let mut seen: HashMap<NaiveDateTime, usize> = HashMap::new();
        for bucket in rows.filter(|row| row.get("start").is_some()) {
            let start = bucket["start"].as_str().and_then(|start| start.parse().ok());
            let start: DateTime<chrono::FixedOffset> = start.expect("we wrote it");
            let start = start.naive_local();
            let time = if self.by_time { start } else { NaiveDateTime::from(start.date()) };
            let nth = seen.entry(time).or_default();
            let name = (time, *nth);
            *nth += 1;
            let place = *self.places.entry(name).or_insert_with(|| {
                let sum = Map::new();
                self.summed.push(Summed { name, start, complete: true, closed: true, sum });
                self.summed.len() - 1
            });
            self.summed[place].take(start, &bucket, sums);
        }
    }

    fn into_rows(mut self) -> Vec<Value> {
        self.summed.sort_by_key(|bucket| bucket.name);
        self.summed.into_iter().map(Summed::row).collect()
    }
}

/// Adds the named fields, and all within them. What is not known of one is not known of the sum.
fn add(sum: &mut Map<String, Value>, value: &Value, fields: &[&str]) {
    for field in fields {
        match (&value[field], sum.get_mut(*field)) {
            (Value::Object(inner), _) => {
                let names: Vec<_> = inner.keys().map(String::as_str).collect();
                let inner_sum = sum.entry(*field).or_insert_with(|| json!({}));
                let inner_sum = inner_sum.as_object_mut().expect("it is one in every gym");
                add(inner_sum, &value[field], &names);
            }
            (Value::Null, None) if value.get(field).is_none() => {}
            (one, None) => {
                sum.insert((*field).to_owned(), one.clone());
            }
            (one, Some(before)) => *before = plus(before, one),
        }
    }
}

fn plus(a: &Value, b: &Value) -> Value {
    match (a.as_i64(), b.as_i64(), a.as_f64(), b.as_f64()) {
        (Some(a), Some(b), _, _) => json!(a + b),
        (_, _, Some(a), Some(b)) => json!(a + b),
        _ => Value::Null,
    }
}

/// Every gym's rows, each with its gym, for CSV.
fn list(chain: &Chain) -> csv::Rows<'_> {
    Box::new(
        chain
            .gyms
            .iter()
            .flat_map(|report| report.rows.list().map(|row| with_gym(&report.gym, row))),
    )
}

fn with_gym(gym: &str, row: Value) -> Value {
    let mut with_gym = Map::from_iter([("gym".to_owned(), json!(gym))]);
    if let Value::Object(row) = row {
        with_gym.extend(row);
    }
    Value::Object(with_gym)
}
