//! The popular-times report (model section 4, popular times).

use serde::Serialize;

use super::{Ask, Parts};
use crate::domain::report::popular_times::Cell;
use crate::http::problem::Problem;
use crate::projection::read;

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PopularTimesRows)]
pub struct Rows {
    cells: Vec<Row>,
    totals: Totals,
}

impl Rows {
    pub fn parts(&self) -> Parts<'_> {
        Parts::of(&self.cells, &self.totals)
    }
}

/// One hour of the week.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PopularTimesCell)]
struct Row {
    /// 1 = Monday to 7.
    weekday: u32,
    /// 0 to 23, on the gym's clock.
    hour: u32,
    /// The mean of the hours' averages.
    #[schema(required)]
    average: Option<f64>,
    /// The mean of the hours' peaks.
    #[schema(required)]
    peak: Option<f64>,
    /// How many such hours of the range have passed.
    hours: usize,
}

/// Nothing here is a sum.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PopularTimesTotals)]
struct Totals {}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let cells = read::popular_times(ask.snapshot, ask.gym, ask.range(), ask.question.now)?;
    Ok(Rows { cells: cells.iter().map(row).collect(), totals: Totals {} })
}

fn row(cell: &Cell) -> Row {
    Row {
        weekday: cell.weekday,
        hour: cell.hour,
        average: cell.usual.map(|usual| usual.average),
        peak: cell.usual.map(|usual| usual.peak),
        hours: cell.hours,
    }
}
