//! What is shown of each report: which list is its table, which column its bars, which totals.

use super::table::Cell::{
    self, Decimal, Hour, Minutes, Moment, Month, Percent, Start, Weekday, Whole,
};

/// How one report is shown.
pub struct View {
    pub name: &'static str,
    /// The list of the answer that is the table: its rows.
    pub list: &'static str,
    /// What the bars show: a column.
    pub bars: &'static str,
    /// The columns of the table, by their place in a row.
    pub columns: &'static [(&'static str, Cell)],
    /// The totals that are told, by their place.
    pub totals: &'static [(&'static str, Cell)],
}

impl View {
    /// The columns of the table, when groups are named by what they are grouped by.
    pub fn columns(&self, group_by: Option<&str>) -> Vec<(&'static str, Cell)> {
        let key = match group_by {
            Some("weekday") => Weekday,
            Some("hour") => Hour,
            _ => Whole,
        };
        let columns = self.columns.iter();
        columns.map(|&(place, cell)| (place, if place == "/key" { key } else { cell })).collect()
    }
}

pub const VIEWS: [View; 10] = [
    View {
        name: "occupancy",
        list: "buckets",
        bars: "/average",
        columns: &[
            ("/start", Start),
            ("/average", Decimal),
            ("/peak", Whole),
            ("/peak_at", Moment),
            ("/low", Whole),
        ],
        totals: &[("/average", Decimal), ("/peak", Whole), ("/peak_at", Moment), ("/low", Whole)],
    },
    View {
        name: "visits",
        list: "buckets",
        bars: "/visits",
        columns: &[
            ("/start", Start),
            ("/visits", Whole),
            ("/departures", Whole),
            ("/entered_by/checkin", Whole),
            ("/entered_by/equipment", Whole),
            ("/ended_by/checkout", Whole),
            ("/ended_by/assumed", Whole),
            ("/ended_by/window", Whole),
            ("/ended_by/next_visit", Whole),
            ("/ended_by/erasure", Whole),
        ],
        totals: &[("/visits", Whole), ("/departures", Whole)],
    },
    View {
        name: "members",
        list: "buckets",
        bars: "/members",
        columns: &[("/start", Start), ("/members", Whole), ("/new", Whole)],
        totals: &[
            ("/members", Whole),
            ("/new", Whole),
            ("/visits_per_week/1", Whole),
            ("/visits_per_week/2", Whole),
            ("/visits_per_week/3", Whole),
            ("/visits_per_week/4", Whole),
            ("/visits_per_week/5+", Whole),
        ],
    },
    View {
        name: "activity",
        list: "buckets",
        bars: "/active",
        columns: &[
            ("/start", Start),
            ("/active", Whole),
            ("/new", Whole),
            ("/returned", Whole),
            ("/lapsed", Whole),
        ],
        totals: &[("/active", Whole), ("/new", Whole), ("/returned", Whole), ("/lapsed", Whole)],
    },
    View {
        name: "durations",
        list: "groups",
        bars: "/histogram",
        columns: &[
            ("/key", Whole),
            ("/visits", Whole),
            ("/observed", Whole),
            ("/mean_minutes", Minutes),
            ("/median_minutes", Minutes),
            ("/p10_minutes", Minutes),
            ("/p90_minutes", Minutes),
        ],
        totals: &[("/visits", Whole), ("/observed", Whole)],
    },
    View {
        name: "equipment",
        list: "buckets",
        bars: "/checkins",
        columns: &[
            ("/start", Start),
            ("/checkins", Whole),
            ("/visits", Whole),
            ("/visits_with_equipment", Whole),
            ("/share_with_equipment", Percent),
        ],
        totals: &[
            ("/checkins", Whole),
            ("/visits_with_equipment", Whole),
            ("/share_with_equipment", Percent),
            ("/first_checkin_minutes/median", Minutes),
            ("/first_checkin_minutes/p90", Minutes),
        ],
    },
    View {
        name: "popular-times",
        list: "cells",
        bars: "",
        columns: &[
            ("/weekday", Weekday),
            ("/hour", Hour),
            ("/average", Decimal),
            ("/peak", Decimal),
            ("/hours", Whole),
        ],
        totals: &[],
    },
    View {
        name: "retention",
        list: "cohorts",
        bars: "",
        columns: &[("/month", Month), ("/size", Whole)],
        totals: &[("/size", Whole)],
    },
    View {
        name: "onboarding",
        list: "buckets",
        bars: "/completed",
        columns: &[("/start", Start), ("/completed", Whole)],
        totals: &[
            ("/completed", Whole),
            ("/median_days", Whole),
            ("/new_members", Whole),
            ("/completed_within_30_days", Whole),
            ("/share_within_30_days", Percent),
        ],
    },
    View {
        name: "quality",
        list: "buckets",
        bars: "/late_events",
        columns: &[
            ("/start", Start),
            ("/duplicates", Whole),
            ("/repeat_swipes", Whole),
            ("/orphan_checkouts", Whole),
            ("/doors_missed", Whole),
            ("/without_checkout", Whole),
            ("/quarantined", Whole),
            ("/unknown_types", Whole),
            ("/late_events", Whole),
        ],
        totals: &[
            ("/duplicates", Whole),
            ("/repeat_swipes", Whole),
            ("/orphan_checkouts", Whole),
            ("/doors_missed", Whole),
            ("/without_checkout", Whole),
            ("/quarantined", Whole),
            ("/unknown_types", Whole),
            ("/late_events", Whole),
        ],
    },
];
