//! What is marked on a report: when the gym was silent, what somebody noted, and when EGYM began to
//! filter. In the picture, and in words under it.

use chrono_tz::Tz;
use maud::{Markup, html};
use serde_json::Value;

use super::annotations::days_shown;
use super::chart::{self, SpanKind};
use super::range::Range;
use super::words::Words;
use crate::domain::Millis;
use crate::domain::annotation::{Annotation, AnnotationKind};
use crate::domain::calendar::{day_start, local};
use crate::domain::report::silence;
use crate::http::problem::Problem;
use crate::projection::read;
use crate::store::{Gym, Snapshot};

/// EGYM sends nothing of members without their consent since this instant (2026-06-24, 00:00 UTC).
const CONSENT_FILTER: Millis = 1_782_259_200_000;

/// A note with a longer text than this is named by its kind at its place.
const WORD_LETTERS_MAX: usize = 24;

pub struct Marks {
    zone: Tz,
    silent: Vec<silence::Span>,
    notes: Vec<Annotation>,
    is_filtered_within: bool,
}

/// A yearly annotation once for each year of the range.
fn each_run(note: &Annotation, range: &Range) -> Vec<Annotation> {
    let runs = note.runs(range.first, range.last.plus(1)).into_iter();
    runs.map(|(first, until)| Annotation { first, last: until.plus(-1), ..note.clone() }).collect()
}

impl Marks {
    /// Of many gyms, only what is the same for all of them.
    pub fn of_all(zone: Tz, range: &Range) -> Marks {
        let is_filtered_within = range.holds(CONSENT_FILTER);
        Marks { zone, silent: vec![], notes: vec![], is_filtered_within }
    }

    pub fn of(
        snapshot: &Snapshot<'_>,
        gym: &Gym,
        range: &Range,
        now: Millis,
    ) -> Result<Marks, Problem> {
        let notes = snapshot.annotations(gym.id, range.first, range.last)?;
        Ok(Marks {
            zone: gym.settings.zone,
            silent: read::silent_spans(snapshot, gym, range.from, range.until, now)?,
            notes: notes.iter().flat_map(|(_, note)| each_run(note, range)).collect(),
            is_filtered_within: range.holds(CONSENT_FILTER),
        })
    }

    /// Along the bars of a report.
    pub fn spans(&self, words: &Words, report: &Value) -> Vec<chart::Span> {
        let edges = edges(report);
        let span = |kind, from, until, word: &str, says| {
            let (from, until) = (place(&edges, from), place(&edges, until));
            chart::Span { kind, from, until, word: word.to_owned(), says }
        };
        let silent = self.silent.iter().map(|silent| {
            let says = words.fill("report.silent_from", &[&self.shown(words, silent)]);
            let word = words.say("chart.silent");
            span(SpanKind::Silent, silent.from, silent.until, word, says)
        });
        let noted = self.notes.iter().map(|note| {
            let [from, until] =
                [note.first, note.last.plus(1)].map(|day| day_start(self.zone, day));
            let kind = if note.kind == AnnotationKind::Closed {
                SpanKind::Closed
            } else {
                SpanKind::Noted
            };
            span(kind, from, until, &word(words, note), noted(words, note))
        });
        let consent = self.is_filtered_within.then(|| {
            let says = words.say("report.consent").to_owned();
            let word = words.say("chart.consent");
            span(SpanKind::Change, CONSENT_FILTER, CONSENT_FILTER, word, says)
        });
        consent.into_iter().chain(silent).chain(noted).collect()
    }

    pub fn in_words(&self, words: &Words) -> Markup {
        html! {
            @if self.is_filtered_within { p.note { (words.say("report.consent")) } }
            @if !self.notes.is_empty() {
                ul.noted { @for note in &self.notes { li { (noted(words, note)) } } }
            }
            @if !self.silent.is_empty() {
                @let count = words.whole(self.silent.len() as i64);
                details.silent { summary { (words.fill("report.silent", &[&count])) }
                    ul { @for span in &self.silent { li { (self.shown(words, span)) } } }
                }
            }
        }
    }

    fn shown(&self, words: &Words, span: &silence::Span) -> String {
        let [from, until] = [span.from, span.until].map(|at| words.moment(local(self.zone, at)));
        format!("{from} – {until}")
    }
}

/// What stands at the place of a note: its text where that is short, else what kind it is.
fn word(words: &Words, note: &Annotation) -> String {
    let is_closed = note.kind == AnnotationKind::Closed;
    let is_short = !is_closed && note.text.chars().count() <= WORD_LETTERS_MAX;
    if is_short { note.text.clone() } else { kind(words, note) }
}

fn kind(words: &Words, note: &Annotation) -> String {
    words.say(&format!("annotations.{}", note.kind.name())).to_owned()
}

fn noted(words: &Words, note: &Annotation) -> String {
    format!("{}: {}, {}", days_shown(words, note), kind(words, note), note.text)
}

/// Where the bars of a report begin, and where the last one ends.
fn edges(report: &Value) -> Vec<Millis> {
    let starts = report["buckets"].as_array().into_iter().flatten().map(|bucket| &bucket["start"]);
    let edges = starts.chain([&report["until"]]).filter_map(Value::as_str);
    let edges = edges.filter_map(|at| chrono::DateTime::parse_from_rfc3339(at).ok());
    edges.map(|at| at.timestamp_millis()).collect()
}

/// Where an instant is along the bars, counted in bars.
fn place(edges: &[Millis], at: Millis) -> f64 {
    let after = edges.partition_point(|edge| *edge <= at);
    let Some((before, rest)) = after.checked_sub(1).map(|before| (before, &edges[before..])) else {
        return 0.0;
    };
    match rest {
        [from, until, ..] => before as f64 + (at - from) as f64 / (until - from) as f64,
        _ => before as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_its_place_among_bars_of_any_width() {
        let edges = [100, 200, 400];
        let tenths = |at| (place(&edges, at) * 10.0).round() as i64;
        assert_eq!([50, 100, 150, 200, 300, 400, 500].map(tenths), [0, 0, 5, 10, 15, 20, 20]);
    }
}
