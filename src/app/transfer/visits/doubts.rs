//! What a list leaves open: refused before the first row, with the word that decides it.

use anyhow::bail;

use super::dates::Dates;
use super::mapping::{Column, Layout, Mapping, known};
use super::text::{self, Row};
use super::times::{self, Moment};
use super::{dates, words};

/// So many rows show what a column holds.
const SHOWN_ROWS: usize = 1_000;

/// A list, and what was said about it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub text: &'a str,
    pub layout: &'a Layout,
    pub mapping: &'a Mapping,
}

/// The rows below the header.
fn rows<'a>(text: &'a str, layout: &'a Layout) -> impl Iterator<Item = Row<'a>> {
    let rows = text::rows(text, layout.delimiter).filter(|row| row.line > layout.header_line);
    rows.filter(|row| !row.is_empty() && !layout.is_header(row))
}

/// Whether the column that by its name has the direction may say in or out: one that can have
/// nothing else, or one whose rows say so in words that we know, or in a letter or a digit.
pub fn may_say_in_or_out(text: &str, layout: &Layout) -> bool {
    let Some(column) = layout.columns.direction else { return false };
    if known(&layout.header, words::SURE_DIRECTION) == Some(column) {
        return true;
    }
    let mut signs = Vec::new();
    let mut are_signs = true;
    for row in rows(text, layout) {
        let cell = row.cell(column);
        if words::is_entry(cell).is_some() {
            return true;
        }
        are_signs &= cell.chars().count() == 1;
        if are_signs && !signs.contains(&cell.to_owned()) {
            signs.push(cell.to_owned());
        }
    }
    are_signs && signs.len() > 1
}

/// The column that by its name says whether somebody was let in.
pub fn result_column(layout: &Layout) -> Option<usize> {
    known(&layout.header, words::RESULT)
}

impl Asked<'_> {
    pub fn dates(&self) -> Dates {
        if let Some(order) = self.mapping.date_order {
            return Dates::said(order);
        }
        let columns = &self.layout.columns;
        let columns = [Some(columns.entered), columns.left, columns.date, columns.left_date];
        let columns: Vec<usize> = columns.into_iter().flatten().collect();
        let mut cells = rows(self.text, self.layout).flat_map(|mut row| {
            let cell = |column: &usize| row.cells.get_mut(*column).map(std::mem::take);
            columns.iter().filter_map(cell).collect::<Vec<_>>()
        });
        Dates::shown(&mut cells)
    }

    pub fn refuse_doubts(&self, all_rows: bool, is_utc: bool) -> anyhow::Result<()> {
        self.refuse_columns_that_are_not_one()?;
        if !all_rows {
            self.refuse_several_gyms()?;
        }
        if !is_utc {
            self.refuse_names_with_a_zone()?;
        }
        self.refuse_unused_columns()
    }

    fn shown(&self) -> impl Iterator<Item = Row<'_>> {
        rows(self.text, self.layout).take(SHOWN_ROWS)
    }

    /// A column that nothing has, or that two have, would silently be empty, or another.
    fn refuse_columns_that_are_not_one(&self) -> anyhow::Result<()> {
        let width = self.shown().map(|row| row.cells.len()).max().unwrap_or(0);
        let width = width.max(self.layout.header.len());
        for column in self.mapping.named() {
            match column {
                Column::Number(number) if *number > width && width > 0 => {
                    bail!("the mapping has a column {number}, and the list {width} columns");
                }
                Column::Name(name) => {
                    let alike = self.layout.header.iter().filter(|known| *known == name.trim());
                    if alike.count() > 1 {
                        bail!("two columns are called {name:?}; say which one by its number");
                    }
                }
                Column::Number(_) => {}
            }
        }
        Ok(())
    }

    /// Several gyms in one list would silently become one.
    fn refuse_several_gyms(&self) -> anyhow::Result<()> {
        let layout = self.layout;
        let column = layout.likely_gym().filter(|_| layout.columns.gym.is_none());
        let Some(column) = column else { return Ok(()) };
        let named = rows(self.text, layout).map(|row| words::plain(row.cell(column)));
        let mut named = named.filter(|gym| !gym.is_empty());
        let first = named.next();
        if named.any(|gym| Some(gym) != first) {
            bail!(
                "the column {0:?} seems to name several gyms: --gym-column {0:?} divides the rows, \
                 or picks those of --gym; --all-rows takes all of them for its",
                layout.name(column)
            );
        }
        Ok(())
    }

    /// `Check-in (UTC)` would silently be read by the gym's clock.
    fn refuse_names_with_a_zone(&self) -> anyhow::Result<()> {
        if self.mapping.time_zone.is_some() {
            return Ok(());
        }
        let columns = &self.layout.columns;
        for column in [Some(columns.entered), columns.left].into_iter().flatten() {
            let name = self.layout.name(column);
            let mut said = name.split(|c: char| !c.is_alphanumeric()).map(words::folded);
            let is_zoned = said.any(|word| matches!(word.as_str(), "utc" | "gmt"));
            let mut cells = self.shown().map(|row| moment(row.cell(column)));
            if is_zoned
                && cells.any(|cell| matches!(cell, Some(Moment::Local(_) | Moment::Time(_))))
            {
                bail!(
                    "the column {name:?} says whose clock it is: say it in the mapping too, \
                     `time_zone = \"UTC\"` for example"
                );
            }
        }
        Ok(())
    }

    /// When only the entry is known, another column with times would silently mean nothing; so would
    /// one with in and out that is not the direction.
    fn refuse_unused_columns(&self) -> anyhow::Result<()> {
        let columns = &self.layout.columns;
        if self.mapping.entered.is_some() || columns.direction.is_some() {
            return Ok(());
        }
        let ends = [columns.left, columns.left_date, columns.duration];
        let is_end_known = ends.iter().any(Option::is_some);
        let used = [Some(columns.account), Some(columns.entered), columns.date, columns.gym];
        let used = [used.as_slice(), &ends].concat();
        let unused = (0..self.layout.header.len()).filter(|place| !used.contains(&Some(*place)));
        for column in unused {
            let name = self.layout.name(column);
            let holds_times = |row: &Row<'_>| is_time(row.cell(column));
            let (times, rows) = self.shown().fold((0, 0), |(times, rows), row| {
                (times + usize::from(holds_times(&row)), rows + 1)
            });
            if !is_end_known && times * 2 >= rows && times > 0 {
                bail!(
                    "the column {name:?} holds times, and its name does not say which: a mapping \
                     says it, `left = {name:?}` for example, or only `entered = {0:?}` where it \
                     means nothing",
                    self.layout.name(columns.entered)
                );
            }
            let said = self.shown().filter_map(|row| words::is_entry(row.cell(column)));
            let said: Vec<bool> = said.collect();
            if said.contains(&true) && said.contains(&false) {
                bail!(
                    "the column {name:?} seems to say in or out: `direction = {name:?}` in the \
                     mapping makes it so, or only `entered = {0:?}` where it means nothing",
                    self.layout.name(columns.entered)
                );
            }
        }
        Ok(())
    }
}

pub fn moment(cell: &str) -> Option<Moment> {
    // In any order: that it is a time is all that is asked.
    dates::ORDERS.iter().find_map(|order| times::parse(cell, &[*order]).ok())
}

fn is_time(cell: &str) -> bool {
    cell.contains(':') && !matches!(moment(cell), None | Some(Moment::Date(_)))
}
