//! What is imported many events at a time is what it would be by one after the other.

use footfall::domain::event::{Arrival, Event, Kind};
use footfall::domain::ids::{Account, Position, Slug};
use footfall::projection::apply::Outcome;
use footfall::projection::import::{Told, import};
use footfall::store::LoggedEvent;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Case, histories, without_duplicates};
use crate::ledger::Ledger;
use crate::random::{shuffled, with_deletions, with_duplicates};
use crate::reference;

/// Takes events in, some at a time, and says how many are new.
fn take_in(ledger: &mut Ledger, slug: &Slug, events: &[reference::Event], seed: u64) -> usize {
    let gym = ledger.gym(slug).id;
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let now = events.iter().map(|event| event.received_at).max().expect("some");
    let (mut rest, mut new) = (events, 0);
    while !rest.is_empty() {
        let (some, later) = rest.split_at(dice.random_range(1..=rest.len()));
        rest = later;
        let some: Vec<_> = some.iter().map(|event| (said(event), event.received_at)).collect();
        let told: Vec<_> = some
            .iter()
            .map(|(event, at)| Told { gym, event, arrival: Arrival::delivered(*at) })
            .collect();
        let outcomes = ledger.transact(|tx| import(tx, &told, now));
        assert_eq!(outcomes.len(), told.len());
        let log = log(ledger, slug);
        for (told, outcome) in told.iter().zip(&outcomes) {
            if let Outcome::Accepted { position, .. } | Outcome::Duplicate { of: position } =
                outcome
            {
                let found = log.iter().find(|event| event.position == *position);
                let found = found.expect("it is there");
                assert_eq!((found.at, &found.kind), (told.event.at, &told.event.kind));
            }
        }
        let is_new = |outcome: &&Outcome| matches!(outcome, Outcome::Accepted { .. });
        new += outcomes.iter().filter(is_new).count();
    }
    new
}

fn said(event: &reference::Event) -> Event {
    let kind = Kind::from_name(&event.kind);
    Event { account: Account(event.account), at: event.at, kind, extra: None }
}

fn log(ledger: &Ledger, slug: &Slug) -> Vec<LoggedEvent> {
    let gym = ledger.gym(slug).id;
    let all =
        ledger.database.read(|snapshot| snapshot.events_after(Some(gym), Position(0), usize::MAX));
    all.expect("it can be read")
}

/// What the log says, less where it says it.
fn told(log: Vec<LoggedEvent>) -> Vec<(i64, Kind, Arrival)> {
    log.into_iter().map(|event| (event.at, event.kind, event.arrival)).collect()
}

#[test]
fn what_is_imported_many_at_a_time_counts_as_one_after_the_other() {
    let mut ledger = Ledger::new();
    for seed in 0..histories() {
        let case = Case::of(seed);
        let events = match seed % 3 {
            0 => with_deletions(seed, &case.events),
            1 => shuffled(seed, &case.events),
            _ => {
                let mut twice = shuffled(seed, &with_duplicates(seed, &case.events));
                twice.extend(shuffled(seed + 1, &case.events));
                twice
            }
        };
        let (one, many) = (ledger.add_gym(&case.gym), ledger.add_gym(&case.gym));
        ledger.append(&one, &events);
        let new = take_in(&mut ledger, &many, &events, seed);
        let (expected, found) = (log(&ledger, &one), log(&ledger, &many));
        assert_eq!(new, found.len(), "seed {seed}");
        assert_eq!(told(found), told(expected), "seed {seed}");
        let expected = without_duplicates(ledger.tallies(&one));
        assert_eq!(ledger.tallies(&many), expected, "seed {seed}");
    }
    ledger.verify();
}
