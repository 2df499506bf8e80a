//! Activity: from when to when a member counts as active, by windows of local days (model section
//! 4, activity).
//!
//! A visit makes its member active for the window's length, from its day on. The runs that come of
//! it, `[first day, last day + window)`, merged, begin with the member's first visit or a return, and
//! end with a lapse. So active members are a sum over members too.

use super::calendar::Day;
use super::tally::{Contributions, Family, Key};

/// The windows, in local days.
const WINDOWS: [i32; 3] = [7, 28, 91];

/// For how many local days a visit makes its member active: the place of that in [`WINDOWS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window(usize);

impl Window {
    pub const ALL: [Window; 3] = [Window(0), Window(1), Window(2)];
    /// 28 days.
    pub const DEFAULT: Window = Window(1);

    pub fn days(self) -> i32 {
        WINDOWS[self.0]
    }
}

/// What a cell of [`Family::Activity`] counts: on a day of the month, but for `Carried`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ActivityCell {
    /// Members whose first visit was then; the same in every window, kept with the first.
    New = 0,
    /// Members who were active again, not by their first visit.
    Returned = 1,
    /// Members whose last active day was the day before.
    Lapsed = 2,
    /// Members who were active on the day before the month began.
    Carried = 3,
}

impl ActivityCell {
    /// The cell of a window and a day of the month, 1 to 31; 0 of what is carried.
    pub fn cell(self, window: Window, day_of_month: u32) -> u32 {
        let window = u32::try_from(window.0).expect("there are three");
        day_of_month * 16 + window * 4 + self as u32
    }

    fn on(self, window: Window, day: Day) -> Key {
        let cell = self.cell(window, day.day_of_month());
        Key { family: Family::Activity, bucket: day.month().0, cell }
    }
}

/// Adds to `into`, `sign` times, what visits on these days, in order, count for beyond those of the
/// past, of which the last was on `past_last`.
pub(super) fn contribute(
    past_last: Option<Day>,
    visits: &[(Day, u32)],
    sign: i64,
    into: &mut Contributions,
) {
    for window in Window::ALL {
        let length = window.days();
        let runs = visits.chunk_by(|a, b| b.0 <= a.0.plus(length));
        for (place, run) in runs.enumerate() {
            let (first, end) = (run[0].0, run[run.len() - 1].0.plus(length));
            let lapse = past_last.map(|last| last.plus(length)).filter(|lapse| first <= *lapse);
            // A run that goes on from the past takes the lapse back that was counted there.
            if let Some(lapse) = lapse {
                into.push((ActivityCell::Lapsed.on(window, lapse), -sign));
            } else if past_last.is_some() || place > 0 {
                into.push((ActivityCell::Returned.on(window, first), sign));
            } else if window == Window::ALL[0] {
                into.push((ActivityCell::New.on(window, first), sign));
            }
            let since = lapse.unwrap_or(first);
            for month in since.month().0 + 1..=end.month().0 {
                let cell = ActivityCell::Carried.cell(window, 0);
                into.push((Key { family: Family::Activity, bucket: month, cell }, sign));
            }
            into.push((ActivityCell::Lapsed.on(window, end), sign));
        }
    }
}
