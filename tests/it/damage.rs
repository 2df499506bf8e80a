//! Damage: one bit of the database flips, at many places. Whatever changes an answer by it, `verify`
//! says that something is wrong, or nothing opens.
//!
//! `DAMAGE_FLIPS` sets how many bits are tried (400 without it).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use footfall::domain::ids::{Account, Position};
use footfall::http::reports::{Parameters, ask};
use footfall::projection::verify::verify as verify_in;
use footfall::store::{Database, Snapshot, StoreError};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use uuid::Uuid;

use crate::erasure::{completed, live_a_while};
use crate::laws::REPORTS;
use crate::service::{Service, Webhook, delivery, now, run, run_json, verify};

const DAY: i64 = 24 * 60 * 60_000;
const FLIPS: usize = 400;
/// Bytes of a page.
const PAGE: usize = 4_096;
/// One of so many is also shown to the real command.
const SHOWN: usize = 25;
const DATABASE: &str = "footfall.db";
/// What no answer rests on: when something was written last, and which migrations there were.
const NO_ANSWER: [&str; 3] = ["heartbeat", "refinery_schema_history", "checksums"];
/// What is told apart from what it says: an epoch is another after a flip, and a position that was
/// passed over is a gap.
const OF_NO_REPORT: [&str; 2] = ["identity", "sqlite_sequence"];

async fn old_visits(service: &Service, webhook: &Webhook, account: Uuid) {
    for (ago, kind) in [(140, "GYM_CHECKIN"), (139, "GENIUS_ONBOARDING_COMPLETED"), (130, "SAUNA")]
    {
        let body = delivery(account, now() - ago * DAY, kind);
        assert_eq!(service.post(webhook, body).await.0, 200);
    }
}

/// A data folder with something in nearly every table, and everything in one file.
async fn lived_in() -> (std::sync::Arc<TempDir>, Vec<Uuid>) {
    let service = Service::start();
    let (mitte, soho) = (service.add_gym("mitte", "UTC"), service.add_gym("soho", "Europe/London"));
    let second = service.add_webhook("mitte");
    let token = service.add_token("all", "admin", &[]);
    service.add_token("some", "viewer", &["mitte"]);
    run_json(
        service.data(),
        &["user", "add", "ann", "--role", "manager", "--gym", "soho", "--json"],
    );
    assert_eq!(service.post(&second, r#"{"type":"TEST"}"#).await.0, 200);
    let members: Vec<Uuid> = (0..8).map(|_| Uuid::new_v4()).collect();
    for (seed, member) in (0..).zip(&members) {
        live_a_while(&service, if seed < 6 { &mitte } else { &soho }, *member, seed).await;
        old_visits(&service, &mitte, *member).await;
    }
    let deleted = delivery(members[0], now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&mitte, deleted).await.0, 200);
    completed(&service, &token).await;
    let folder = service.folder.clone();
    assert!(service.stop());
    run_json(folder.path(), &["gym", "set", "mitte", "--retain-events", "3", "--json"]);
    run_json(folder.path(), &["retention", "--json"]);
    assert_eq!(verify(folder.path())["ok"], true);
    let database = Connection::open(folder.path().join(DATABASE)).expect("it opens");
    let busy: bool = database
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .expect("it can be emptied");
    assert!(!busy);
    (folder, members)
}

/// Every row of every table that an answer may rest on.
fn rows(file: &Path) -> rusqlite::Result<BTreeMap<String, Vec<Vec<Value>>>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = Connection::open_with_flags(file, flags)?;
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table'";
    let mut statement = database.prepare(sql)?;
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let ours = |table: &&String| {
        !NO_ANSWER.contains(&table.as_str()) && !OF_NO_REPORT.contains(&table.as_str())
    };
    let mut all = BTreeMap::new();
    for table in tables.iter().filter(ours) {
        let mut statement = database.prepare(&format!("SELECT * FROM {table}"))?;
        let count = statement.column_count();
        let rows = statement.query_map([], |row| (0..count).map(|at| row.get(at)).collect())?;
        all.insert(table.clone(), rows.collect::<rusqlite::Result<_>>()?);
    }
    Ok(all)
}

/// What a reader gets of everything, as one text.
fn answers(snapshot: &Snapshot<'_>, members: &[Uuid]) -> Result<String, StoreError> {
    let mut all = String::new();
    for gym in snapshot.gyms()? {
        write!(
            all,
            "{gym:?}\n{:?}\n",
            snapshot.owned_events_after(gym.id, None, Position(0), 9_999)?
        )
        .expect("a text takes it");
        for name in REPORTS {
            // Of days that are over, so that it does not matter when it is asked.
            let date = |ago: i64| {
                Some(
                    footfall::domain::calendar::day_of(chrono_tz::UTC, now() - ago * DAY)
                        .date()
                        .to_string(),
                )
            };
            let range = Parameters { from: date(150), until: date(1), ..Parameters::default() };
            match ask(snapshot, &gym, name, &range, now() / DAY * DAY) {
                Ok(report) => all += &serde_json::to_string(&report).expect("it is JSON"),
                Err(problem) => all += &problem.to_string(),
            }
        }
        for member in members {
            writeln!(all, "{:?}", snapshot.member(gym.id, Account(*member))?)
                .expect("a text takes it");
        }
    }
    let ids: Vec<_> = snapshot.gyms()?.iter().map(|gym| gym.id).collect();
    write!(all, "{:?}", snapshot.erasures(&ids, i64::MAX, usize::MAX)?).expect("a text takes it");
    Ok(all)
}

/// What became of a flip.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Nothing opens, or what is asked for fails.
    Fails,
    Answers(String),
}

fn look(folder: &Path, members: &[Uuid]) -> (Seen, bool) {
    let looked = catch_unwind(AssertUnwindSafe(|| {
        let Ok(database) = Database::open(folder) else { return (Seen::Fails, false) };
        let answered =
            catch_unwind(AssertUnwindSafe(|| database.read(|snapshot| answers(snapshot, members))));
        let seen = match answered {
            Ok(Ok(text)) => Seen::Answers(text),
            Ok(Err(_)) | Err(_) => Seen::Fails,
        };
        let is_ok = database.read(verify_in).is_ok_and(|found| found.is_ok());
        (seen, is_ok)
    }));
    looked.unwrap_or((Seen::Fails, false))
}

/// Where to flip: in every page as often as in any other, mostly where there is something.
fn place(dice: &mut ChaCha8Rng, bytes: &[u8], number: usize) -> usize {
    let pages = bytes.len() / PAGE;
    let start = number % pages * PAGE;
    let filled: Vec<usize> = (start..start + PAGE).filter(|at| bytes[*at] != 0).collect();
    if filled.is_empty() || dice.random_ratio(1, 10) {
        return start + dice.random_range(0..PAGE);
    }
    filled[dice.random_range(0..filled.len())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_that_changes_an_answer_is_found() {
    let (whole, members) = lived_in().await;
    let bytes = fs::read(whole.path().join(DATABASE)).expect("it is there");
    let before = rows(&whole.path().join(DATABASE)).expect("it can be read");
    let (answered, is_ok) = look(whole.path(), &members);
    assert!(is_ok && answered != Seen::Fails, "it is whole");
    let flips =
        std::env::var("DAMAGE_FLIPS").map_or(FLIPS, |flips| flips.parse().expect("a number"));
    let mut dice = ChaCha8Rng::seed_from_u64(14);
    let (mut changed, mut unseen) = (0, Vec::new());
    for number in 0..flips {
        let (at, bit) = (place(&mut dice, &bytes, number), dice.random_range(0..8));
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join(DATABASE);
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        fs::write(&file, &flipped).expect("it is written");
        for beside in ["footfall.key", "footfall.mark"] {
            fs::copy(whole.path().join(beside), folder.path().join(beside)).expect("it is copied");
        }
        let says = rows(&file);
        let (seen, is_ok) = look(folder.path(), &members);
        if seen == answered && says.as_ref().is_ok_and(|rows| *rows == before) {
            continue;
        }
        changed += 1;
        if is_ok {
            let where_to = format!("page {} byte {} bit {bit}", at / PAGE + 1, at % PAGE);
            let tables = says.map(|rows| {
                rows.into_iter()
                    .filter(|(table, rows)| before.get(table) != Some(rows))
                    .map(|(table, _)| table)
                    .collect::<Vec<_>>()
            });
            unseen.push(format!("{where_to}: {tables:?}"));
        } else if changed % SHOWN == 0 {
            fs::write(&file, &flipped).expect("it is written");
            drop(fs::remove_file(folder.path().join("footfall.db-wal")));
            drop(fs::remove_file(folder.path().join("footfall.db-shm")));
            let output = run(folder.path(), &["verify", "--json"]);
            assert!(!output.status.success(), "byte {at} bit {bit}");
        }
    }
    assert!(changed * 4 > flips, "only {changed} of {flips} changed anything");
    assert_eq!(unseen, Vec::<String>::new(), "of {changed} that changed something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_finds_what_another_program_changed_and_rebuild_takes_it_as_right() {
    let (folder, _) = lived_in().await;
    for sql in [
        "UPDATE gyms SET name = 'other' WHERE slug = 'mitte'",
        "UPDATE gyms SET capacity = 81",
        "UPDATE members SET account_key = account_key + 1 WHERE id = 2",
        "UPDATE members SET gym = 2 WHERE id = 2",
        "UPDATE extras SET fields = '{}' WHERE position = (SELECT max(position) FROM extras)",
        "UPDATE events SET received_at = received_at + 1 WHERE position = 40",
        "UPDATE receipts SET last = last + 1",
        "UPDATE member_days SET last_day = last_day + 1",
        "UPDATE member_days SET past = NULL",
        "UPDATE webhooks SET secret_hash = zeroblob(32)",
        "UPDATE tokens SET role = 'admin'",
        "UPDATE tombstones SET erased_until = erased_until - 1",
        "UPDATE erasures SET events = events + 1",
        "DELETE FROM user_gyms",
        "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'events'",
    ] {
        let copy = TempDir::new().expect("a temporary folder");
        for file in [DATABASE, "footfall.key", "footfall.mark"] {
            fs::copy(folder.path().join(file), copy.path().join(file)).expect("it is copied");
        }
        let database = Connection::open(copy.path().join(DATABASE)).expect("it opens");
        assert!(database.execute(sql, []).expect("the schema is known") > 0, "{sql}");
        drop(database);
        let found = run(copy.path(), &["verify", "--json"]);
        assert_eq!(found.status.code(), Some(1), "{sql}");
        let found: serde_json::Value = serde_json::from_slice(&found.stdout).expect("JSON");
        assert_eq!(found["ok"], false, "{sql}");
        assert_ne!(found["differences"], serde_json::json!([]), "{sql}");
        if sql.contains("gyms SET name") || sql.contains("receipts") {
            run_json(copy.path(), &["rebuild", "--json"]);
            assert_eq!(verify(copy.path())["ok"], true, "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_sums_of_a_gym_lose_no_delivery_of_it_and_touch_no_other_gym() {
    for table in ["tallies", "frozen"] {
        let service = Service::start();
        let damaged = service.add_gym("mitte", "Europe/Berlin");
        let sound = service.add_gym("harbour", "Europe/Berlin");
        let swipe = |number: u128| delivery(Uuid::from_u128(number), now(), "GYM_CHECKIN");
        assert_eq!(service.post(&damaged, swipe(1)).await.0, 200);
        assert_eq!(service.post(&damaged, "no JSON").await.0, 400);
        let database = Connection::open(service.data().join(DATABASE)).expect("it opens");
        database.busy_timeout(std::time::Duration::from_secs(5)).expect("it is set");
        let sql = format!("UPDATE {table} SET cells = x'ff'");
        assert!(database.execute(&sql, []).expect("the schema is known") > 0);
        let posted = (2..42).map(|number| {
            let (service, webhook) = (&service, if number % 2 == 0 { &damaged } else { &sound });
            async move { (number % 2 == 0, service.post(webhook, swipe(number)).await) }
        });
        // A gym's frozen sums are touched by what is no event only.
        let unfit = if table == "tallies" { 20 } else { 0 };
        for (is_damaged, (status, answer)) in join_all(posted).await {
            let is_kept = is_damaged && table == "tallies";
            assert_eq!(status, if is_kept { 503 } else { 200 }, "{answer}");
            assert_eq!(answer["quarantine_id"].is_number(), is_kept, "{answer}");
        }
        assert_eq!(service.post(&damaged, "no JSON").await.0, 400, "it is kept too");
        if table == "tallies" {
            run_json(service.data(), &["rebuild", "--json"]);
        }
        let waiting = run_json(service.data(), &["quarantine", "list", "--json"]);
        let waiting = waiting.as_array().expect("a list");
        let kept = waiting.iter().filter(|waiting| waiting["reason"] == "fault");
        let kept: Vec<_> = kept.map(|waiting| waiting["id"].to_string()).collect();
        assert_eq!((kept.len(), waiting.len() - kept.len()), (unfit, 2));
        for id in kept {
            run_json(service.data(), &["quarantine", "release", &id, "--json"]);
        }
        let waiting = run_json(service.data(), &["quarantine", "list", "--json"]);
        assert_eq!(waiting.as_array().map(Vec::len), Some(2), "{waiting}");
    }
}
