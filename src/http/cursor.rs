//! Cursors: how far a reader of a list has come, as a text that goes stale with a restore. What the
//! lists hold may not be known here.

use super::problem::{Code, Problem};
use crate::store::{Cursored, Epoch, Snapshot, StoreError};

/// The cursors of a list, at one point of the database's history.
pub struct Cursors {
    epoch: Epoch,
    /// The last position that the list gave.
    end: i64,
}

impl Cursors {
    pub fn of(snapshot: &Snapshot<'_>, list: Cursored) -> Result<Cursors, StoreError> {
        Ok(Cursors { epoch: snapshot.epoch()?, end: snapshot.end_of(list)? })
    }

    /// The position after which to go on: of a cursor, or of a plain number, which cannot tell
    /// from which history it is.
    pub fn read(&self, after: Option<&str>) -> Result<i64, Problem> {
        let Some(after) = after else { return Ok(0) };
        let (position, epoch) = match after.split_once('.') {
            Some((position, epoch)) => (position, Some(Epoch::from_hex(epoch))),
            None => (after, None),
        };
        let (Ok(position), false) = (position.parse(), epoch == Some(None)) else {
            let detail = format!("`after` is the `cursor` of a page, or a number, not {after:?}");
            return Err(Problem::new(Code::BadParameter, detail));
        };
        if epoch.flatten().is_some_and(|epoch| epoch != self.epoch) {
            let detail = "the cursor is from before a restore of the database: positions may \
                          have been given again since; read from the first";
            return Err(Problem::new(Code::StaleCursor, detail));
        }
        if position > self.end {
            let detail = format!(
                "nothing has that position: the last one is {}. If the database was restored, \
                 read from the first",
                self.end
            );
            return Err(Problem::new(Code::StaleCursor, detail));
        }
        Ok(position)
    }

    /// The cursor of a position.
    pub fn name(&self, position: i64) -> String {
        format!("{position}.{}", self.epoch)
    }
}
