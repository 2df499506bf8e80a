//! What a digest's figures rest on, in sentences: above all where something is missing. Pure.

use chrono_tz::Tz;

use super::content::{clock_time, times};
use super::figures::{Digest, Figures};
use super::schedule::Period;
use crate::domain::calendar::{Bucket, local};
use crate::domain::report::silence::WEEKS_MIN;

/// Silent spans that a digest lists; of more it says how many.
const SPANS_SHOWN_MAX: usize = 10;

/// The sentences below the figures.
pub fn remarks(digest: &Digest) -> Vec<String> {
    let zone = digest.gym.settings.zone;
    let mut remarks = Vec::new();
    if digest.first_event.is_none() {
        remarks.push(
            "This gym has never sent an event: is its webhook registered? `footfall webhook list` \
             shows the last delivery."
                .to_owned(),
        );
    } else if digest.this.visits == 0 && digest.this.closed.is_empty() {
        remarks.push("No visit was received in this time.".to_owned());
    }
    remarks.extend(closed(&digest.this));
    remarks.extend(unfinished(digest, zone));
    if let Some(peak) = digest.this.peak.filter(|peak| peak.present > 0) {
        let at = local(zone, peak.at).format("%A %H:%M");
        remarks.push(format!("The peak was on {at}."));
    }
    remarks.extend(completeness(digest, zone));
    remarks.extend(quarantine(digest));
    remarks.extend(before(digest, zone));
    remarks.push(format!("Times are those of {}.", zone.name()));
    remarks
}

/// What the digest is over, and what it is compared with.
fn words(period: Period) -> (&'static str, &'static str) {
    match period {
        Period::Day => ("day", "the day a week before"),
        Period::Week => ("week", "the week before"),
    }
}

/// On which days the gym says that it was closed.
fn closed(figures: &Figures) -> Option<String> {
    let days = figures.closed.iter().map(|day| day.date().format("%A %Y-%m-%d").to_string());
    let days: Vec<_> = days.collect();
    (!days.is_empty()).then(|| format!("The gym was closed on {}.", days.join(", ")))
}

fn unfinished(digest: &Digest, zone: Tz) -> Option<String> {
    let (over, _) = words(digest.period);
    let until = local(zone, digest.so_far?).format("%A %H:%M");
    Some(format!(
        "This {over} is not over: what is after {until} is left out on both sides. How many \
         different members came is known of whole days and weeks only."
    ))
}

fn completeness(digest: &Digest, zone: Tz) -> Vec<String> {
    let (over, _) = words(digest.period);
    let this = &digest.this;
    let Some(first) = digest.first_event else { return vec![] };
    if this.hours_incomplete > 0 {
        return incomplete(this, zone, "INCOMPLETE:");
    }
    if !this.can_be_told {
        return vec![format!(
            "Whether events are missing cannot be told yet: that takes {WEEKS_MIN} whole weeks \
             before, and the first event was on {}.",
            clock_time(zone, first)
        )];
    }
    let so_far = if digest.so_far.is_some() { " so far" } else { "" };
    vec![format!("Every hour of this {over}{so_far} is complete.")]
}

fn quarantine(digest: &Digest) -> Option<String> {
    let (came, wait) = (digest.this.quarantined, digest.waiting);
    (came > 0 || wait > 0).then(|| {
        format!(
            "Deliveries that could not be understood and went to quarantine in this time: {came}; \
             that wait there now: {wait}. `footfall quarantine list {}` says why.",
            digest.gym.slug
        )
    })
}

/// What there is to know about the range before.
fn before(digest: &Digest, zone: Tz) -> Vec<String> {
    let (_, earlier) = words(digest.period);
    let Some(first) = digest.first_event else { return vec![] };
    let began = clock_time(zone, first);
    let Some(before) = &digest.before else {
        return vec![format!("No data of {earlier}; the first event was on {began}.")];
    };
    let mut said = Vec::new();
    if before.range.from < first {
        said.push(format!("Not all of {earlier} is known; the first event was on {began}."));
    }
    if before.hours_incomplete > 0 {
        said.extend(incomplete(before, zone, &format!("INCOMPLETE, {earlier}:")));
    } else if !before.can_be_told && digest.this.can_be_told {
        said.push(format!("Whether events of {earlier} are missing could not be told yet."));
    }
    said
}

fn incomplete(figures: &Figures, zone: Tz, word: &str) -> Vec<String> {
    let mut said = vec![format!(
        "{word} {} of {} hours are not complete; the figures may be too low.",
        figures.hours_incomplete, figures.hours
    )];
    let spans = figures.silent.iter().take(SPANS_SHOWN_MAX);
    said.extend(spans.map(|span| {
        let range = Bucket { from: span.from, until: span.until };
        format!("Silent although events were all but certain: {}.", times(zone, range))
    }));
    let more = figures.silent.len().saturating_sub(SPANS_SHOWN_MAX);
    if more > 0 {
        said.push(format!("And {more} more silent spans: see the report `quality`."));
    }
    said
}
