//! Rebuild: the ordinary exchange of stretches, from an empty projection, beside the one that is
//! read.
//!
//! The new generation grows in small transactions, so that a service goes on receiving and reading
//! meanwhile: first by whole timelines of members, then by the events that came since, in log order;
//! the last one catches up, adds the frozen sums and switches. A rebuild that
//! was interrupted leaves a generation that nobody reads, and the next one removes it.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::apply::{Target, apply};
use super::timelines;
use crate::domain::ids::{Generation, GymId, Position};
use crate::domain::member::{MemberDays, Past};
use crate::domain::tally::Contributions;
use crate::store::{Database, Gym, GymSettings, StoreError, Tx};

/// Events applied in one transaction of a rebuild.
const CHUNK_EVENTS: usize = 1_000;
/// Rows removed in one transaction when an old generation is cleared away beside a service.
const CHUNK_ROWS: usize = 2_000;
/// The same where nobody waits.
const CHUNK_ROWS_ALONE: usize = 50_000;

/// Rebuilds one gym, by another zone and other rules if there are any. `progress` is told how many events were
/// applied so far.
pub fn rebuild(
    database: &Database,
    gym: GymId,
    settings: Option<&GymSettings>,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, StoreError> {
    let _lock = database.lock_rebuild()?;
    let mut connection = database.connect()?;
    clear_unread(database, &mut connection)?;
    let applied = build(database, &mut connection, gym, settings, progress, |tx, target| {
        let settings = settings_of(tx, gym, settings)?;
        tx.set_gym(gym, &settings, target.generation)
    })?;
    clear_unread(database, &mut connection)?;
    Ok(applied)
}

/// Builds a projection by other settings, hands it over to be looked at, and removes it again: what
/// is read by others stays as it is.
pub fn try_out<R>(
    database: &Database,
    gym: &Gym,
    settings: &GymSettings,
    progress: &mut dyn FnMut(u64),
    look: impl FnOnce(&Gym) -> R,
) -> Result<R, StoreError> {
    let _lock = database.lock_rebuild()?;
    let mut connection = database.connect()?;
    clear_unread(database, &mut connection)?;
    let mut trial = Gym { settings: settings.clone(), ..gym.clone() };
    build(database, &mut connection, gym.id, Some(settings), progress, |_, target| {
        trial.generation = target.generation;
        Ok(())
    })?;
    let seen = look(&trial);
    clear_unread(database, &mut connection)?;
    Ok(seen)
}

/// Fills a new generation from the log. `finish` runs in the transaction in which it has caught up.
fn build(
    database: &Database,
    connection: &mut Connection,
    gym: GymId,
    settings: Option<&GymSettings>,
    progress: &mut dyn FnMut(u64),
    mut finish: impl FnMut(&mut Tx<'_>, &Target) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    loop {
        let built = build_once(database, connection, gym, settings, progress, &mut finish)?;
        match built {
            Some(applied) => return Ok(applied),
            // An erasure took a member out of the log meanwhile.
            None => clear_unread(database, connection)?,
        }
    }
}

/// Builds, unless an erasure comes in between.
fn build_once(
    database: &Database,
    connection: &mut Connection,
    gym: GymId,
    settings: Option<&GymSettings>,
    progress: &mut dyn FnMut(u64),
    finish: &mut dyn FnMut(&mut Tx<'_>, &Target) -> Result<(), StoreError>,
) -> Result<Option<u64>, StoreError> {
    let target = database.transact(connection, |tx| {
        let generation = tx.new_generation(Some(gym))?;
        carry_past(tx, gym, generation)?;
        let settings = settings_of(tx, gym, settings)?;
        Ok(Target { generation, rules: settings.rules, zone: settings.zone })
    })?;
    let mut after = database.read(|snapshot| snapshot.last_position_of(gym))?;
    // Of a generation that nobody reads yet, nothing need be on disk before the rest is.
    Database::wait_for_disk(connection, false)?;
    let put_in = timelines::put_in(database, connection, gym, &target, after, progress)?;
    Database::wait_for_disk(connection, true)?;
    let Some(mut applied) = put_in else { return Ok(None) };
    loop {
        let started = Instant::now();
        let grown = database.transact(connection, |tx| {
            if tx.view().is_stale(target.generation)? {
                return Ok(None);
            }
            let (chunk, last) = apply_chunk(tx, gym, &target, after)?;
            tx.note_built(target.generation, last)?;
            if chunk < CHUNK_EVENTS {
                add_frozen(tx, gym, target.generation)?;
                finish(tx, &target)?;
            }
            Ok(Some((chunk, last)))
        })?;
        let Some((chunk, last)) = grown else { return Ok(None) };
        (after, applied) = (last, applied + chunk as u64);
        progress(applied);
        if chunk < CHUNK_EVENTS {
            return Ok(Some(applied));
        }
        let_others_write(database, started.elapsed());
    }
}

/// SQLite's write lock goes to whoever asks first, so a service would starve beside a loop that
/// asks at once again.
pub fn let_others_write(database: &Database, as_long_as: Duration) {
    if database.is_served() {
        std::thread::sleep(as_long_as.max(Duration::from_millis(5)));
    }
}

fn apply_chunk(
    tx: &mut Tx<'_>,
    gym: GymId,
    target: &Target,
    after: Position,
) -> Result<(usize, Position), StoreError> {
    let events = tx.view().events_after(Some(gym), after, CHUNK_EVENTS)?;
    let last = events.last().map_or(after, |event| event.position);
    for event in &events {
        apply(tx, target, event.member, event.entry())?;
    }
    Ok((events.len(), last))
}

/// What stays known of frozen visits is in no log: every generation takes it from the one before.
fn carry_past(tx: &mut Tx<'_>, gym: GymId, generation: Generation) -> Result<(), StoreError> {
    count_frozen_activity(tx, gym)?;
    let mut pasts = Vec::new();
    let read = tx.gym(gym)?.generation;
    tx.view().each_member_days(read, |member, days| {
        if days.past() != Past::default() {
            pasts.push((member, days.past()));
        }
    })?;
    for (member, past) in pasts {
        tx.put_member_days(generation, member, &MemberDays::default(), &MemberDays::after(past))?;
    }
    Ok(())
}

/// Once for each gym: counts the activity of what was frozen before activity was counted, as far as
/// it is known of members who are still there.
pub(super) fn count_frozen_activity(tx: &mut Tx<'_>, gym: GymId) -> Result<(), StoreError> {
    if !tx.claim_frozen_activity(gym)? {
        return Ok(());
    }
    let mut activity = Contributions::new();
    let read = tx.gym(gym)?.generation;
    tx.view().each_member_days(read, |_, days| activity.extend(days.past_activity()))?;
    tx.add_frozen(gym, &activity);
    Ok(())
}

/// The sums without a receipt belong to every generation.
fn add_frozen(tx: &mut Tx<'_>, gym: GymId, generation: Generation) -> Result<(), StoreError> {
    for ((family, bucket), cells) in tx.view().all_frozen(gym)? {
        tx.add_cells(generation, family, bucket, &cells);
    }
    tx.flush()
}

fn settings_of(
    tx: &mut Tx<'_>,
    gym: GymId,
    settings: Option<&GymSettings>,
) -> Result<GymSettings, StoreError> {
    match settings {
        // Only these are counted by; anything else may have been changed meanwhile.
        Some(GymSettings { zone, rules, .. }) => {
            Ok(GymSettings { zone: *zone, rules: *rules, ..tx.gym(gym)?.settings })
        }
        None => Ok(tx.gym(gym)?.settings),
    }
}

/// Removes generations that no gym reads, a little at a time.
fn clear_unread(database: &Database, connection: &mut Connection) -> Result<(), StoreError> {
    Database::wait_for_disk(connection, false)?;
    for generation in database.read(|snapshot| snapshot.unread_generations())? {
        loop {
            let started = Instant::now();
            let rows = if database.is_served() { CHUNK_ROWS } else { CHUNK_ROWS_ALONE };
            let work = |tx: &mut Tx<'_>| tx.clear_generation(generation, rows);
            if database.transact(connection, work)? {
                break;
            }
            let_others_write(database, started.elapsed());
        }
    }
    Database::wait_for_disk(connection, true)
}
