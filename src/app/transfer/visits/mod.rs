//! A club system's list of visits, or a terminal's list of swipes, as some program wrote it.
//!
//! What leaves no doubt is read as it is; what could mean two things is refused with the word that
//! decides it. No error quotes a cell of a member.

mod accounts;
mod dates;
mod doubts;
mod entry;
mod lengths;
mod mapping;
mod swipes;
mod text;
mod times;
mod words;

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, bail};
use chrono_tz::Tz;

use accounts::Accounts;
use dates::Dates;
use doubts::Asked;
use mapping::{Layout, Mapping};
use swipes::{Place, Swipe};
use text::{ROW_BYTES_MAX, Row};

pub use mapping::ListArgs;
pub use text::decode;

use crate::domain::Millis;
use crate::domain::event::{Event, Kind};
use crate::domain::ids::{Account, Slug};
use crate::intake::egym::in_time;
use crate::store::Gym;

/// The end of a visit that ended in the minute, or before the second, in which it began: as soon
/// after it as can be told apart.
const SHORTEST_VISIT: Millis = 1;

/// A gym whose visits a list may have.
struct ListedGym {
    slug: Slug,
    name: String,
    zone: Tz,
}

/// A list that can be read.
pub struct Visits {
    text: String,
    layout: Layout,
    mapping: Mapping,
    dates: Dates,
    /// Accounts by the club's numbers; none when the list has accounts itself.
    accounts: Option<Accounts>,
    gyms: Vec<ListedGym>,
    /// The gym that was named.
    gym: Option<usize>,
}

/// A line of a file, as it stands there.
#[derive(Clone, Copy)]
pub struct Line<'t> {
    pub number: u64,
    pub text: &'t str,
}

/// What a row says.
enum Found {
    Visit {
        gym: usize,
        account: Account,
        entered: Millis,
        left: Option<Millis>,
    },
    Swipe(Swipe),
    /// It is of a gym that was not asked for.
    Elsewhere,
    /// It is no row: empty, a header, a total.
    Nothing,
}

impl Visits {
    /// Reads the list, and all that is said about it.
    pub fn open(path: &Path, args: &ListArgs, gyms: Vec<Gym>) -> anyhow::Result<Visits> {
        let mapping = Mapping::read(args)?;
        let zone = mapping.time_zone.as_deref().map(parse_zone).transpose()?;
        let gyms: Vec<ListedGym> = gyms
            .into_iter()
            .map(|gym| ListedGym {
                slug: gym.slug,
                name: gym.settings.name,
                zone: zone.unwrap_or(gym.settings.zone),
            })
            .collect();
        let gym = args.gym.as_ref();
        let gym = gym.and_then(|slug| gyms.iter().position(|gym| gym.slug.as_str() == slug));
        let text = text::read(path)?;
        let mut layout = Layout::find(&text, &mapping, path)?;
        if layout.columns.gym.is_none() && gym.is_none() {
            bail!("say whose visits they are: --gym, or --gym-column for a list of several gyms");
        }
        if mapping.only.is_some() && (gym.is_none() || layout.columns.gym.is_none()) {
            bail!("--only needs --gym-column, and --gym for the gym that it is");
        }
        if mapping.direction.is_none() && !doubts::may_say_in_or_out(&text, &layout) {
            layout.columns.direction = None;
        }
        let asked = Asked { text: &text, layout: &layout, mapping: &mapping };
        asked.refuse_doubts(args.all_rows, gyms.iter().all(|gym| gym.zone == Tz::UTC))?;
        let accounts = mapping.accounts.as_deref().map(Accounts::read).transpose()?;
        let dates = asked.dates();
        let visits = Visits { text, layout, mapping, dates, accounts, gyms, gym };
        visits.refuse_without_times()?;
        Ok(visits)
    }

    /// The line of the header, and what stands between columns.
    pub fn header(&self) -> (&str, char) {
        (&self.layout.header_text, self.layout.delimiter)
    }

    /// Hands over the events of each row, with its line, or what is wrong with it. Returns how many
    /// rows were of gyms that were not asked for.
    pub fn each(
        &self,
        now: Millis,
        mut each: impl FnMut(Line<'_>, Result<Vec<(&Slug, Event)>, String>) -> anyhow::Result<()>,
    ) -> anyhow::Result<u64> {
        let exits = self.exits_after_entry();
        let mut elsewhere = 0;
        for (row, found) in self.rows() {
            let line = Line { number: row.line, text: row.text };
            match found {
                Ok(Found::Nothing) => {}
                Ok(Found::Elsewhere) => elsewhere += 1,
                Ok(found) => each(line, self.events(&found, &exits, now))?,
                Err(error) => each(line, Err(error))?,
            }
        }
        Ok(elsewhere)
    }

    fn rows(&self) -> impl Iterator<Item = (Row<'_>, Result<Found, String>)> {
        let rows = text::rows(&self.text, self.layout.delimiter);
        let rows = rows.filter(|row| row.line > self.layout.header_line);
        let mut has_begun = !self.layout.header.is_empty();
        let rows = rows.filter(move |row| {
            has_begun = has_begun || self.has_time(row);
            has_begun
        });
        rows.map(|row| {
            let found = self.found(&row);
            (row, found)
        })
    }

    /// Without a header, titles end where the first row has a time, whatever else is wrong with it.
    fn has_time(&self, row: &Row<'_>) -> bool {
        let columns = &self.layout.columns;
        doubts::moment(row.cell(columns.entered)).is_some()
            || self.moment(row, columns.entered, columns.date).is_ok()
    }

    fn refuse_without_times(&self) -> anyhow::Result<()> {
        let mut rows = text::rows(&self.text, self.layout.delimiter);
        if !self.layout.header.is_empty() || rows.any(|row| self.has_time(&row)) {
            return Ok(());
        }
        bail!(
            "no row has a time in {}; `entered` in the mapping says where it stands, `format` how it \
             is written",
            self.layout.name(self.layout.columns.entered)
        )
    }

    fn exits_after_entry(&self) -> HashSet<Place> {
        if self.layout.columns.direction.is_none() {
            return HashSet::new();
        }
        let swipes = self.rows().filter_map(|(_, found)| match found {
            Ok(Found::Swipe(swipe)) => Some(swipe),
            Ok(Found::Visit { .. } | Found::Elsewhere | Found::Nothing) | Err(_) => None,
        });
        swipes::exits_after_entry(swipes.collect())
    }

    fn found(&self, row: &Row<'_>) -> Result<Found, String> {
        if row.cells.is_empty() {
            return Err(format!("it is longer than {} KiB", ROW_BYTES_MAX >> 10));
        }
        if row.is_empty() || self.layout.is_header(row) || is_rule(row) {
            return Ok(Found::Nothing);
        }
        let Some(gym) = self.gym_of(row)? else { return Ok(Found::Elsewhere) };
        let entered = match self.entered(row, self.gyms[gym].zone) {
            Ok(entered) => entered,
            Err(_) if self.is_remark(row) => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        let account = self.account(row.cell(self.layout.columns.account))?;
        self.was_let_in(row)?;
        if let Some(column) = self.layout.columns.direction {
            let is_entry = self.is_entry(column, row.cell(column))?;
            return Ok(Found::Swipe(Swipe { gym, account, at: entered, is_entry }));
        }
        let left = self.left(row, entered, self.gyms[gym].zone)?;
        Ok(Found::Visit { gym, account, entered, left })
    }

    fn events(
        &self,
        found: &Found,
        exits: &HashSet<Place>,
        now: Millis,
    ) -> Result<Vec<(&Slug, Event)>, String> {
        let (gym, account, times) = match *found {
            Found::Visit { gym, account, entered, left } => {
                let left = left.map(|left| (left, Kind::Checkout));
                (gym, account, [Some((entered, Kind::Checkin)), left])
            }
            Found::Swipe(Swipe { gym, account, at, is_entry: true }) => {
                (gym, account, [Some((at, Kind::Checkin)), None])
            }
            Found::Swipe(Swipe { gym, account, at, is_entry: false }) => {
                let follows = exits.contains(&(gym, account, at));
                let at = if follows { at + SHORTEST_VISIT } else { at };
                (gym, account, [Some((at, Kind::Checkout)), None])
            }
            Found::Elsewhere | Found::Nothing => return Ok(vec![]),
        };
        let slug = &self.gyms[gym].slug;
        let events = times.into_iter().flatten().map(|(at, kind)| {
            in_time(at, now).map_err(|unfit| unfit.to_string())?;
            Ok((slug, Event { account, at, kind, extra: None }))
        });
        events.collect()
    }

    /// The gym of a row; none when it is not the one that was asked for.
    fn gym_of(&self, row: &Row<'_>) -> Result<Option<usize>, String> {
        let Some(column) = self.layout.columns.gym else { return Ok(self.gym) };
        let said = row.cell(column);
        if let Some(only) = &self.mapping.only {
            return Ok(self.gym.filter(|_| words::plain(only) == words::plain(said)));
        }
        let slug = self.mapping.gyms.get(said).map_or(said, String::as_str);
        let is_it = |gym: &ListedGym| {
            gym.slug.as_str() == slug.to_lowercase()
                || words::plain(&gym.name) == words::plain(said)
        };
        let found = self.gyms.iter().position(is_it);
        match (self.gym, found) {
            (Some(asked), found) => Ok(Some(asked).filter(|_| found == Some(asked))),
            (None, Some(found)) => Ok(Some(found)),
            (None, None) if self.is_remark(row) => Ok(None),
            (None, None) => Err(format!(
                "its {:?} is no gym here; `[gyms]` in the mapping says which one it is, or --only \
                 takes the rows of one",
                self.layout.name(column)
            )),
        }
    }

    /// Never quotes what it cannot read: that may be a person's number.
    fn account(&self, text: &str) -> Result<Account, String> {
        let name = self.layout.name(self.layout.columns.account);
        match &self.accounts {
            Some(accounts) => {
                accounts.find(text).ok_or_else(|| format!("its {name:?} is not in `accounts`"))
            }
            None => accounts::account(text).ok_or_else(|| {
                format!(
                    "its {name:?} is not a UUID; if it is the club's own number, --accounts, or \
                     `accounts` in the mapping, names a list of whose it is"
                )
            }),
        }
    }

    /// Who was turned away at the door did not come.
    fn was_let_in(&self, row: &Row<'_>) -> Result<(), String> {
        let columns = &self.layout.columns;
        match doubts::result_column(&self.layout) {
            Some(column) if Some(column) == columns.direction => Ok(()),
            Some(column) if words::is_refusal(row.cell(column)) => {
                Err(format!("its {:?} says that nobody was let in", self.layout.name(column)))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A total, a page's number and the like, which is of no member.
    fn is_remark(&self, row: &Row<'_>) -> bool {
        let first = row.cells.iter().find(|cell| !cell.is_empty());
        let entered = row.cell(self.layout.columns.entered);
        let says_nothing = !entered.contains(char::is_alphabetic) || words::is_remark(entered);
        first.is_some_and(|cell| words::is_remark(cell))
            && says_nothing
            && self.account(row.cell(self.layout.columns.account)).is_err()
    }

    fn is_entry(&self, column: usize, text: &str) -> Result<bool, String> {
        let is_among = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
        let Mapping { entries, exits, .. } = &self.mapping;
        match (is_among(entries), is_among(exits)) {
            (true, false) => return Ok(true),
            (false, true) => return Ok(false),
            (true, true) | (false, false) => {}
        }
        words::is_entry(text).ok_or_else(|| {
            format!(
                "its {:?} says neither in nor out; `in` and `out` in the mapping list what does",
                self.layout.name(column)
            )
        })
    }
}

fn parse_zone(name: &str) -> anyhow::Result<Tz> {
    let zone = name.parse().ok();
    zone.with_context(|| format!("time_zone: {name:?} is not in the IANA time zone database"))
}

/// A line drawn with hyphens or the like.
fn is_rule(row: &Row<'_>) -> bool {
    row.text
        .chars()
        .all(|c| matches!(c, '-' | '=' | '_' | '*' | '+' | '|' | ';' | ',' | '\t' | ' '))
}
