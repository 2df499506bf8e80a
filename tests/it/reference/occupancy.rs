//! How many are inside: now, over a range, and in a usual week. All of it from one sample a
//! minute.

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::calendar::{MINUTE, Span, buckets, day_start, hour_of_week, local, local_date, rfc3339};
use super::outlook::Outlook;
use super::{Body, EnteredBy, History, Interval, Question, fields, within};

#[derive(Clone, Copy)]
pub(super) struct Sample {
    minute: i64,
    pub(super) present: u64,
}

/// What the samples of a time come to.
pub(super) struct Summary {
    pub(super) average: f64,
    pub(super) peak: Sample,
    low: u64,
}

impl Summary {
    /// None of no samples: a time not yet seen is unknown, not empty.
    pub(super) fn of(samples: &[Sample]) -> Option<Summary> {
        let sum: u64 = samples.iter().map(|sample| sample.present).sum();
        let largest = samples.iter().map(|sample| sample.present).max()?;
        Some(Summary {
            average: sum as f64 / samples.len() as f64,
            peak: *samples.iter().find(|sample| sample.present == largest)?,
            low: samples.iter().map(|sample| sample.present).min()?,
        })
    }
}

impl History {
    pub(super) fn occupancy(&self, range: Span, question: &Question) -> Body {
        let samples = self.samples(range, question.now);
        let figures = |span| self.occupancy_in(within(&samples, |sample| sample.minute, span));
        let rows = self.rows(range, question, figures);
        ("buckets", rows, Value::Object(figures(range)))
    }

    pub(super) fn popular_times(&self, range: Span, now: i64) -> Body {
        let samples = self.samples(range, now);
        let hours = buckets(self.gym.zone, Interval::H1, range);
        let mut hours_of_cell = vec![Vec::new(); 7 * 24];
        for hour in hours.into_iter().filter(|hour| hour.until <= now) {
            if self.is_closed_at(hour.from) {
                continue;
            }
            hours_of_cell[hour_of_week(self.gym.zone, hour.from)].push(hour);
        }
        let cell = |(hour_of_week, hours): (usize, &Vec<Span>)| {
            let summaries: Vec<Summary> = hours
                .iter()
                .filter_map(|hour| Summary::of(within(&samples, |sample| sample.minute, *hour)))
                .collect();
            json!({
                "weekday": hour_of_week / 24 + 1,
                "hour": hour_of_week % 24,
                "average": mean(summaries.iter().map(|summary| summary.average)),
                "peak": mean(summaries.iter().map(|summary| summary.peak.present as f64)),
                "hours": hours.len(),
            })
        };
        ("cells", hours_of_cell.iter().enumerate().map(cell).collect(), json!({}))
    }

    pub fn occupancy_now(&self, now: i64) -> Value {
        let present = self.visits.iter().filter(|visit| visit.entered <= now && now < visit.left);
        let by_door = present.clone().filter(|visit| visit.entered_by == EnteredBy::Checkin);
        let present = present.count();
        let utilisation = self.gym.capacity.map(|capacity| present as f64 / f64::from(capacity));
        let at = local(self.gym.zone, now);
        let outlook = Outlook::new(self, now);
        json!({
            "gym": self.gym.slug,
            "at": at.to_rfc3339_opts(SecondsFormat::AutoSi, false),
            "present": present,
            "observed": by_door.count(),
            "capacity": self.gym.capacity,
            "utilisation": utilisation,
            "usual": outlook.usual_now(),
            "today_peak": self.today_peak(now),
            "next_hours": outlook.next_hours(),
            "closed": self.is_closed_at(now),
        })
    }

    fn today_peak(&self, now: i64) -> Value {
        let from = day_start(self.gym.zone, local_date(self.gym.zone, now));
        match Summary::of(&self.samples(Span { from, until: now + 1 }, now)) {
            Some(Summary { peak, .. }) => {
                json!({"at": rfc3339(self.gym.zone, peak.minute), "present": peak.present})
            }
            None => Value::Null,
        }
    }

    /// One sample for every whole minute of the span that has come by now.
    pub(super) fn samples(&self, span: Span, now: i64) -> Vec<Sample> {
        let first = minute_from(span.from);
        let mut samples = Vec::new();
        let mut minute = first;
        while minute < span.until && minute <= now {
            samples.push(Sample { minute, present: 0 });
            minute += MINUTE;
        }
        let end = minute;
        for visit in &self.visits {
            let mut minute = minute_from(visit.entered.max(first));
            while minute < visit.left.min(end) {
                let index = usize::try_from((minute - first) / MINUTE).expect("not before first");
                samples[index].present += 1;
                minute += MINUTE;
            }
        }
        samples
    }

    fn occupancy_in(&self, samples: &[Sample]) -> Map<String, Value> {
        let summary = Summary::of(samples);
        let peak = summary.as_ref().map(|summary| summary.peak);
        fields(json!({
            "average": summary.as_ref().map(|summary| summary.average),
            "peak": peak.map(|peak| peak.present),
            "peak_at": peak.map(|peak| rfc3339(self.gym.zone, peak.minute)),
            "low": summary.as_ref().map(|summary| summary.low),
        }))
    }
}

/// The first whole minute at or after the instant.
fn minute_from(at: i64) -> i64 {
    (at + MINUTE - 1).div_euclid(MINUTE) * MINUTE
}

/// Added up in the order given, so that the last bit is always the same.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}
