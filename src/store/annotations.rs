//! Annotations: what people know of a gym's days and no event tells. They change no number.

use rusqlite::params;

use super::codec::Damaged;
use super::database::{Snapshot, StoreError};
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::calendar::Day;
use crate::domain::ids::GymId;
use crate::domain::names;

/// Annotations that a gym can have.
pub const ANNOTATIONS_MAX: i64 = 1_000;
/// Characters of an annotation's text.
pub const ANNOTATION_CHARACTERS_MAX: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnotationKind {
    Holiday,
    Refit,
    Campaign,
    Other,
}

impl AnnotationKind {
    pub const ALL: [AnnotationKind; 4] = [
        AnnotationKind::Holiday,
        AnnotationKind::Refit,
        AnnotationKind::Campaign,
        AnnotationKind::Other,
    ];

    pub fn name(self) -> &'static str {
        match self {
            AnnotationKind::Holiday => "holiday",
            AnnotationKind::Refit => "refit",
            AnnotationKind::Campaign => "campaign",
            AnnotationKind::Other => "other",
        }
    }

    pub fn from_name(name: &str) -> Option<AnnotationKind> {
        AnnotationKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that was, or will be, from the first local day to the last, which is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    pub first: Day,
    pub last: Day,
    pub kind: AnnotationKind,
    pub text: String,
}

impl Snapshot<'_> {
    /// A gym's annotations of these days, the earliest first, with their ids.
    pub fn annotations(
        &self,
        gym: GymId,
        first: Day,
        last: Day,
    ) -> Result<Vec<(i64, Annotation)>, StoreError> {
        let sql = "SELECT id, first_day, last_day, kind, text FROM annotations
                   WHERE gym = ?1 AND last_day >= ?2 AND first_day <= ?3 ORDER BY first_day, id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_and_then(params![gym.0, first.0, last.0], |row| {
            let (kind, text): (String, String) = (row.get(3)?, row.get(4)?);
            let kind = AnnotationKind::from_name(&kind).ok_or(Damaged)?;
            let (first, last) = (Day(row.get(1)?), Day(row.get(2)?));
            let text = names::visible(&text);
            Ok((row.get(0)?, Annotation { first, last, kind, text }))
        })?;
        rows.collect()
    }
}

impl Tx<'_> {
    /// Adds an annotation; false when the gym has [`ANNOTATIONS_MAX`] already.
    pub fn add_annotation(
        &mut self,
        gym: GymId,
        annotation: &Annotation,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let Annotation { first, last, kind, text } = annotation;
        let sql = "INSERT INTO annotations (gym, first_day, last_day, kind, text, created_at)
                   SELECT ?1, ?2, ?3, ?4, ?5, ?6
                   WHERE (SELECT count(*) FROM annotations WHERE gym = ?1) < ?7";
        let values = params![gym.0, first.0, last.0, kind.name(), text, now, ANNOTATIONS_MAX];
        Ok(self.transaction.execute(sql, values)? > 0)
    }

    /// Removes an annotation; false when the gym has none of that id.
    pub fn remove_annotation(&mut self, gym: GymId, id: i64) -> Result<bool, StoreError> {
        let sql = "DELETE FROM annotations WHERE gym = ?1 AND id = ?2";
        Ok(self.transaction.execute(sql, [gym.0, id])? > 0)
    }
}
