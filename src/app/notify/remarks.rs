//! What a digest's figures rest on, in sentences: above all where something is missing. Pure.

use chrono::Datelike;

use super::content::{clock_time, so_far, times, weekday_time};
use super::figures::{Digest, Figures};
use super::schedule::Period;
use crate::domain::calendar::Bucket;
use crate::domain::report::silence::WEEKS_MIN;
use crate::http::Words;

/// Silent spans that a digest lists; of more it says how many.
const SPANS_SHOWN_MAX: usize = 10;

/// The sentences below the figures.
pub fn remarks(digest: &Digest, words: &Words) -> Vec<String> {
    let zone = digest.gym.settings.zone;
    let mut remarks = Vec::new();
    if digest.first_event.is_none() {
        remarks.push(words.say("digest.never").to_owned());
    } else if digest.this.visits == 0 && digest.this.closed.is_empty() {
        remarks.push(words.say("digest.no_visit").to_owned());
    }
    remarks.extend(closed(&digest.this, words));
    remarks.extend(unfinished(digest, words));
    if let Some(peak) = digest.this.peak.filter(|peak| peak.present > 0) {
        let at = weekday_time(words, zone, peak.at);
        remarks.push(words.fill("digest.peak_at", &[&at]));
    }
    remarks.extend(completeness(digest, words));
    remarks.extend(quarantine(digest, words));
    remarks.extend(before(digest, words));
    remarks.push(words.fill("digest.zone", &[zone.name()]));
    remarks
}

/// The message about a day, or that about a week.
fn of(period: Period, day: &'static str, week: &'static str) -> &'static str {
    match period {
        Period::Day => day,
        Period::Week => week,
    }
}

/// On which days the gym says that it was closed.
fn closed(figures: &Figures, words: &Words) -> Option<String> {
    let day = |day: chrono::NaiveDate| {
        let date = day.format(words.say("digest.date")).to_string();
        words.fill("digest.weekday_date", &[words.whole_weekday(day.weekday()), &date])
    };
    let days: Vec<_> = figures.closed.iter().map(|closed| day(closed.date())).collect();
    (!days.is_empty()).then(|| words.fill("digest.closed", &[&days.join(", ")]))
}

fn unfinished(digest: &Digest, words: &Words) -> Option<String> {
    let until = weekday_time(words, digest.gym.settings.zone, digest.so_far?);
    let key = of(digest.period, "digest.day_not_over", "digest.week_not_over");
    Some(words.fill(key, &[&until]))
}

fn completeness(digest: &Digest, words: &Words) -> Vec<String> {
    let this = &digest.this;
    let Some(first) = digest.first_event else { return vec![] };
    if this.hours_incomplete > 0 {
        return incomplete(digest, this, words, words.say("digest.incomplete"));
    }
    if !this.can_be_told {
        let first = clock_time(words, digest.gym.settings.zone, first);
        return vec![words.fill("digest.untold", &[&WEEKS_MIN.to_string(), &first])];
    }
    let key = of(digest.period, "digest.day_complete", "digest.week_complete");
    vec![words.fill(key, &[so_far(digest, words)])]
}

fn quarantine(digest: &Digest, words: &Words) -> Option<String> {
    let (came, wait) = (digest.this.quarantined, digest.waiting);
    let numbers = [came, wait].map(|number| number.to_string());
    let [came_shown, wait_shown] = &numbers;
    (came > 0 || wait > 0).then(|| {
        words.fill("digest.quarantine", &[came_shown, wait_shown, digest.gym.slug.as_str()])
    })
}

/// What there is to know about the range before.
fn before(digest: &Digest, words: &Words) -> Vec<String> {
    let Some(first) = digest.first_event else { return vec![] };
    let earlier = words.say(of(digest.period, "digest.that_day", "digest.that_week"));
    let began = clock_time(words, digest.gym.settings.zone, first);
    let Some(before) = &digest.before else {
        return vec![words.fill("digest.no_before", &[earlier, &began])];
    };
    let mut said = Vec::new();
    if before.range.from < first {
        said.push(words.fill("digest.part_before", &[earlier, &began]));
    }
    if before.hours_incomplete > 0 {
        let word = words.fill("digest.incomplete_before", &[earlier]);
        said.extend(incomplete(digest, before, words, &word));
    } else if !before.can_be_told && digest.this.can_be_told {
        said.push(words.fill("digest.untold_before", &[earlier]));
    }
    said
}

fn incomplete(digest: &Digest, figures: &Figures, words: &Words, word: &str) -> Vec<String> {
    let numbers = [figures.hours_incomplete, figures.hours].map(|number| number.to_string());
    let [incomplete, hours] = &numbers;
    let mut said = vec![words.fill("digest.hours_incomplete", &[word, incomplete, hours])];
    let spans = figures.silent.iter().take(SPANS_SHOWN_MAX);
    said.extend(spans.map(|span| {
        let range = Bucket { from: span.from, until: span.until };
        words.fill("digest.silent", &[&times(words, digest.gym.settings.zone, range)])
    }));
    let more = figures.silent.len().saturating_sub(SPANS_SHOWN_MAX);
    if more > 0 {
        said.push(words.fill("digest.more_silent", &[&more.to_string()]));
    }
    said
}
