//! Witnessed time: whether a reading of the clock can be believed, by what else tells the time.
//!
//! A clock can be years off: an empty battery, a restored machine, a wrong hand. What such a
//! reading begins may not be undone, so it needs a second witness. There are three that do not
//! depend on it: the time that was witnessed before, which is kept with the data; the time that
//! passes while the process runs; and the senders, whose events carry their own clock's time.

use super::event::FUTURE_MAX;
use super::{DAY, MINUTE, Millis};

/// A clock so far ahead of the witnessed time is believed: a machine may be off for a night.
pub const GAP_MAX: Millis = DAY;
/// A clock so far behind the witnessed time is believed: clocks are put right in small steps. What
/// is stored and lies further in the future than this counts as not there.
pub const BACK_MAX: Millis = FUTURE_MAX;
/// The witnessed time moves on by at most this in a run of retention while it catches up.
pub const STEP: Millis = DAY;
/// Between two looks no more than this has passed, whatever a faulty timer says.
const ELAPSED_MAX: Millis = MINUTE;
/// When nothing has spoken for or against a clock for so long of running, the witnessed time goes
/// after it at twice its pace: a gym without any traffic must get rid of its old events too.
pub const PATIENCE: Millis = 7 * DAY;

/// The time that was witnessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    pub at: Millis,
    /// For how long a service has run while nothing spoke for or against a clock far ahead.
    pub unconfirmed: Millis,
    /// How much of the way to it nothing but the clock has told: its leaps, beyond the time that
    /// passed. Together they may be no longer than one leap.
    pub lead: Millis,
    /// What the clock said when it was first seen behind it; none while it is not. If the clock
    /// turns out to be right, it has been right since.
    pub behind_since: Option<Millis>,
}

/// What tells the time at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub clock: Millis,
    /// How long the process has run since the last look, by a timer that no clock moves.
    pub elapsed: Millis,
    /// When the newest event of any gym happened, as its sender wrote it.
    pub newest_event: Option<Millis>,
    /// How far the witnessed time may catch up with a clock that events confirm.
    pub step: Millis,
}

/// What the witnesses say of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on from the witnessed time.
    Agrees,
    /// It is far ahead of the witnessed time, and the senders confirm it: footfall was away.
    CatchesUp,
    /// It is far ahead, and nobody confirms it.
    Ahead,
    /// It is behind the witnessed time, and nobody confirms it.
    Behind,
}

impl Verdict {
    /// Whether what the clock says can be believed.
    pub fn is_good(self) -> bool {
        matches!(self, Verdict::Agrees | Verdict::CatchesUp)
    }
}

impl Witness {
    /// Where nothing was witnessed before: the clock, unless the newest event says another time.
    pub fn first(clock: Millis, newest_event: Option<Millis>) -> Witness {
        let at = newest_event.filter(|event| !confirms(*event, clock)).unwrap_or(clock);
        Witness { at, unconfirmed: 0, lead: 0, behind_since: None }
    }

    /// The next witness when a clock simply goes on from here, so that no other is needed. One that
    /// runs too fast, or leaps again and again, does not.
    pub fn going_on(self, clock: Millis, elapsed: Millis) -> Option<Witness> {
        if !self.is_near(clock) {
            return None;
        }
        let at = clock.max(self.at);
        let lead = (self.lead + at - self.at - elapsed.clamp(0, ELAPSED_MAX)).max(0);
        (lead <= GAP_MAX).then_some(Witness { lead, ..Witness::first(at, None) })
    }

    fn is_near(self, clock: Millis) -> bool {
        (self.at - BACK_MAX..=self.at.saturating_add(GAP_MAX)).contains(&clock)
    }

    /// What is witnessed after another look, and what is to be said of the clock.
    pub fn look(self, reading: Reading) -> (Witness, Verdict) {
        let Reading { clock, newest_event, step, .. } = reading;
        let elapsed = reading.elapsed.clamp(0, ELAPSED_MAX);
        let ticked = self.at.saturating_add(elapsed);
        if let Some(next) = self.going_on(clock, elapsed) {
            return (next, Verdict::Agrees);
        }
        let confirming = newest_event.filter(|event| confirms(*event, clock));
        // From here on only the way from the newest event to the clock is told by the clock alone.
        let lead = confirming.map_or(self.lead, |event| (clock - event).max(0));
        let after = |at| Witness { lead, ..Witness::first(at, None) };
        match (clock < self.at, confirming.is_some()) {
            (_, true) if self.is_near(clock) => (after(clock.max(self.at)), Verdict::Agrees),
            (true, true) => (after(clock), Verdict::Agrees),
            (true, false) => {
                let behind_since = Some(self.same_since(clock).unwrap_or(clock));
                (Witness { behind_since, ..after(ticked) }, Verdict::Behind)
            }
            (false, true) => (after(ticked.saturating_add(step).min(clock)), Verdict::CatchesUp),
            (false, false) => {
                // An event of about the witnessed time speaks against the clock.
                let is_denied = newest_event.is_some_and(|event| event > self.at - GAP_MAX);
                let unconfirmed = if is_denied { 0 } else { self.unconfirmed + elapsed };
                let extra = if unconfirmed > PATIENCE { elapsed } else { 0 };
                (Witness { unconfirmed, ..after(ticked + extra) }, Verdict::Ahead)
            }
        }
    }

    /// Until when retention may take it to be: never later than the clock says, and none while the
    /// clock cannot be believed.
    pub fn for_retention(self, verdict: Verdict, clock: Millis) -> Option<Millis> {
        let is_patient = verdict == Verdict::Ahead && self.unconfirmed > PATIENCE;
        (verdict.is_good() || is_patient).then_some(self.at.min(clock))
    }

    /// Whether what lies in the future was laid there by a clock that was ahead, as an event says
    /// that came since the clock is as it is now.
    pub fn was_ahead(self, clock: Millis, event: Millis) -> bool {
        self.same_since(clock).is_some_and(|since| event > since) && confirms(event, clock)
    }

    /// Since when a clock that was seen behind has been as it is now, as far back as events could
    /// confirm it: before that it may have been another wrong one.
    pub fn same_since(self, clock: Millis) -> Option<Millis> {
        self.behind_since.filter(|since| (clock - GAP_MAX..=clock).contains(since))
    }

    /// The time to write down where it decides what stays: the clock's if it can be believed, else
    /// what the witnesses know of.
    pub fn settled(self, verdict: Verdict, clock: Millis, newest_event: Option<Millis>) -> Millis {
        match verdict {
            Verdict::Agrees | Verdict::CatchesUp => clock,
            Verdict::Behind => self.at,
            Verdict::Ahead => newest_event.unwrap_or(self.at).max(self.at).min(clock),
        }
    }
}

/// Whether an event that happened then is about as new as events are when the clock is right.
fn confirms(event: Millis, clock: Millis) -> bool {
    (clock - GAP_MAX..=clock.saturating_add(FUTURE_MAX)).contains(&event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HOUR;

    const NOW: Millis = 20_000 * DAY;
    const YEAR: Millis = 365 * DAY;

    fn at(at: Millis) -> Witness {
        Witness { at, unconfirmed: 0, lead: 0, behind_since: None }
    }

    fn read(clock: Millis, newest_event: Option<Millis>) -> Reading {
        Reading { clock, elapsed: 10_000, newest_event, step: 0 }
    }

    #[test]
    fn a_clock_that_goes_on_is_believed_and_followed() {
        for clock in [NOW, NOW + 10_000, NOW + GAP_MAX] {
            let (next, verdict) = at(NOW).look(read(clock, None));
            assert_eq!((next.at, verdict), (clock, Verdict::Agrees));
        }
        // Put back by a little, it is believed, but nothing that was witnessed is forgotten.
        assert_eq!(at(NOW).look(read(NOW - MINUTE, None)), (at(NOW), Verdict::Agrees));
    }

    #[test]
    fn a_leap_moves_the_witnessed_time_no_faster_than_time_passes() {
        for newest in [None, Some(NOW), Some(NOW - YEAR), Some(NOW + 9 * YEAR)] {
            for leap in [2 * DAY, 30 * DAY, 3 * YEAR, Millis::MAX / 2] {
                let (mut witness, looks) = (at(NOW), 1_000);
                for _ in 0..looks {
                    let (next, verdict) = witness.look(read(NOW + leap, newest));
                    assert_eq!(verdict, Verdict::Ahead);
                    assert_eq!(next.for_retention(verdict, NOW + leap), None);
                    witness = next;
                }
                assert!(witness.at <= NOW + looks * 10_000, "{leap}");
            }
        }
    }

    #[test]
    fn a_clock_that_runs_fast_or_leaps_again_and_again_is_followed_for_a_day_at_most() {
        for (rate, elapsed) in [(2, 10_000), (50, 10_000), (8_000, 10_000), (1, 0)] {
            for newest in [None, Some(NOW), Some(NOW - YEAR)] {
                let (mut witness, mut clock, mut ran) = (at(NOW), NOW, 0);
                for _ in 0..10_000 {
                    clock += if elapsed == 0 { 23 * HOUR } else { elapsed * rate };
                    ran += elapsed;
                    (witness, _) = witness.look(Reading { elapsed, ..read(clock, newest) });
                    // From the newest event it may be another day.
                    assert!(witness.at <= NOW + ran + 2 * GAP_MAX, "rate {rate}, ran {ran}");
                }
            }
        }
    }

    #[test]
    fn a_clock_that_events_confirm_may_have_been_away_each_night() {
        let mut witness = at(NOW);
        for night in 1..100 {
            let clock = NOW + night * DAY;
            let (next, verdict) = witness.look(read(clock, Some(clock - 9 * HOUR)));
            assert_eq!((next.at, verdict), (clock, Verdict::Agrees), "night {night}");
            witness = next;
        }
    }

    #[test]
    fn a_clock_that_fell_back_is_believed_only_with_a_witness() {
        for back in [HOUR, 30 * DAY, 3 * YEAR, NOW] {
            let (witness, verdict) = at(NOW).look(read(NOW - back, Some(NOW - MINUTE)));
            assert_eq!((witness.at, verdict), (NOW + 10_000, Verdict::Behind), "{back}");
            assert_eq!(witness.for_retention(verdict, NOW - back), None);
            assert_eq!(witness.settled(verdict, NOW - back, None), NOW + 10_000);
        }
        let poisoned = at(NOW + 3 * YEAR);
        assert_eq!(poisoned.look(read(NOW, None)).1, Verdict::Behind);
        let right = Witness { lead: HOUR, ..at(NOW) };
        assert_eq!(poisoned.look(read(NOW, Some(NOW - HOUR))), (right, Verdict::Agrees));
    }

    #[test]
    fn a_clock_that_was_seen_behind_is_the_same_for_a_day_at_most() {
        let poisoned = at(NOW + 20 * HOUR);
        let (seen, verdict) = poisoned.look(read(NOW, None));
        assert_eq!((seen.same_since(NOW + HOUR), verdict), (Some(NOW), Verdict::Behind));
        assert!(seen.was_ahead(NOW + HOUR, NOW + MINUTE), "she came since");
        assert!(!seen.was_ahead(NOW + HOUR, NOW - MINUTE), "that was before");
        // Wrong in another way in between, it was not right since then.
        let (seen, _) = poisoned.look(read(DAY, None));
        let (seen, _) = seen.look(read(NOW, None));
        assert_eq!(seen.same_since(NOW + HOUR), Some(NOW));
        let (seen, _) = seen.look(read(NOW + HOUR, Some(NOW + HOUR)));
        assert_eq!(seen.behind_since, None);
    }

    #[test]
    fn after_an_outage_events_confirm_the_clock_and_it_catches_up_by_the_day() {
        let clock = NOW + 30 * DAY;
        let (mut witness, mut runs) = (at(NOW), 0);
        loop {
            let reading = Reading { step: STEP, ..read(clock, Some(clock - MINUTE)) };
            let (next, verdict) = witness.look(reading);
            assert!(verdict.is_good() && next.at <= witness.at + STEP + 10_000);
            assert_eq!(next.for_retention(verdict, clock), Some(next.at));
            (witness, runs) = (next, runs + 1);
            if witness.at == clock {
                break;
            }
        }
        assert!((29..=30).contains(&runs), "{runs}");
    }

    #[test]
    fn without_any_traffic_it_catches_up_in_the_end_at_twice_the_pace() {
        let (mut witness, mut clock, mut ran) = (at(NOW), NOW + 30 * DAY, 0);
        let mut verdict = Verdict::Ahead;
        while verdict != Verdict::Agrees {
            let reading = Reading { elapsed: MINUTE, ..read(clock, Some(NOW - 9 * DAY)) };
            (witness, verdict) = witness.look(reading);
            (clock, ran) = (clock + MINUTE, ran + MINUTE);
            let may = witness.for_retention(verdict, clock).is_some();
            assert_eq!(may, ran > PATIENCE, "after {ran} ms");
            assert!(witness.at <= NOW + 2 * ran, "after {ran} ms");
        }
        assert!(ran < PATIENCE + 31 * DAY);
    }

    #[test]
    fn no_timer_makes_years_pass_between_two_looks() {
        let leap = Reading { elapsed: 3 * YEAR, ..read(NOW + 3 * YEAR, None) };
        assert_eq!(at(NOW).look(leap).0.at, NOW + ELAPSED_MAX);
    }

    #[test]
    fn what_is_written_down_is_never_beyond_what_a_witness_knows() {
        let clock = NOW + 3 * YEAR;
        let settled = |newest| at(NOW).settled(Verdict::Ahead, clock, newest);
        assert_eq!(settled(None), NOW);
        assert_eq!(settled(Some(NOW + HOUR)), NOW + HOUR, "an event came since");
        assert_eq!(settled(Some(NOW + 9 * YEAR)), clock);
        assert_eq!(at(NOW).settled(Verdict::Agrees, NOW + HOUR, None), NOW + HOUR);
    }

    #[test]
    fn the_first_witness_is_the_clock_unless_events_say_another_time() {
        assert_eq!(Witness::first(NOW, None), at(NOW));
        assert_eq!(Witness::first(NOW, Some(NOW - HOUR)), at(NOW));
        assert_eq!(Witness::first(NOW + 3 * YEAR, Some(NOW)), at(NOW));
    }
}
