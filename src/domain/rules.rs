//! The rules of a gym: the four lengths of time that the fold of visits needs (model section 3).

use super::{MINUTE, Millis};

/// The longest `visit_window`, in minutes: one day.
pub const VISIT_WINDOW_MINUTES_MAX: u32 = 1_440;

/// Events are kept for so many months unless a gym says otherwise: two years, and one to look back.
pub const RETAIN_MONTHS_DEFAULT: u32 = 25;
/// The shortest time for which events can be kept, in months: absence and corrections need some.
pub const RETAIN_MONTHS_MIN: u32 = 3;
/// The longest, short of for ever.
pub const RETAIN_MONTHS_MAX: u32 = 240;

/// Why events cannot be kept for so many months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "events are kept for {RETAIN_MONTHS_MIN} to {RETAIN_MONTHS_MAX} months or for ever, not for {0} \
     months"
)]
pub struct BadRetention(u32);

/// Checks for how many months events are to be kept.
pub fn retain_months(months: u32) -> Result<u32, BadRetention> {
    let is_good = (RETAIN_MONTHS_MIN..=RETAIN_MONTHS_MAX).contains(&months);
    if is_good { Ok(months) } else { Err(BadRetention(months)) }
}

/// A gym's rules, in whole minutes. A change of rules is a rebuild of that gym.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// An event later than this after a visit's entry is not part of that visit.
    visit_window: u32,
    /// With no check-out: presence assumed after the last door event.
    assumed_stay: u32,
    /// With no check-out: presence assumed after the last equipment check-in.
    assumed_tail: u32,
    /// A check-in this soon after the visit's last door event continues the visit.
    rejoin_grace: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { visit_window: 480, assumed_stay: 75, assumed_tail: 20, rejoin_grace: 15 }
    }
}

/// Why four numbers are not rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRules {
    #[error("visit_window is 1 to {VISIT_WINDOW_MINUTES_MAX} minutes, not {0}")]
    Window(u32),
    #[error("{name} may be at most visit_window ({window} minutes), not {minutes}")]
    OverWindow { name: &'static str, minutes: u32, window: u32 },
}

impl Rules {
    /// Checks four lengths in minutes: all of them at most `visit_window`.
    pub fn new(
        visit_window: u32,
        assumed_stay: u32,
        assumed_tail: u32,
        rejoin_grace: u32,
    ) -> Result<Rules, BadRules> {
        if !(1..=VISIT_WINDOW_MINUTES_MAX).contains(&visit_window) {
            return Err(BadRules::Window(visit_window));
        }
        let parts = [
            ("assumed_stay", assumed_stay),
            ("assumed_tail", assumed_tail),
            ("rejoin_grace", rejoin_grace),
        ];
        for (name, minutes) in parts {
            if minutes > visit_window {
                return Err(BadRules::OverWindow { name, minutes, window: visit_window });
            }
        }
        Ok(Rules { visit_window, assumed_stay, assumed_tail, rejoin_grace })
    }

    /// The four lengths in minutes: window, stay, tail, grace.
    pub fn minutes(&self) -> [u32; 4] {
        [self.visit_window, self.assumed_stay, self.assumed_tail, self.rejoin_grace]
    }

    pub fn visit_window(&self) -> Millis {
        Millis::from(self.visit_window) * MINUTE
    }

    pub fn assumed_stay(&self) -> Millis {
        Millis::from(self.assumed_stay) * MINUTE
    }

    pub fn assumed_tail(&self) -> Millis {
        Millis::from(self.assumed_tail) * MINUTE
    }

    pub fn rejoin_grace(&self) -> Millis {
        Millis::from(self.rejoin_grace) * MINUTE
    }
}
