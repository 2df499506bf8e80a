//! Verify: proves `Σ receipts + frozen == tallies`, that the receipts are the log's, folded, and that
//! nothing of the rest of the database is damaged.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::apply::Dates;
use super::read::counts_activity;
use crate::domain::Millis;
use crate::domain::calendar::{Month, Week};
use crate::domain::event::Entry;
use crate::domain::ids::{MemberId, Position};
use crate::domain::member::MemberDays;
use crate::domain::stretch::Stretch;
use crate::domain::tally::{CARRIED, COUNT_CELLS, Cells, Contributions, Family, MINUTES_CELLS};
use crate::store::{Gym, Snapshot, StoreError, Sums};

/// Events of the log that are looked at together.
const CHUNK_EVENTS: usize = 10_000;
/// Differences that are named, of each look at each gym; further ones are only counted.
pub const DIFFERENCES_MAX: usize = 100;

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    pub events: u64,
    pub receipts: u64,
    /// Tallies that are not zero.
    pub tallies: u64,
    /// Each in one sentence: which gym, which tally, what it is and what it should be.
    pub differences: Vec<String>,
}

impl Verification {
    pub fn is_ok(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Verifies the database and every gym at one point of its history. What cannot be read is a
/// difference too.
pub fn verify(snapshot: &Snapshot<'_>) -> Result<Verification, StoreError> {
    let mut all = Verification::default();
    all.note("", || snapshot.damage());
    all.note("", || snapshot.wrong_checksums());
    all.note("", || snapshot.wrong_members());
    let mut gyms = Vec::new();
    all.note("", || {
        gyms = snapshot.gyms()?;
        Ok(vec![])
    });
    for gym in &gyms {
        all.note_gym(snapshot, gym);
    }
    Ok(all)
}

/// Verifies one gym.
pub fn verify_one(snapshot: &Snapshot<'_>, gym: &Gym) -> Verification {
    let mut all = Verification::default();
    all.note_gym(snapshot, gym);
    all
}

impl Verification {
    fn note_gym(&mut self, snapshot: &Snapshot<'_>, gym: &Gym) {
        let name = format!("{}: ", gym.slug);
        self.note(&name, || snapshot.misfiled(gym.generation));
        let mut counts = [0; 3];
        self.note(&name, || verify_gym(snapshot, gym, &mut counts));
        self.events += counts[0];
        self.receipts += counts[1];
        self.tallies += counts[2];
    }

    /// Looks, and notes what is found. Damage may be such that looking fails, or that what is read
    /// is beyond what can be counted.
    fn note(&mut self, about: &str, look: impl FnOnce() -> Result<Vec<String>, StoreError>) {
        let mut found = match catch_unwind(AssertUnwindSafe(look)) {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => vec![format!("cannot be read: {error}")],
            Err(_) => vec!["holds values that cannot be counted".to_owned()],
        };
        let more = found.len().saturating_sub(DIFFERENCES_MAX);
        found.truncate(DIFFERENCES_MAX);
        if more > 0 {
            found.push(format!("{more} more"));
        }
        self.differences.extend(found.into_iter().map(|text| format!("{about}{text}")));
    }
}

/// Verifies one gym; counts its events, its receipts, and its tallies that are not zero.
fn verify_gym(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    counts: &mut [u64; 3],
) -> Result<Vec<String>, StoreError> {
    let mut found = Gathered::default();
    found.gather_receipts(snapshot, gym)?;
    let log = checksum_log(snapshot, gym)?;
    if log != found.entries {
        found.differences.push(format!(
            "the log has {} events, its receipts {}, or they differ",
            log.count, found.entries.count
        ));
    }
    let (mut tallies, mut frozen) =
        (snapshot.all_tallies(gym.generation)?, snapshot.all_frozen(gym.id)?);
    // A build of an earlier version has no activity; it is built anew.
    if !counts_activity(snapshot, gym)? {
        found.sums.retain(|(family, _), _| *family != Family::Activity);
        frozen.retain(|(family, _), _| *family != Family::Activity);
        tallies.retain(|(family, _), _| *family != Family::Activity);
    }
    found.compare(frozen, &tallies);
    *counts =
        [log.count, found.receipts, tallies.values().map(|cells| cells.len() as u64).sum::<u64>()];
    Ok(found.differences)
}

/// How many, and a sum of hashes that does not depend on order.
#[derive(Default, PartialEq, Eq)]
struct Checksum {
    count: u64,
    sum: u64,
}

impl Checksum {
    fn add(&mut self, member: MemberId, entry: &Entry) {
        let mut hasher = DefaultHasher::new();
        (member, entry.at, &entry.kind, entry.position, entry.lateness).hash(&mut hasher);
        self.count += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

fn checksum_log(snapshot: &Snapshot<'_>, gym: &Gym) -> Result<Checksum, StoreError> {
    let mut checksum = Checksum::default();
    let mut after = Position(0);
    loop {
        let events = snapshot.events_after(Some(gym.id), after, CHUNK_EVENTS)?;
        let Some(last) = events.last() else { return Ok(checksum) };
        after = last.position;
        for event in &events {
            checksum.add(event.member, &event.entry());
        }
    }
}

/// What the receipts of one gym come to.
#[derive(Default)]
struct Gathered {
    receipts: u64,
    entries: Checksum,
    sums: BTreeMap<(Family, i32), BTreeMap<u32, i64>>,
    days: BTreeMap<MemberId, MemberDays>,
    differences: Vec<String>,
    /// The member of the receipt before, and the time of its last event.
    previous: Option<(MemberId, Millis)>,
}

impl Gathered {
    fn gather_receipts(&mut self, snapshot: &Snapshot<'_>, gym: &Gym) -> Result<(), StoreError> {
        snapshot
            .each_receipt(gym.generation, |member, stretch| self.receipt(gym, member, &stretch))?;
        let mut days = std::mem::take(&mut self.days);
        days.retain(|_, days| !days.is_empty());
        let mut contributions = Contributions::new();
        snapshot.each_member_days(gym.generation, |member, stored| {
            stored.contribute(1, &mut contributions);
            let of_visits = days.remove(&member).unwrap_or_default();
            if !stored.is_of_log(&of_visits) {
                let row = member.0;
                self.differences.push(format!("the days of member row {row} are not its visits'"));
            }
        })?;
        for MemberId(row) in days.keys() {
            self.differences.push(format!("the days of member row {row} are missing"));
        }
        self.add(contributions);
        Ok(())
    }

    fn receipt(&mut self, gym: &Gym, member: MemberId, stretch: &Stretch) {
        let rules = &gym.settings.rules;
        let name = || format!("the receipt of member row {} from {}", member.0, stretch.start());
        if Stretch::fold(rules, stretch.entries().to_vec()) != *stretch {
            self.differences.push(format!("{} is not what its events fold to", name()));
        }
        let window = rules.visit_window();
        let follows = |last: Millis, next: Millis| next - last <= window;
        let joined = stretch.entries().windows(2).all(|pair| follows(pair[0].at, pair[1].at));
        let apart = self
            .previous
            .is_none_or(|(before, last)| before != member || !follows(last, stretch.start()));
        if !joined || !apart {
            self.differences.push(format!("{} is not one whole stretch", name()));
        }
        self.previous = Some((member, stretch.last()));
        self.receipts += 1;
        stretch.entries().iter().for_each(|entry| self.entries.add(member, entry));
        let dates = Dates::of(gym.settings.zone, std::slice::from_ref(stretch));
        dates.add_to(self.days.entry(member).or_default());
        let mut contributions = Contributions::new();
        stretch.contribute(1, &mut contributions);
        self.add(contributions);
    }

    fn add(&mut self, contributions: Contributions) {
        for (key, value) in contributions {
            let cells = self.sums.entry((key.family, key.bucket)).or_default();
            *cells.entry(key.cell).or_default() += value;
        }
    }

    fn compare(&mut self, frozen: Sums, tallies: &Sums) {
        let mut sums: Sums = std::mem::take(&mut self.sums)
            .into_iter()
            .map(|(key, cells)| (key, Cells::sum(cells.into_iter().collect())))
            .collect();
        for (key, cells) in frozen {
            let sum = sums.entry(key).or_default();
            *sum = sum.plus(&cells);
        }
        let nothing = Cells::default();
        for (key, stored) in tallies {
            let sum = sums.remove(key).unwrap_or_default();
            self.name_differences(*key, stored, &sum);
        }
        for (key, sum) in sums {
            self.name_differences(key, &nothing, &sum);
        }
    }

    fn name_differences(&mut self, key: (Family, i32), stored: &Cells, sum: &Cells) {
        for (cell, _) in stored.plus(&sum.negated()).iter() {
            self.differences.push(format!(
                "{}: the tally is {}, receipts and frozen sums come to {}",
                name_of(key.0, key.1, cell),
                stored.get(cell),
                sum.get(cell)
            ));
        }
    }
}

/// A tally's name for people: family, time, and what is left of the cell.
fn name_of(family: Family, bucket: i32, cell: u32) -> String {
    use crate::domain::calendar::Day;
    let day = Day(bucket).date();
    let time = |minutes: u32| format!("{day}T{:02}:{:02}Z", minutes / 60, minutes % 60);
    let place = match family {
        Family::Presence if cell == CARRIED => format!("{day} carried over midnight UTC"),
        Family::Presence | Family::Events => time(cell),
        Family::Counts => format!("{} count {}", time(cell / COUNT_CELLS * 15), cell % COUNT_CELLS),
        Family::Stays | Family::FirstEquipment => {
            format!("{} minutes {}", time(cell / MINUTES_CELLS * 15), cell % MINUTES_CELLS)
        }
        Family::Weeks => format!("week of {} cell {cell}", Week(bucket).first_day().date()),
        Family::Members | Family::Cohorts | Family::Onboarded | Family::Activity => {
            format!("month of {} cell {cell}", Month(bucket).first_day().date())
        }
    };
    format!("{} {place}", family.name())
}
