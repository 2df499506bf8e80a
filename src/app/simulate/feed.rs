//! Deliveries one after the other, each when it is time: generated a day ahead, so that neither a
//! year nor live traffic without an end has to fit into memory. What becomes of them is not known
//! here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, sleep, sleep_until};

use super::traffic::{Delivery, LATENESS_MAX, Plan, deliveries};
use crate::domain::{DAY, Millis};

/// The wall clock is asked again after this, in case somebody set it meanwhile.
const NAP: Duration = Duration::from_secs(30);
/// A year of the simulated clock: no wait is longer, however slow it is asked to go.
const WAIT_SECONDS_MAX: f64 = 31_536_000.0;

/// How fast the simulated clock goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as deliveries are answered.
    Max,
    /// So many seconds in one: 1 is real speed.
    Times(f64),
}

impl std::str::FromStr for Speed {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Speed> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Speed::Max),
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
            _ => bail!("say `max`, or a factor above 0: 1 is real speed, 60 a minute in a second"),
        }
    }
}

/// When a delivery may go. The simulated clock shows `from` when the pace is made, and is never
/// ahead of the wall clock.
pub struct Pace {
    began: Instant,
    from: Millis,
    until: Millis,
    speed: Speed,
    now: fn() -> Millis,
    left_out: AtomicU64,
}

impl Pace {
    /// `now` is the wall clock.
    pub fn start(from: Millis, until: Millis, speed: Speed, now: fn() -> Millis) -> Pace {
        Pace { began: Instant::now(), from, until, speed, now, left_out: AtomicU64::new(0) }
    }

    /// Deliveries that were not due yet when the simulated clock reached its end.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Holds each delivery back until it is due.
    pub fn hold(&self, all: impl Iterator<Item = Delivery>) -> impl Stream<Item = Delivery> {
        stream::iter(all).filter_map(async |delivery| {
            let is_due = self.wait_for(delivery.due).await;
            if !is_due {
                self.left_out.fetch_add(1, Ordering::Relaxed);
            }
            is_due.then_some(delivery)
        })
    }

    /// Returns when it is time; false when the end comes first. What is due after the end but past
    /// by the wall clock goes at once.
    async fn wait_for(&self, due: Millis) -> bool {
        if due > self.until {
            return due <= (self.now)();
        }
        if let Speed::Times(times) = self.speed {
            let seconds = Duration::from_millis(due.abs_diff(self.from)).as_secs_f64() / times;
            let wait = Duration::from_secs_f64(seconds.min(WAIT_SECONDS_MAX));
            sleep_until(self.began + wait).await;
        }
        loop {
            let ahead = due - (self.now)();
            match u64::try_from(ahead) {
                Ok(ahead) if ahead > 0 => sleep(NAP.min(Duration::from_millis(ahead))).await,
                Ok(_) | Err(_) => return true,
            }
        }
    }
}

/// The deliveries of a plan in the order in which they are due.
pub fn feed(plan: Plan) -> impl Iterator<Item = Delivery> {
    let mut generated = plan.from;
    let mut pending = BinaryHeap::new();
    iter::from_fn(move || {
        // Whatever happens later is due later, so what is due before `generated` is known.
        let is_sure = |next: &Reverse<Delivery>| next.0.due < generated;
        let mut is_known = pending.peek().is_some_and(is_sure);
        while !is_known && generated < plan.until && plan.members > 0 {
            let until = plan.until.min(generated.saturating_add(DAY));
            let window = Plan { from: generated, until, ..plan.clone() };
            pending.extend(deliveries(&window).into_iter().map(Reverse));
            generated = until;
            is_known = pending.peek().is_some_and(|next| next.0.due < generated);
        }
        pending.pop().map(|Reverse(delivery)| delivery)
    })
}

/// Deliveries that are due from `from` on, without an end: also late ones of what happened before.
pub fn live_feed(plan: &Plan, from: Millis) -> impl Iterator<Item = Delivery> + use<> {
    let plan = Plan { from: from - LATENESS_MAX, until: Millis::MAX, ..plan.clone() };
    feed(plan).skip_while(move |delivery| delivery.due < from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: Plan = Plan {
        seed: 1,
        zone: chrono_tz::Europe::Berlin,
        members: 30,
        from: 1_767_225_600_000,
        until: 1_767_225_600_000 + 7 * DAY,
        leavers_deleted: true,
    };

    #[test]
    fn a_feed_is_all_deliveries_in_order() {
        assert!(feed(WEEK).eq(deliveries(&WEEK)));
        assert_eq!(feed(Plan { members: 0, until: Millis::MAX, ..WEEK }).next(), None);
        assert_eq!(feed(Plan { until: WEEK.from, ..WEEK }).next(), None);
    }

    #[test]
    fn live_traffic_goes_on_where_a_range_had_to_stop() {
        let middle = WEEK.from + 3 * DAY + DAY / 2;
        let history = feed(Plan { from: WEEK.from - 30 * DAY, until: middle, ..WEEK });
        let history: Vec<_> = history.filter(|delivery| delivery.due < middle).collect();
        let live = live_feed(&WEEK, middle).take_while(|delivery| delivery.due < WEEK.until);
        let whole = feed(Plan { from: WEEK.from - 30 * DAY, ..WEEK });
        let whole: Vec<_> = whole.filter(|delivery| delivery.due < WEEK.until).collect();
        assert!(history.iter().copied().chain(live).eq(whole));
    }

    #[test]
    fn a_speed_is_max_or_a_factor() {
        assert_eq!("max".parse::<Speed>().unwrap(), Speed::Max);
        assert_eq!("3600".parse::<Speed>().unwrap(), Speed::Times(3_600.0));
        for text in ["", "0", "-1", "inf", "NaN", "fast"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn the_simulated_clock_keeps_its_pace() {
        let began = Instant::now();
        let pace = Pace::start(0, 1_000_000, Speed::Times(10_000.0), || 2_000_000);
        assert!(pace.wait_for(500_000).await);
        assert!(began.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn nothing_goes_before_it_is_due_by_the_wall_clock() {
        let now: fn() -> Millis = crate::clock::now;
        let due = now() + 40;
        assert!(Pace::start(0, Millis::MAX, Speed::Max, now).wait_for(due).await);
        assert!(now() >= due);
    }

    #[tokio::test]
    async fn what_is_due_after_the_end_goes_if_it_is_past_and_else_is_left_out() {
        let pace = Pace::start(0, 500, Speed::Max, || 1_000);
        let account = uuid::Uuid::nil();
        let all = [400, 900, 2_000].map(|due| Delivery { due, at: 0, account, kind: "TEST" });
        let held = pace.hold(all.into_iter()).map(|delivery| delivery.due);
        assert_eq!(held.collect::<Vec<_>>().await, [400, 900]);
        assert_eq!(pace.left_out(), 1);
    }
}
