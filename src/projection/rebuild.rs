//! Rebuild: the ordinary apply, from an empty projection, beside the one that is read.
//!
//! The new generation grows in small transactions, so that a service goes on receiving and
//! reading meanwhile; the last one catches up, adds the frozen sums and switches. A rebuild that
//! was interrupted leaves a generation that nobody reads, and the next one removes it.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::apply::{Target, apply};
use crate::domain::ids::{Generation, GymId, Position};
use crate::store::{Database, GymSettings, StoreError, Tx};

/// Events applied in one transaction of a rebuild.
const CHUNK_EVENTS: usize = 1_000;
/// Rows removed in one transaction when an old generation is cleared away.
const CHUNK_ROWS: usize = 2_000;

/// Rebuilds one gym, by new settings if there are any. `progress` is told how many events were
/// applied so far.
pub fn rebuild(
    database: &Database,
    gym: GymId,
    settings: Option<&GymSettings>,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, StoreError> {
    let mut connection = database.connect()?;
    let _lock = database.lock_rebuild()?;
    clear_unread(database, &mut connection)?;
    let target = database.transact(&mut connection, |tx| {
        let generation = tx.new_generation()?;
        let settings = settings_of(tx, gym, settings)?;
        Ok(Target { generation, rules: settings.rules, zone: settings.zone })
    })?;
    let mut after = Position(0);
    let mut applied = 0;
    loop {
        let started = Instant::now();
        let (chunk, last) = database.transact(&mut connection, |tx| {
            let (chunk, last) = apply_chunk(tx, gym, &target, after)?;
            if chunk < CHUNK_EVENTS {
                switch(tx, gym, settings, target.generation)?;
            }
            Ok((chunk, last))
        })?;
        (after, applied) = (last, applied + chunk as u64);
        progress(applied);
        if chunk < CHUNK_EVENTS {
            break;
        }
        let_others_write(database, started.elapsed());
    }
    clear_unread(database, &mut connection)?;
    Ok(applied)
}

/// SQLite's write lock goes to whoever asks first, so a service would starve beside a loop that
/// asks at once again.
fn let_others_write(database: &Database, as_long_as: Duration) {
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

/// Everything is applied: from here on the new generation is the one that is read.
fn switch(
    tx: &mut Tx<'_>,
    gym: GymId,
    settings: Option<&GymSettings>,
    generation: Generation,
) -> Result<(), StoreError> {
    for ((family, bucket), cells) in tx.view().all_frozen(gym)? {
        tx.add_cells(generation, family, bucket, &cells);
    }
    tx.flush()?;
    let settings = settings_of(tx, gym, settings)?;
    tx.set_gym(gym, &settings, generation)
}

fn settings_of(
    tx: &mut Tx<'_>,
    gym: GymId,
    settings: Option<&GymSettings>,
) -> Result<GymSettings, StoreError> {
    match settings {
        Some(settings) => Ok(settings.clone()),
        None => Ok(tx.gym(gym)?.settings),
    }
}

/// Removes generations that no gym reads, a little at a time.
fn clear_unread(database: &Database, connection: &mut Connection) -> Result<(), StoreError> {
    for generation in database.read(|snapshot| snapshot.unread_generations())? {
        loop {
            let started = Instant::now();
            let work = |tx: &mut Tx<'_>| tx.clear_generation(generation, CHUNK_ROWS);
            if database.transact(connection, work)? {
                break;
            }
            let_others_write(database, started.elapsed());
        }
    }
    Ok(())
}
