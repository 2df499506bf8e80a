//! How receipts, days and tallies lie in a blob: variable-length whole numbers, one after the
//! other, small ones in one byte.

use crate::domain::calendar::Day;
use crate::domain::event::{Entry, Kind, Lateness};
use crate::domain::ids::Position;
use crate::domain::member::{MemberDays, Past, PastVisits};
use crate::domain::stretch::Stretch;
use crate::domain::tally::Cells;
use crate::domain::visit::{EndedBy, EnteredBy, Fold, Visit};

/// A blob that does not hold what it should: the file was damaged or changed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored row is damaged; restore a backup, or run `footfall rebuild`")]
pub struct Damaged;

const UNKNOWN: u8 = 15;
const KINDS: [Kind; 5] =
    [Kind::Checkin, Kind::Checkout, Kind::Equipment, Kind::Onboarding, Kind::MembershipDelete];
const ENDS: [EndedBy; 5] =
    [EndedBy::Checkout, EndedBy::Assumed, EndedBy::Window, EndedBy::NextVisit, EndedBy::Erasure];

pub fn cells_to_blob(cells: &Cells) -> Vec<u8> {
    let mut blob = Vec::with_capacity(cells.len() * 3);
    let mut previous = 0;
    for (cell, value) in cells.iter() {
        put(&mut blob, u64::from(cell - previous));
        put_signed(&mut blob, value);
        previous = cell;
    }
    blob
}

pub fn cells_from_blob(blob: &[u8]) -> Result<Cells, Damaged> {
    let mut input = Input(blob);
    let mut cells = Vec::with_capacity(blob.len() / 2);
    let mut cell = 0u32;
    while !input.0.is_empty() {
        let step = u32::try_from(input.take()?).map_err(|_| Damaged)?;
        cell = cell.checked_add(step).ok_or(Damaged)?;
        let value = input.take_signed()?;
        if value == 0 || (step == 0 && !cells.is_empty()) {
            return Err(Damaged);
        }
        cells.push((cell, value));
    }
    Ok(Cells::from_sorted(cells))
}

pub fn entries_to_blob(entries: &[Entry]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(entries.len() * 10);
    let (mut at, mut position) = (0, 0);
    for entry in entries {
        put_signed(&mut blob, entry.at - at);
        put_signed(&mut blob, entry.position.0 - position);
        (at, position) = (entry.at, entry.position.0);
        let kind = KINDS.iter().position(|kind| *kind == entry.kind);
        let kind = kind.map_or(UNKNOWN, |kind| u8::try_from(kind).expect("few kinds"));
        blob.push(kind | (entry.lateness as u8) << 4);
        if kind == UNKNOWN {
            put(&mut blob, entry.kind.name().len() as u64);
            blob.extend_from_slice(entry.kind.name().as_bytes());
        }
    }
    blob
}

pub fn entries_from_blob(blob: &[u8]) -> Result<Vec<Entry>, Damaged> {
    let mut input = Input(blob);
    let mut entries = Vec::with_capacity(blob.len() / 8 + 1);
    let (mut at, mut position) = (0i64, 0i64);
    while !input.0.is_empty() {
        at = at.checked_add(input.take_signed()?).ok_or(Damaged)?;
        position = position.checked_add(input.take_signed()?).ok_or(Damaged)?;
        let tag = input.byte()?;
        let lateness = *Lateness::ALL.get(usize::from(tag >> 4)).ok_or(Damaged)?;
        let kind = match tag & 15 {
            UNKNOWN => Kind::from_name(input.text()?),
            known => KINDS.get(usize::from(known)).ok_or(Damaged)?.clone(),
        };
        entries.push(Entry { at, kind, position: Position(position), lateness });
    }
    Ok(entries)
}

pub fn fold_to_blob(stretch: &Stretch) -> Vec<u8> {
    let mut blob = Vec::with_capacity(stretch.visits().len() * 12 + 2);
    let mut previous = stretch.start();
    put(&mut blob, stretch.visits().len() as u64);
    for visit in stretch.visits() {
        put_signed(&mut blob, visit.entered - previous);
        previous = visit.entered;
        put_signed(&mut blob, visit.left - visit.entered);
        let ended = ENDS.iter().position(|ended| *ended == visit.ended_by);
        let ended = u8::try_from(ended.expect("all are listed")).expect("few ends");
        blob.push(ended << 1 | u8::from(visit.entered_by == EnteredBy::Equipment));
        put(&mut blob, u64::from(visit.repeat_swipes));
        put(&mut blob, u64::from(visit.equipment_checkins));
        if let Some(first) = visit.first_equipment {
            put_signed(&mut blob, first - visit.entered);
        }
    }
    previous = stretch.start();
    for at in stretch.orphan_checkouts() {
        put_signed(&mut blob, at - previous);
        previous = *at;
    }
    blob
}

pub fn stretch_from_blobs(entries: &[u8], fold: &[u8]) -> Result<Stretch, Damaged> {
    let entries = entries_from_blob(entries)?;
    let start = entries.first().ok_or(Damaged)?.at;
    let mut input = Input(fold);
    let mut fold = Fold::default();
    let mut previous = start;
    for _ in 0..input.take()? {
        let visit = visit_from(&mut input, previous)?;
        previous = visit.entered;
        fold.visits.push(visit);
    }
    previous = start;
    while !input.0.is_empty() {
        previous = previous.checked_add(input.take_signed()?).ok_or(Damaged)?;
        fold.orphan_checkouts.push(previous);
    }
    Ok(Stretch::restored(entries, fold))
}

fn visit_from(input: &mut Input<'_>, previous: i64) -> Result<Visit, Damaged> {
    let entered = previous.checked_add(input.take_signed()?).ok_or(Damaged)?;
    let left = entered.checked_add(input.take_signed()?).ok_or(Damaged)?;
    let tag = input.byte()?;
    let repeat_swipes = u32::try_from(input.take()?).map_err(|_| Damaged)?;
    let equipment_checkins = u32::try_from(input.take()?).map_err(|_| Damaged)?;
    let first_equipment = match equipment_checkins {
        0 => None,
        _ => Some(entered.checked_add(input.take_signed()?).ok_or(Damaged)?),
    };
    Ok(Visit {
        entered,
        entered_by: if tag & 1 == 0 { EnteredBy::Checkin } else { EnteredBy::Equipment },
        left,
        ended_by: *ENDS.get(usize::from(tag >> 1)).ok_or(Damaged)?,
        equipment_checkins,
        first_equipment,
        repeat_swipes,
    })
}

pub fn days_to_blob(days: &MemberDays) -> Vec<u8> {
    let mut blob = Vec::with_capacity(days.visits().len() * 2 + 4);
    put(&mut blob, days.visits().len() as u64);
    let mut previous = 0;
    for (day, visits) in days.visits() {
        put_signed(&mut blob, i64::from(day.0 - previous));
        put(&mut blob, u64::from(*visits));
        previous = day.0;
    }
    previous = 0;
    for day in days.onboardings() {
        put_signed(&mut blob, i64::from(day.0 - previous));
        previous = day.0;
    }
    blob
}

pub fn days_from_blobs(days: &[u8], past: Option<&[u8]>) -> Result<MemberDays, Damaged> {
    let past = past_from_blob(past)?;
    let mut input = Input(days);
    let mut visits = Vec::new();
    let mut previous = 0;
    for _ in 0..input.take()? {
        previous = input.day_after(previous)?;
        visits.push((Day(previous), u32::try_from(input.take()?).map_err(|_| Damaged)?));
    }
    let mut onboardings = Vec::new();
    previous = 0;
    while !input.0.is_empty() {
        previous = input.day_after(previous)?;
        onboardings.push(Day(previous));
    }
    Ok(MemberDays::restored(past, visits, onboardings))
}

/// What is frozen of a member; none when nothing is.
pub fn past_to_blob(past: &Past) -> Option<Vec<u8>> {
    if *past == Past::default() {
        return None;
    }
    let mut blob = vec![u8::from(past.visits.is_some())];
    if let Some(visits) = past.visits {
        put_signed(&mut blob, visits.first_day.0.into());
        put_signed(&mut blob, visits.last_day.0.into());
        put_signed(&mut blob, visits.last_entered);
        put(&mut blob, visits.in_last_week.into());
    }
    if let Some(day) = past.onboarded {
        put_signed(&mut blob, day.0.into());
    }
    Some(blob)
}

fn past_from_blob(blob: Option<&[u8]>) -> Result<Past, Damaged> {
    let Some(blob) = blob else { return Ok(Past::default()) };
    let mut input = Input(blob);
    let visits = match input.byte()? {
        0 => None,
        _ => Some(PastVisits {
            first_day: Day(input.day_after(0)?),
            last_day: Day(input.day_after(0)?),
            last_entered: input.take_signed()?,
            in_last_week: u32::try_from(input.take()?).map_err(|_| Damaged)?,
        }),
    };
    let onboarded = if input.0.is_empty() { None } else { Some(Day(input.day_after(0)?)) };
    Ok(Past { visits, onboarded })
}

fn put(blob: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        blob.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    blob.push(value as u8);
}

/// Signed numbers alternate: 0, -1, 1, -2, … so that small ones stay short.
fn put_signed(blob: &mut Vec<u8>, value: i64) {
    put(blob, (value << 1 ^ value >> 63).cast_unsigned());
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.0.split_first().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    /// Most numbers are a byte.
    #[inline]
    fn take(&mut self) -> Result<u64, Damaged> {
        if let [byte @ ..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*byte));
        }
        self.take_long()
    }

    fn take_long(&mut self) -> Result<u64, Damaged> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damaged)
    }

    #[inline]
    fn take_signed(&mut self) -> Result<i64, Damaged> {
        let value = self.take()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn text(&mut self) -> Result<&'a str, Damaged> {
        let length = usize::try_from(self.take()?).map_err(|_| Damaged)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Damaged)
    }

    fn day_after(&mut self, previous: i32) -> Result<i32, Damaged> {
        let step = i32::try_from(self.take_signed()?).map_err(|_| Damaged)?;
        previous.checked_add(step).ok_or(Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rules::Rules;

    fn entry(at: i64, kind: &str, position: i64) -> Entry {
        let kind = Kind::from_name(kind);
        Entry { at, kind, position: Position(position), lateness: Lateness::OverDay }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let stretch = Stretch::fold(
            &Rules::default(),
            vec![
                entry(1_772_442_000_000, "GYM_CHECKOUT", 900),
                entry(1_772_442_000_001, "GYM_CHECKIN", 7),
                entry(1_772_442_900_000, "EQUIPMENT_CHECKIN", 8),
                entry(1_772_442_900_000, "SWIM", 9),
            ],
        );
        let (entries, fold) = (entries_to_blob(stretch.entries()), fold_to_blob(&stretch));
        assert_eq!(stretch_from_blobs(&entries, &fold), Ok(stretch));
        let cells = Cells::sum(vec![(0, 1), (5, i64::MAX), (u32::MAX, i64::MIN)]);
        assert_eq!(cells_from_blob(&cells_to_blob(&cells)), Ok(cells));
        let visits = PastVisits {
            first_day: Day(-1),
            last_day: Day(19_000),
            last_entered: 1_641_600_000_000,
            in_last_week: 3,
        };
        for past in [
            Past::default(),
            Past { visits: Some(visits), onboarded: None },
            Past { visits: Some(visits), onboarded: Some(Day(7)) },
            Past { visits: None, onboarded: Some(Day(7)) },
        ] {
            let visits = vec![(Day(20_000), 1), (Day(20_009), 300)];
            let days = MemberDays::restored(past, visits, vec![Day(-1)]);
            let (blob, past) = (days_to_blob(&days), past_to_blob(&past));
            assert_eq!(days_from_blobs(&blob, past.as_deref()), Ok(days));
        }
    }

    #[test]
    fn damage_is_an_error() {
        assert_eq!(cells_from_blob(&[0x80]), Err(Damaged));
        assert_eq!(cells_from_blob(&[1, 0]), Err(Damaged));
        assert_eq!(stretch_from_blobs(&[], &[0]), Err(Damaged));
        assert_eq!(stretch_from_blobs(&[2, 2, 0x7f], &[0]), Err(Damaged));
        assert_eq!(days_from_blobs(&[9], None), Err(Damaged));
        assert_eq!(days_from_blobs(&[0], Some(&[1, 0])), Err(Damaged));
    }
}
