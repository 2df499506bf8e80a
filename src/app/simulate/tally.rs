//! What became of all posts, counted; and how that is told.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::HumanCount;
use serde::Serialize;

use super::posting::Answer;

/// Answer times are told apart by so much, in microseconds.
const STEP_MICROS: u128 = 100;
const STEPS_PER_MS: f64 = 10.0;
/// Answer times from here on count as this long, in steps: nobody waits longer than five seconds.
const STEPS_MAX: usize = 60_000;

/// The answers to some posts.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub posted: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub erased: u64,
    pub test: u64,
    /// By status code.
    pub refused: BTreeMap<u16, u64>,
    /// By kind of failure.
    pub failed: BTreeMap<&'static str, u64>,
    /// How many answers took how many steps.
    steps: Vec<u64>,
}

/// What a person or a script gets to know in the end.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub posted: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub erased: u64,
    pub test: u64,
    /// By status code.
    pub refused: BTreeMap<u16, u64>,
    /// By kind of failure.
    pub failed: BTreeMap<&'static str, u64>,
    /// Late deliveries of the range that the sender would post only after its end.
    pub not_due: u64,
    pub seconds: f64,
    pub per_second: f64,
    /// Half of the posts were answered within so many milliseconds; null without posts.
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

impl Tally {
    pub fn count(&mut self, answer: Answer, took: Duration) {
        self.posted += 1;
        match answer {
            Answer::Accepted => self.accepted += 1,
            Answer::Duplicate => self.duplicate += 1,
            Answer::Erased => self.erased += 1,
            Answer::Test => self.test += 1,
            Answer::Refused(status) => *self.refused.entry(status).or_default() += 1,
            Answer::Failed(failure) => *self.failed.entry(failure.name()).or_default() += 1,
        }
        let step = ((took.as_micros() / STEP_MICROS) as usize).min(STEPS_MAX);
        if self.steps.len() <= step {
            self.steps.resize(step + 1, 0);
        }
        self.steps[step] += 1;
    }

    /// The time within which this share of the posts was answered, in milliseconds.
    pub fn quantile_ms(&self, percent: u64) -> Option<f64> {
        let rank = (self.posted * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let step = self.steps.iter().position(|&count| {
            seen += count;
            seen >= rank
        })?;
        Some(f64::from(step as u32 + 1) / STEPS_PER_MS)
    }

    pub fn summary(self, took: Duration, not_due: u64) -> Summary {
        let seconds = took.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
        let per_second = self.posted as f64 / seconds.max(f64::EPSILON);
        let (p50_ms, p99_ms) = (self.quantile_ms(50), self.quantile_ms(99));
        let Tally { posted, accepted, duplicate, erased, test, refused, failed, .. } = self;
        Summary {
            posted,
            accepted,
            duplicate,
            erased,
            test,
            refused,
            failed,
            not_due,
            seconds,
            per_second,
            p50_ms,
            p99_ms,
        }
    }
}

impl Summary {
    /// For people.
    pub fn to_text(&self) -> String {
        let mut counts = vec![
            ("posted".to_owned(), self.posted),
            ("accepted".to_owned(), self.accepted),
            ("duplicate".to_owned(), self.duplicate),
        ];
        let rare = [("erased", self.erased), ("test", self.test)].map(|(k, n)| (k.to_owned(), n));
        let refused = self.refused.iter().map(|(status, &n)| (format!("refused with {status}"), n));
        let failed = self.failed.iter().map(|(kind, &n)| (format!("failed: {kind}"), n));
        let not_due = [("not due yet".to_owned(), self.not_due)];
        let more = rare.into_iter().chain(refused).chain(failed).chain(not_due);
        counts.extend(more.filter(|(_, count)| *count > 0));
        let lines = counts.iter().map(|(name, n)| format!("{name:16} {:>12}", tell(*n)));
        let mut lines: Vec<String> = lines.collect();
        lines.push(format!("in {:.1} s: {:.0} a second", self.seconds, self.per_second));
        if let (Some(p50), Some(p99)) = (self.p50_ms, self.p99_ms) {
            lines.push(format!("answered within {p50:.1} ms (half), {p99:.1} ms (99 %)"));
        }
        lines.join("\n")
    }
}

fn tell(count: u64) -> String {
    HumanCount(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::posting::Failure;
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_answers() {
        let mut tally = Tally::default();
        assert_eq!(tally.quantile_ms(50), None);
        for ms in 1..=100 {
            tally.count(Answer::Accepted, Duration::from_millis(ms));
        }
        assert!((tally.quantile_ms(50).unwrap() - 50.1).abs() < 0.01);
        assert!((tally.quantile_ms(99).unwrap() - 99.1).abs() < 0.01);
        tally.count(Answer::Refused(503), Duration::from_secs(3_600));
        assert!((tally.quantile_ms(100).unwrap() - 6_000.1).abs() < 0.01);
    }

    #[test]
    fn every_post_is_counted_once() {
        let mut tally = Tally::default();
        let failed = Answer::Failed(Failure::Timeout);
        for answer in [Answer::Accepted, Answer::Duplicate, Answer::Refused(503), failed, failed] {
            tally.count(answer, Duration::from_millis(1));
        }
        let summary = tally.summary(Duration::from_secs(2), 0);
        assert_eq!((summary.posted, summary.accepted, summary.duplicate), (5, 1, 1));
        assert_eq!((summary.refused[&503], summary.failed["timeout"]), (1, 2));
        assert!((summary.per_second - 2.5).abs() < 1e-9);
        let text = summary.to_text();
        assert!(text.contains("refused with 503") && !text.contains("erased"), "{text}");
    }
}
