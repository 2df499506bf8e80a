//! Annotations of a gym's days, and which of its days are closed.

use rusqlite::params;

use super::codec::Damaged;
use super::database::Snapshot;
use super::error::StoreError;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::annotation::{Annotation, AnnotationKind};
use crate::domain::calendar::Day;
use crate::domain::closed::ClosedDays;
use crate::domain::ids::GymId;
use crate::domain::names;

/// Annotations that a gym can have.
pub const ANNOTATIONS_MAX: i64 = 1_000;

impl Snapshot<'_> {
    /// All of a gym's annotations, the earliest first, with their ids.
    pub fn all_annotations(&self, gym: GymId) -> Result<Vec<(i64, Annotation)>, StoreError> {
        self.annotations(gym, Day(i32::MIN), Day(i32::MAX))
    }

    /// A gym's annotations that hold on any of these days, the earliest first, with their ids.
    pub fn annotations(
        &self,
        gym: GymId,
        first: Day,
        last: Day,
    ) -> Result<Vec<(i64, Annotation)>, StoreError> {
        let sql = "SELECT id, first_day, last_day, kind, yearly, text FROM annotations
                   WHERE gym = ?1 AND (last_day >= ?2 OR yearly) AND first_day <= ?3
                   ORDER BY first_day, id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_and_then(params![gym.0, first.0, last.0], |row| {
            let kind: String = row.get(3)?;
            let kind = AnnotationKind::from_name(&kind).ok_or(Damaged)?;
            let (first, last) = (Day(row.get(1)?), Day(row.get(2)?));
            let (yearly, text): (bool, String) = (row.get(4)?, row.get(5)?);
            let text = names::visible(&text);
            Ok((row.get(0)?, Annotation { first, last, kind, yearly, text }))
        })?;
        rows.collect()
    }

    /// The closed days of a gym, as far as they touch the days `[from, until)`.
    pub fn closed_days(&self, gym: GymId, from: Day, until: Day) -> Result<ClosedDays, StoreError> {
        let annotations = self.annotations(gym, from, until)?;
        let closed = annotations.iter().filter(|(_, one)| one.kind == AnnotationKind::Closed);
        Ok(ClosedDays::of(closed.flat_map(|(_, one)| one.runs(from, until)).collect()))
    }

    /// Whether a gym has [`ANNOTATIONS_MAX`] already.
    pub fn is_full_of_annotations(&self, gym: GymId) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) >= ?2 FROM annotations WHERE gym = ?1";
        let values = params![gym.0, ANNOTATIONS_MAX];
        Ok(self.connection.query_row(sql, values, |row| row.get(0))?)
    }
}

impl Tx<'_> {
    /// Adds an annotation and returns its id; none when the gym has [`ANNOTATIONS_MAX`] already.
    pub fn add_annotation(
        &mut self,
        gym: GymId,
        annotation: &Annotation,
        now: Millis,
    ) -> Result<Option<i64>, StoreError> {
        let Annotation { first, last, kind, yearly, text } = annotation;
        let sql =
            "INSERT INTO annotations (gym, first_day, last_day, kind, yearly, text, created_at)
                   SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
                   WHERE (SELECT count(*) FROM annotations WHERE gym = ?1) < ?8";
        let values =
            params![gym.0, first.0, last.0, kind.name(), yearly, text, now, ANNOTATIONS_MAX];
        self.mark_applied(gym, None);
        let added = self.transaction.execute(sql, values)? > 0;
        Ok(added.then(|| self.transaction.last_insert_rowid()))
    }

    /// Removes an annotation; false when the gym has none of that id.
    pub fn remove_annotation(&mut self, gym: GymId, id: i64) -> Result<bool, StoreError> {
        let sql = "DELETE FROM annotations WHERE gym = ?1 AND id = ?2";
        self.mark_applied(gym, None);
        Ok(self.transaction.execute(sql, [gym.0, id])? > 0)
    }
}
