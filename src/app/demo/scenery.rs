//! What the demo's gyms have beside their traffic: days on which they were closed, notes, a time
//! without events, a webhook by which nothing comes, deliveries that nobody understands, and a gym
//! that has closed for good.

use chrono_tz::Tz;
use uuid::Uuid;

use crate::app::simulate::traffic::Delivery;
use crate::domain::annotation::{Annotation, AnnotationKind, BadAnnotation};
use crate::domain::calendar::day_of;
use crate::domain::{DAY, HOUR, Millis};

/// The first and the last closed day, so many days ago.
const CLOSED: (i32, i32) = (12, 11);
/// Nothing came from the gym that fell silent for so long, from so many days ago on.
const SILENT_DAYS_AGO: Millis = 19;
const SILENT_HOURS: Millis = 36;
/// The second webhook was made so many days ago, and nothing came by it since.
pub const WEBHOOK_DAYS_AGO: Millis = 4;
/// So many days ago a gym closed for good.
pub const ARCHIVED_DAYS_AGO: Millis = 30;

/// What was noted at each gym.
pub fn annotations(zone: Tz, now: Millis) -> Result<Vec<Annotation>, BadAnnotation> {
    let today = day_of(zone, now);
    let notes = [
        (CLOSED, AnnotationKind::Closed, "The boiler is repaired"),
        ((25, 19), AnnotationKind::Campaign, "Bring a friend"),
        ((6, 5), AnnotationKind::Refit, "New floor in the free-weights area"),
    ];
    let note = |((first, last), kind, text): ((i32, i32), _, _)| {
        Annotation::new((today.plus(-first), today.plus(-last)), kind, false, text)
    };
    notes.into_iter().map(note).collect()
}

/// Whether a delivery of the past came at all: nobody comes to a gym that is closed, and nothing
/// comes from one that fell silent.
pub fn came(delivery: &Delivery, zone: Tz, falls_silent: bool, now: Millis) -> bool {
    let today = day_of(zone, now);
    let day = day_of(zone, delivery.at);
    let is_closed = today.plus(-CLOSED.0) <= day && day <= today.plus(-CLOSED.1);
    let silent_from = now - SILENT_DAYS_AGO * DAY;
    let is_silent = (silent_from..silent_from + SILENT_HOURS * HOUR).contains(&delivery.at);
    !(is_closed || falls_silent && is_silent)
}

/// Who has only ever come with a wrong time.
const SOMEBODY: Uuid = Uuid::from_u128(0x6f2c_1d3e_0000_4000_8000_0000_0000_0001);

/// Bodies as they come now and then: of a type that nobody knows, twice; of somebody who left; with a
/// time in seconds; and cut off. The last two wait in quarantine.
pub fn strange(of: &Delivery, now: Millis) -> Vec<String> {
    let known = |kind| Delivery { due: now, at: now - HOUR, kind, ..*of }.body();
    // Of somebody else: whoever left is erased from the quarantine too.
    let seconds = Delivery { account: SOMEBODY, at: now / 1_000, kind: "GYM_CHECKIN", ..*of };
    vec![
        known("LOCKER_OPENED"),
        known("LOCKER_OPENED"),
        known("MEMBERSHIP_DELETE"),
        seconds.body(),
        r#"{"accountId":"#.to_owned(),
    ]
}
