//! What is kept of an answer is never old: whatever changes of a gym, the next answer is that of a
//! database that was opened just now.

use footfall::app::eraser;
use footfall::domain::annotation::{Annotation, AnnotationKind};
use footfall::domain::calendar::Day;
use footfall::domain::ids::{GymId, Slug};
use footfall::domain::rules::Rules;
use footfall::store::{GymSettings, StoreError, Tx};
use serde_json::Value;
use uuid::Uuid;

use super::{DAY, HOUR, MINUTE, over};
use crate::ledger::Ledger;
use crate::reference;

/// 2026-03-02T00:00:00Z, a Monday.
const START: i64 = 1_772_409_600_000;
const DAYS: i64 = 84;
/// The day on which nobody came, so that it is silent.
const SILENT: i64 = 70;
const NOW: i64 = START + (DAYS + 2) * DAY;

struct Kept {
    ledger: Ledger,
    slug: Slug,
    last: Vec<Value>,
}

impl Kept {
    /// A gym with a visit of three hours in every hour of daytime.
    fn new() -> Kept {
        let mut ledger = Ledger::new();
        let rules = reference::Rules::default();
        let (slug, zone) = (String::new(), chrono_tz::UTC);
        let slug = ledger.add_gym(&reference::Gym { slug, zone, capacity: None, rules });
        let members: Vec<Uuid> = (0..16).map(|_| Uuid::new_v4()).collect();
        let mut events = Vec::new();
        for day in (0..DAYS).filter(|day| *day != SILENT) {
            for (account, hour) in members.iter().zip(6..) {
                let at = START + day * DAY + hour * HOUR;
                events.push(event(*account, at, "GYM_CHECKIN"));
                events.push(event(*account, at + 90 * MINUTE, "EQUIPMENT_CHECKIN"));
                events.push(event(*account, at + 180 * MINUTE, "GYM_CHECKOUT"));
            }
        }
        ledger.append(&slug, &events);
        Kept { ledger, slug, last: Vec::new() }
    }

    fn gym(&self) -> GymId {
        self.ledger.gym(&self.slug).id
    }

    /// Asks twice, so that the second answer is of what is kept, and a database opened anew.
    fn asked(&self) -> Vec<Value> {
        let range = (START + 60 * DAY, NOW + DAY);
        let asked = over(range, "1d");
        let fresh = self.ledger.fresh();
        let ask = |name: &&str| {
            let [one, two] = [(); 2].map(|()| self.ledger.report(&self.slug, name, &asked, NOW));
            assert_eq!(one, two, "{name}");
            assert_eq!(one, fresh.report(&self.slug, name, &asked, NOW), "{name}");
            one
        };
        ["quality", "visits", "occupancy"].iter().map(ask).collect()
    }

    /// Whatever changed, it shows.
    fn assert_changed(&mut self, what: &str) {
        let now = self.asked();
        assert_ne!(now, self.last, "{what}");
        self.last = now;
    }

    fn append(&mut self, events: &[reference::Event]) {
        self.ledger.append(&self.slug, events);
    }

    fn change(&mut self, change: impl FnOnce(&mut Tx<'_>, GymId) -> Result<(), StoreError>) {
        let gym = self.gym();
        self.ledger.transact(|tx| change(tx, gym));
    }
}

fn event(account: Uuid, at: i64, kind: &str) -> reference::Event {
    reference::Event { account, at, kind: kind.into(), received_at: at }
}

#[test]
fn what_is_kept_of_an_answer_is_never_old() {
    let mut kept = Kept::new();
    kept.assert_changed("the first answer");
    let spans = kept.last[0]["totals"]["silent_spans"].as_array().expect("a list");
    assert_eq!(spans.len(), 2, "a day, and what goes on: {spans:?}");

    let (account, at) = (Uuid::new_v4(), START + SILENT * DAY + 12 * HOUR);
    kept.append(&[event(account, at, "GYM_CHECKIN")]);
    kept.assert_changed("a late event in a silent span");
    kept.append(&[event(account, at + HOUR, "MEMBERSHIP_DELETE")]);
    kept.assert_changed("a deletion");
    let mut connection = kept.ledger.database.connect().expect("it connects");
    eraser::work_off(&kept.ledger.database, &mut connection).expect("it is erased");
    kept.asked();

    let day = Day(i32::try_from(START / DAY + SILENT).expect("a day"));
    let closed = Annotation::new((day, day), AnnotationKind::Closed, false, "shut");
    let mut id = None;
    kept.change(|tx, gym| {
        id = tx.add_annotation(gym, &closed.expect("a good one"), NOW)?;
        Ok(())
    });
    kept.assert_changed("a closed day");
    kept.change(|tx, gym| tx.remove_annotation(gym, id.expect("it was added")).map(drop));
    kept.assert_changed("an open day");

    let settings = kept.ledger.gym(&kept.slug).settings;
    let rules = Rules::new(120, 60, 30, 10).expect("good rules");
    kept.ledger.rebuild(&kept.slug, Some(&GymSettings { rules, ..settings.clone() }));
    kept.assert_changed("other rules");
    let zone = chrono_tz::Asia::Kathmandu;
    kept.ledger.rebuild(&kept.slug, Some(&GymSettings { zone, ..settings }));
    kept.assert_changed("another clock");
    kept.change(|tx, gym| tx.set_archived(gym, Some(NOW - 2 * DAY)));
    kept.assert_changed("an end");
    kept.ledger.verify();
}
