//! Activity: how many members are active, and how many began, returned and lapsed (model section 4,
//! activity).

use super::Series;
use crate::domain::activity::{ActivityCell, Window};
use crate::domain::calendar::Day;

/// The family `Activity`, as far as a report needs it, seen through one window.
#[derive(Debug)]
pub struct Activity {
    series: Series,
    window: Window,
    /// What is later has not begun.
    today: Day,
}

/// What happened over some local days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    pub new: i64,
    pub returned: i64,
    pub lapsed: i64,
}

impl Change {
    fn net(self) -> i64 {
        self.new + self.returned - self.lapsed
    }
}

impl Activity {
    pub fn by(window: Window, series: Series, today: Day) -> Activity {
        Activity { series, window, today }
    }

    /// How many are active on the last of the days `[from, until)` that has begun; none where none
    /// has. Their months must be in the series.
    pub fn active(&self, from: Day, until: Day) -> Option<i64> {
        let last = until.plus(-1).min(self.today);
        (from <= last).then(|| {
            let month = last.month();
            let cells = self.series.get(month.0);
            let carried = ActivityCell::Carried.cell(self.window, 0);
            let carried = cells.map_or(0, |cells| cells.get(carried));
            carried + self.change(month.first_day(), last.plus(1)).net()
        })
    }

    /// What happened on the days `[from, until)` that have begun.
    pub fn change(&self, from: Day, until: Day) -> Change {
        let mut change = Change::default();
        for day in (from.0..until.0.min(self.today.0 + 1)).map(Day) {
            let Some(cells) = self.series.get(day.month().0) else { continue };
            let of = |cell: ActivityCell, window| cells.get(cell.cell(window, day.day_of_month()));
            change.new += of(ActivityCell::New, Window::ALL[0]);
            change.returned += of(ActivityCell::Returned, self.window);
            change.lapsed += of(ActivityCell::Lapsed, self.window);
        }
        change
    }
}
