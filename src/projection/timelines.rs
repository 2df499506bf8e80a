//! Timelines of members, read whole out of the log: each is folded once, where events in log order
//! would fold a stretch anew with each of its events. What they count for is summed in memory, and
//! written in the order of keys.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Instant;

use rusqlite::Connection;

use super::apply::{Target, exchange};
use super::rebuild::let_others_write;
use crate::domain::event::Entry;
use crate::domain::ids::{GymId, MemberId, Position};
use crate::domain::stretch::Stretch;
use crate::domain::tally::{Cells, Contributions, Family, Key};
use crate::store::{Database, StoreError};

/// Events that are held in memory at once, about 60 bytes each. Of a gym with more, the log is read
/// once for each so many.
const ENTRIES_MAX: u64 = 500_000;
/// Events that are read with one snapshot, which keeps an erasure from being complete.
const READ_EVENTS: usize = 50_000;
/// Events whose members are written in one transaction beside a service, whose deliveries wait
/// meanwhile.
const WRITE_EVENTS: usize = 2_000;
/// The same where nobody waits: a page that many members share is written once for all of them.
const WRITE_EVENTS_ALONE: usize = 50_000;
/// Tallies that are written in one transaction.
const WRITE_TALLIES: usize = 500;
/// Additions to a tally that wait to be summed.
const ADDITIONS_MAX: usize = 4_096;

/// Puts the members of a gym into a generation, by the log up to `until`. `progress` is told how
/// many events that were so far. Returns how many; none when an erasure came in between.
pub(super) fn put_in(
    database: &Database,
    connection: &mut Connection,
    gym: GymId,
    target: &Target,
    until: Position,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<u64>, StoreError> {
    let total = database.read(|snapshot| snapshot.event_count_of(gym, until))?;
    let mut sums = Sums::new();
    let mut applied = 0;
    for members in shares(database, gym, until, total)? {
        let mut timelines = read(database, gym, until, &members)?;
        while !timelines.is_empty() {
            let started = Instant::now();
            let alone = !database.is_served();
            let limit = if alone { WRITE_EVENTS_ALONE } else { WRITE_EVENTS };
            let (some, events) = fold_some(&mut timelines, target, limit);
            applied += events as u64;
            let built = Position(share_of(until.0, applied, total));
            let written = database.transact(connection, |tx| {
                if tx.view().is_stale(target.generation)? {
                    return Ok(None);
                }
                tx.note_built(target.generation, built)?;
                let mut additions = Contributions::new();
                for (member, stretches) in &some {
                    additions.extend(exchange(tx, target, *member, &[], stretches)?);
                }
                Ok(Some(additions))
            })?;
            let Some(additions) = written else { return Ok(None) };
            sums.add(additions);
            progress(applied);
            let_others_write(database, started.elapsed());
        }
    }
    sums.write(database, connection, target)?;
    Ok(Some(applied))
}

/// How far a build is: as if its events had been applied in log order.
fn share_of(position: i64, applied: u64, total: u64) -> i64 {
    let share = i128::from(position) * i128::from(applied) / i128::from(total.max(1));
    i64::try_from(share).unwrap_or(position)
}

/// Ranges of members with about [`ENTRIES_MAX`] events each.
fn shares(
    database: &Database,
    gym: GymId,
    until: Position,
    total: u64,
) -> Result<Vec<RangeInclusive<MemberId>>, StoreError> {
    if total <= ENTRIES_MAX {
        return Ok(vec![MemberId(0)..=MemberId(i64::MAX)]);
    }
    let mut events: BTreeMap<MemberId, u64> = BTreeMap::new();
    each_entry(database, gym, until, |member, _| *events.entry(member).or_default() += 1)?;
    let (mut shares, mut first, mut held) = (Vec::new(), None, 0);
    for (member, count) in events {
        let from = *first.get_or_insert(member);
        held += count;
        if held >= ENTRIES_MAX {
            shares.push(from..=member);
            (first, held) = (None, 0);
        }
    }
    shares.extend(first.map(|from| from..=MemberId(i64::MAX)));
    Ok(shares)
}

fn read(
    database: &Database,
    gym: GymId,
    until: Position,
    members: &RangeInclusive<MemberId>,
) -> Result<BTreeMap<MemberId, Vec<Entry>>, StoreError> {
    let mut timelines: BTreeMap<MemberId, Vec<Entry>> = BTreeMap::new();
    each_entry(database, gym, until, |member, entry| {
        if members.contains(&member) {
            timelines.entry(member).or_default().push(entry);
        }
    })?;
    Ok(timelines)
}

/// Hands over a gym's events up to a position. They do not change meanwhile, but by an erasure,
/// which spoils the build.
fn each_entry(
    database: &Database,
    gym: GymId,
    until: Position,
    mut each: impl FnMut(MemberId, Entry),
) -> Result<(), StoreError> {
    let mut after = Position(0);
    loop {
        let range = (after, until);
        let last =
            database.read(|snapshot| snapshot.each_entry_of(gym, range, READ_EVENTS, &mut each))?;
        let Some(last) = last else { return Ok(()) };
        after = last;
    }
}

/// Takes and folds the first members, of so many events or of one member more; says how many events
/// those are.
fn fold_some(
    timelines: &mut BTreeMap<MemberId, Vec<Entry>>,
    target: &Target,
    limit: usize,
) -> (Vec<(MemberId, Vec<Stretch>)>, usize) {
    let (mut some, mut events) = (Vec::new(), 0);
    while events < limit {
        let Some((member, entries)) = timelines.pop_first() else { break };
        events += entries.len();
        some.push((member, Stretch::all_of(&target.rules, entries)));
    }
    (some, events)
}

/// Sums that are not written yet, by family and bucket: looked up for every addition, and few.
struct Sums([Vec<Vec<(u32, i64)>>; Family::ALL.len()]);

impl Sums {
    fn new() -> Sums {
        Sums(Family::ALL.map(|_| Vec::new()))
    }

    fn add(&mut self, additions: Contributions) {
        for (Key { family, bucket, cell }, value) in additions {
            let buckets = &mut self.0[family as usize - Family::ALL[0] as usize];
            let bucket = usize::try_from(bucket).expect("buckets are after 1970");
            if buckets.len() <= bucket {
                buckets.resize_with(bucket + 1, Vec::new);
            }
            let waiting = &mut buckets[bucket];
            waiting.push((cell, value));
            if waiting.len() >= ADDITIONS_MAX && waiting.len() == waiting.capacity() {
                *waiting = Cells::sum(std::mem::take(waiting)).iter().collect();
            }
        }
    }

    /// Writes them, in the order of their keys.
    fn write(
        self,
        database: &Database,
        connection: &mut Connection,
        target: &Target,
    ) -> Result<(), StoreError> {
        let sums = Family::ALL.into_iter().zip(self.0).flat_map(|(family, buckets)| {
            let buckets = (0..).zip(buckets).filter(|(_, sum)| !sum.is_empty());
            buckets.map(move |(bucket, sum)| (family, bucket, Cells::sum(sum)))
        });
        let sums: Vec<(Family, i32, Cells)> = sums.collect();
        for some in sums.chunks(WRITE_TALLIES) {
            let started = Instant::now();
            database.transact(connection, |tx| {
                for (family, bucket, cells) in some {
                    tx.add_cells(target.generation, *family, *bucket, cells);
                }
                Ok(())
            })?;
            let_others_write(database, started.elapsed());
        }
        Ok(())
    }
}
