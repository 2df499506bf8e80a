//! A data folder without a service: gyms whose events are appended by the service's own path, for
//! laws that need thousands of them.

use std::sync::Arc;

use footfall::domain::annotation::{Annotation, AnnotationKind};
use footfall::domain::calendar::Day;
use footfall::domain::event::{Event, Kind};
use footfall::domain::ids::{Account, Slug};
use footfall::domain::report::busy::Public;
use footfall::domain::rules::Rules;
use footfall::http::reports::{Parameters, ask};
use footfall::projection::apply::append;
use footfall::projection::{rebuild, verify};
use footfall::store::{Database, Gym, GymSettings, StoreError, Sums, Tx};
use serde_json::Value;
use tempfile::TempDir;

use crate::reference;

pub struct Ledger {
    pub database: Database,
    connection: rusqlite::Connection,
    gyms: usize,
    folder: Arc<TempDir>,
}

impl Ledger {
    pub fn new() -> Ledger {
        let folder = TempDir::new().expect("a temporary folder");
        let database = Database::open(folder.path()).expect("it opens");
        let connection = database.connect().expect("it connects");
        Ledger { database, connection, gyms: 0, folder: Arc::new(folder) }
    }

    /// The same, opened anew.
    pub fn fresh(&self) -> Ledger {
        let database = Database::open(self.folder.path()).expect("it opens");
        let connection = database.connect().expect("it connects");
        let epoch = |database: &Database| database.read(|snapshot| snapshot.epoch());
        let (one, two) = (epoch(&self.database), epoch(&database));
        assert_eq!(one.expect("it is there"), two.expect("it is there"), "the same history");
        Ledger { database, connection, gyms: self.gyms, folder: Arc::clone(&self.folder) }
    }

    /// Adds a gym like the reference's, under a slug of its own.
    pub fn add_gym(&mut self, like: &reference::Gym) -> Slug {
        self.gyms += 1;
        let slug: Slug = format!("g{}", self.gyms).parse().expect("a slug");
        let settings = GymSettings {
            name: "Gym".into(),
            zone: like.zone,
            capacity: like.capacity,
            rules: rules(&like.rules),
            retain_months: None,
            public: Public::Off,
        };
        let added =
            self.database.transact(&mut self.connection, |tx| tx.add_gym(&slug, &settings, 0));
        assert!(added.expect("it is written"));
        slug
    }

    pub fn gym(&self, slug: &Slug) -> Gym {
        let found = self.database.read(|snapshot| snapshot.gym_by_slug(slug));
        found.expect("it can be read").expect("it was added")
    }

    /// Appends events in the order given, in one transaction.
    pub fn append(&mut self, slug: &Slug, events: &[reference::Event]) {
        let gym = self.gym(slug).id;
        let appended = self.database.transact(&mut self.connection, |tx| {
            for event in events {
                let account = Account(event.account);
                let kind = Kind::from_name(&event.kind);
                let one = Event { account, at: event.at, kind, extra: None };
                append(tx, gym, &one, event.received_at, None)?;
            }
            Ok(())
        });
        appended.expect("all can be appended");
    }

    /// Says when a gym is closed.
    pub fn close(&mut self, slug: &Slug, closed: &[reference::Closure]) {
        let gym = self.gym(slug).id;
        self.transact(|tx| {
            for closure in closed {
                let days = (Day::from_date(closure.first), Day::from_date(closure.last));
                let closed = Annotation::new(days, AnnotationKind::Closed, closure.yearly, "shut");
                tx.add_annotation(gym, &closed.expect("a good one"), 0)?;
            }
            Ok(())
        });
    }

    /// Does something in a transaction.
    pub fn transact<R>(&mut self, work: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError>) -> R {
        self.database.transact(&mut self.connection, work).expect("it is written")
    }

    pub fn tallies(&self, slug: &Slug) -> Sums {
        let generation = self.gym(slug).generation;
        self.database.read(|snapshot| snapshot.all_tallies(generation)).expect("they can be read")
    }

    pub fn rebuild(&self, slug: &Slug, settings: Option<&GymSettings>) {
        let gym = self.gym(slug).id;
        rebuild::rebuild(&self.database, gym, settings, &mut |_| {}).expect("it is rebuilt");
    }

    pub fn verify(&self) {
        let found = self.database.read(verify::verify).expect("it can be read");
        assert_eq!(found.differences, Vec::<String>::new());
    }

    /// A report as the service answers it, less the position of the log.
    pub fn report(&self, slug: &Slug, name: &str, parameters: &Parameters, now: i64) -> Value {
        let gym = self.gym(slug);
        let answered =
            self.database.read(|snapshot| Ok(ask(snapshot, &gym, name, parameters, now)));
        let report =
            answered.expect("it can be read").unwrap_or_else(|problem| panic!("{problem}"));
        let mut report = serde_json::to_value(report).expect("a report is JSON");
        report.as_object_mut().expect("an object").remove("position");
        report
    }
}

pub fn rules(rules: &reference::Rules) -> Rules {
    let reference::Rules { visit_window, assumed_stay, assumed_tail, rejoin_grace } = *rules;
    Rules::new(visit_window, assumed_stay, assumed_tail, rejoin_grace).expect("good rules")
}
