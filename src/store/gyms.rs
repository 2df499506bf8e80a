//! Gyms: what they are called, where they are, by which rules they count.

use chrono_tz::Tz;
use rusqlite::{OptionalExtension, Row, params};

use super::codec::Damaged;
use super::database::Snapshot;
use super::error::StoreError;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::ids::{Generation, GymId, Position, Slug};
use crate::domain::names;
use crate::domain::report::busy::Public;
use crate::domain::rules::Rules;

/// What a person decides about a gym.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GymSettings {
    pub name: String,
    pub zone: Tz,
    /// The most members it is meant to hold; none when nobody said.
    pub capacity: Option<u32>,
    pub rules: Rules,
    /// Events are kept for so many months; none: for ever.
    pub retain_months: Option<u32>,
    /// What everybody may see of how busy it is.
    pub public: Public,
}

/// A gym, with how far its projection has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gym {
    pub id: GymId,
    pub slug: Slug,
    pub settings: GymSettings,
    /// The build of the projection that is read.
    pub generation: Generation,
    /// The last position of the log applied for this gym.
    pub position: Position,
    /// Grows with every change that a report could show.
    pub revision: i64,
    /// What retention froze is older than this; none before it froze anything.
    pub frozen_until: Option<Millis>,
    /// When it was archived: nobody is told of it any more, and its reports stay.
    pub archived_at: Option<Millis>,
}

const COLUMNS: &str = "id, slug, name, time_zone, capacity, visit_window, assumed_stay, \
                       assumed_tail, rejoin_grace, generation, position, revision, retain_months, \
                       frozen_until, public, archived_at";

impl Snapshot<'_> {
    /// All gyms, by slug.
    pub fn gyms(&self) -> Result<Vec<Gym>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM gyms WHERE removed_at IS NULL ORDER BY slug");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_and_then([], gym_from)?;
        rows.collect()
    }

    pub fn gym_by_slug(&self, slug: &Slug) -> Result<Option<Gym>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM gyms WHERE slug = ?1 AND removed_at IS NULL");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query_and_then([slug.as_str()], gym_from)?;
        rows.next().transpose()
    }

    pub fn gym_by_id(&self, id: GymId) -> Result<Gym, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM gyms WHERE id = ?1 AND removed_at IS NULL");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query_and_then([id.0], gym_from)?;
        rows.next().ok_or_else(|| StoreError::Refused("the gym was removed".to_owned()))?
    }
}

impl Snapshot<'_> {
    /// By what a gym is to be counted, where that was said and is not done.
    pub fn wanted(&self, gym: &Gym) -> Result<Option<GymSettings>, StoreError> {
        let sql = "SELECT wanted FROM gyms WHERE id = ?1";
        let wanted: Option<String> =
            self.connection.query_row(sql, [gym.id.0], |row| row.get(0))?;
        let read = |text: String| wanted_from(&text, &gym.settings).ok_or(Damaged);
        Ok(wanted.map(read).transpose()?)
    }
}

impl Tx<'_> {
    /// Notes by what a gym is to be counted, until [`Tx::set_gym`] says that it is; none when what
    /// holds is what is wanted.
    pub fn want(&mut self, id: GymId, wanted: Option<&GymSettings>) -> Result<(), StoreError> {
        let sql = "UPDATE gyms SET wanted = ?2 WHERE id = ?1";
        self.transaction.execute(sql, params![id.0, wanted.map(counted_by)])?;
        Ok(())
    }

    /// Adds a gym; false when the slug is taken.
    pub fn add_gym(
        &mut self,
        slug: &Slug,
        settings: &GymSettings,
        now: Millis,
    ) -> Result<bool, StoreError> {
        if self.view().gym_by_slug(slug)?.is_some() {
            return Ok(false);
        }
        if self.is_being_removed(slug)? {
            let text = format!("{slug} is being removed; `footfall gym remove {slug}` ends that");
            return Err(StoreError::Refused(text));
        }
        // Who adds the first gym looks at a clock, too.
        let sql = "INSERT INTO witness (id, at) VALUES (1, ?1) ON CONFLICT DO NOTHING";
        self.transaction.execute(sql, [now])?;
        let generation = self.new_generation(None)?;
        let [window, stay, tail, grace] = settings.rules.minutes();
        self.transaction.execute(
            "INSERT INTO gyms (slug, name, time_zone, capacity, visit_window, assumed_stay,
                 assumed_tail, rejoin_grace, generation, created_at, retain_months, public)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                slug.as_str(),
                settings.name,
                settings.zone.name(),
                settings.capacity,
                window,
                stay,
                tail,
                grace,
                generation.0,
                now,
                settings.retain_months,
                settings.public.name()
            ],
        )?;
        Ok(true)
    }

    /// Changes a gym's settings, and the projection that goes with them.
    pub fn set_gym(
        &mut self,
        id: GymId,
        settings: &GymSettings,
        generation: Generation,
    ) -> Result<(), StoreError> {
        let [window, stay, tail, grace] = settings.rules.minutes();
        self.transaction.execute(
            "UPDATE gyms SET name = ?2, time_zone = ?3, capacity = ?4, visit_window = ?5,
                 assumed_stay = ?6, assumed_tail = ?7, rejoin_grace = ?8, generation = ?9,
                 retain_months = ?10, public = ?11, revision = revision + 1,
                 wanted = nullif(wanted, ?12)
             WHERE id = ?1",
            params![
                id.0,
                settings.name,
                settings.zone.name(),
                settings.capacity,
                window,
                stay,
                tail,
                grace,
                generation.0,
                settings.retain_months,
                settings.public.name(),
                counted_by(settings),
            ],
        )?;
        self.forget_gym(id);
        Ok(())
    }

    /// Notes up to when retention freezes; it never goes back.
    pub fn set_frozen_until(&mut self, id: GymId, until: Millis) -> Result<(), StoreError> {
        let sql = "UPDATE gyms SET frozen_until = max(coalesce(frozen_until, ?2), ?2)
                   WHERE id = ?1";
        self.transaction.prepare_cached(sql)?.execute([id.0, until])?;
        self.forget_gym(id);
        Ok(())
    }

    pub(super) fn write_applied(
        &mut self,
        gym: GymId,
        position: Option<Position>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE gyms SET position = max(position, ?2), revision = revision + 1
                   WHERE id = ?1";
        let position = position.map_or(0, |position| position.0);
        self.transaction.prepare_cached(sql)?.execute([gym.0, position])?;
        Ok(())
    }

    /// Writes the one row that proves the disk takes writes; false, and nothing is written, when an
    /// appended event was not applied. They commit together, so that can only be when something
    /// else than footfall wrote to the file.
    pub fn beat(&mut self, now: Millis) -> Result<bool, StoreError> {
        self.flush()?;
        let sql = "INSERT INTO heartbeat (id, at) SELECT 1, ?1
                   WHERE coalesce((SELECT max(position) FROM events), 0)
                       <= coalesce((SELECT max(position) FROM gyms), 0)
                   ON CONFLICT (id) DO UPDATE SET at = excluded.at";
        Ok(self.transaction.prepare_cached(sql)?.execute([now])? > 0)
    }
}

/// What a gym is counted by, as it is kept while it is wanted.
fn counted_by(settings: &GymSettings) -> String {
    let minutes = settings.rules.minutes().map(|minutes| minutes.to_string());
    format!("{} {}", settings.zone.name(), minutes.join(" "))
}

/// Reads it over what holds now.
fn wanted_from(text: &str, now: &GymSettings) -> Option<GymSettings> {
    let (zone, minutes) = text.split_once(' ')?;
    let minutes: Vec<u32> = minutes.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [window, stay, tail, grace] = minutes.try_into().ok()?;
    let rules = Rules::new(window, stay, tail, grace).ok()?;
    Some(GymSettings { zone: zone.parse().ok()?, rules, ..now.clone() })
}

fn gym_from(row: &Row<'_>) -> Result<Gym, StoreError> {
    let damaged = |_| Damaged;
    let slug: String = row.get(1)?;
    let zone: String = row.get(3)?;
    let rules = Rules::new(row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?);
    Ok(Gym {
        id: GymId(row.get(0)?),
        slug: slug.parse().map_err(|_| Damaged)?,
        settings: GymSettings {
            name: names::visible(&row.get::<_, String>(2)?),
            zone: zone.parse().map_err(|_| Damaged)?,
            capacity: row.get(4)?,
            rules: rules.map_err(damaged)?,
            retain_months: row.get(12)?,
            public: Public::from_name(row.get_ref(14)?.as_str().map_err(|_| Damaged)?)
                .ok_or(Damaged)?,
        },
        generation: Generation(row.get(9)?),
        position: Position(row.get(10)?),
        revision: row.get(11)?,
        frozen_until: row.get(13)?,
        archived_at: row.get(15)?,
    })
}

pub(super) fn optional<T>(result: rusqlite::Result<T>) -> Result<Option<T>, StoreError> {
    Ok(result.optional()?)
}
