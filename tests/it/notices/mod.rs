//! Digests and alerts, sent to a real mail server and to a receiver of webhooks.

mod digests;
mod receivers;

use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::patience::Patience;
use crate::process;
use crate::service::{BINARY, Service, Webhook, delivery, now, run, run_json};
use crate::tls::authority::{Authority, Term};
use receivers::{Hook, MailServer, Mute};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// The text of a digest.
fn printed(service: &Service, more: &[&str]) -> String {
    let output = run(service.data(), &[&["digest", "--print"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

/// Runs a command with settings; answers standard output, and standard error when it failed.
fn run_with(service: &Service, env: &[(&str, &str)], args: &[&str]) -> Result<String, String> {
    let mut command = std::process::Command::new(BINARY);
    command.args(args).env("FOOTFALL_DATA", service.data()).envs(env.iter().copied());
    let output = process::output(&mut command);
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn simulate(service: &Service, webhook: &Webhook, range: &[&str]) {
    let url = format!("{}{}", service.root, webhook.path);
    let args = ["simulate", "--members", "60", "--url", &url, "--secret", &webhook.secret];
    let simulated = run(service.data(), &[&args[..], range].concat());
    assert!(simulated.status.success(), "{}", String::from_utf8_lossy(&simulated.stderr));
}

/// The cells of a line of a digest: this range, the one before, the change.
fn cells(digest: &str, label: &str) -> [String; 3] {
    let line = digest.lines().find_map(|line| line.strip_prefix(label));
    let line = line.unwrap_or_else(|| panic!("no {label} in {digest}"));
    let cells: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    cells.try_into().expect("three cells")
}

fn shown(figure: Option<f64>, digits: usize) -> String {
    figure.map_or("–".to_owned(), |figure| format!("{figure:.digits$}"))
}

/// Compares a digest with what the API says of both ranges, each one bucket long.
async fn agrees_with_api(
    service: &Service,
    digest: &str,
    interval: &str,
    ranges: [(&str, &str); 2],
) {
    let token = service.add_token(&Uuid::new_v4().to_string(), "viewer", &[]);
    for (place, (from, until)) in ranges.into_iter().enumerate() {
        let ask = async |report: &str, interval: &str| {
            let query = format!("from={from}&until={until}{interval}");
            service.get_ok(&token, &format!("/api/v1/gyms/mitte/reports/{report}?{query}")).await
        };
        let interval = format!("&interval={interval}");
        let visits = ask("visits", &interval).await;
        let members = ask("members", &interval).await["buckets"][0].clone();
        let stays = ask("durations", "").await["groups"][0].clone();
        let occupancy = ask("occupancy", &interval).await["buckets"][0].clone();
        let equipment = ask("equipment", &interval).await["buckets"][0].clone();
        let coverage = visits["coverage"].as_f64().map(|share| share * 100.0);
        let expected = [
            ("Visits ", shown(visits["buckets"][0]["visits"].as_f64(), 0)),
            ("Members ", shown(members["members"].as_f64(), 0)),
            ("New members ", shown(members["new"].as_f64(), 0)),
            ("Present on average ", shown(occupancy["average"].as_f64(), 1)),
            ("Peak ", shown(occupancy["peak"].as_f64(), 0)),
            ("Median stay, minutes ", shown(stays["median_minutes"].as_f64(), 0)),
            ("Equipment check-ins ", shown(equipment["checkins"].as_f64(), 0)),
            ("Visits seen at both ends, % ", shown(coverage, 0)),
        ];
        for (label, expected) in expected {
            assert_ne!(expected, "–", "{label}");
            assert_eq!(cells(digest, label)[place], expected, "{label} of {from} in\n{digest}");
        }
    }
}

#[tokio::test]
async fn a_digest_says_what_the_api_says() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    simulate(&service, &webhook, &["--from", "2026-02-01", "--until", "2026-04-05"]);
    // The week in which clocks were set forward.
    let weekly = printed(&service, &["--weekly", "--day", "2026-03-25"]);
    assert!(weekly.starts_with("mitte: weekly digest, 2026-03-23 to 2026-03-29\n"), "{weekly}");
    let ranges = [("2026-03-23", "2026-03-30"), ("2026-03-16", "2026-03-23")];
    agrees_with_api(&service, &weekly, "1w", ranges).await;
    let daily = printed(&service, &["--gym", "mitte", "--day", "2026-03-29"]);
    assert!(daily.starts_with("mitte: daily digest, 2026-03-29\n"), "{daily}");
    let ranges = [("2026-03-29", "2026-03-30"), ("2026-03-22", "2026-03-23")];
    agrees_with_api(&service, &daily, "1d", ranges).await;
    // Nothing came for the last weeks; the day is not called quiet, but incomplete.
    let nothing = printed(&service, &[]);
    assert_eq!(cells(&nothing, "Visits "), ["0", "0", "0"]);
    assert!(nothing.contains("No visit was received in this time."), "{nothing}");
    assert!(nothing.contains("INCOMPLETE: 24 of 24 hours are not complete"), "{nothing}");
}

#[test]
fn a_gym_without_a_past_says_so() {
    let service = Service::start();
    let none = run_with(&service, &[], &["digest", "--print"]).expect_err("there is no gym");
    assert!(none.contains("footfall gym add"), "{none}");
    service.add_gym("neu", "Europe/Berlin");
    let digest = printed(&service, &[]);
    assert!(digest.contains("This gym has never sent an event"), "{digest}");
    assert!(!digest.contains("Visits"), "no figure, and no zero either: {digest}");
}

#[needs::tools("aiosmtpd")]
#[tokio::test]
async fn a_digest_arrives_by_mail_and_by_webhook() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    simulate(&service, &webhook, &["--from", "2026-03-01", "--until", "2026-03-20"]);
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new();
    let root = authority.write_root(folder.path());
    let mut server = MailServer::start(Some(&authority.issue(folder.path(), "mail", Term::Now)));
    let hook = Hook::start();
    let notify = format!(
        r#"[{{ gyms = ["mitte"], mail = ["anna@example.com"], webhook = "{}" }}]"#,
        hook.url
    );
    let base = [
        ("FOOTFALL_NOTIFY", &*notify),
        ("FOOTFALL_MAIL_SERVER", "localhost"),
        ("FOOTFALL_MAIL_PORT", &*server.port.clone()),
        ("FOOTFALL_MAIL_ROOT", root.to_str().expect("it is text")),
        ("FOOTFALL_MAIL_FROM", "footfall <footfall@example.com>"),
        ("FOOTFALL_MAIL_USER", "footfall"),
        ("FOOTFALL_MAIL_PASSWORD", "open sesame"),
    ];
    let env = |more: &[(&'static str, &'static str)]| [&base[..], more].concat();
    let send = ["digest", "--send", "--weekly", "--day", "2026-03-11"];
    assert_eq!(run_with(&service, &env(&[]), &send).as_deref(), Ok("sent: 2\n"));
    let mail = server.next();
    let text = printed(&service, &["--weekly", "--day", "2026-03-11"]);
    assert_eq!(mail["recipients"], serde_json::json!(["anna@example.com"]));
    assert_eq!(mail["sender"], "footfall <footfall@example.com>");
    assert_eq!(mail["subject"], text.lines().next().expect("a first line"));
    assert_eq!(mail["text"].as_str().expect("a text").replace("\r\n", "\n"), text);
    assert!(mail["html"].as_str().expect("a text").contains("<table"), "{mail}");
    assert_eq!(mail["encrypted"], true);
    let printed_json = run_with(
        &service,
        &[],
        &["digest", "--print", "--weekly", "--day", "2026-03-11", "--json"],
    );
    let printed_json: Value =
        serde_json::from_str(&printed_json.expect("it prints")).expect("JSON");
    assert_eq!(hook.bodies(), [printed_json[0].clone()]);

    // What goes wrong is said, and no secret with it.
    let refused = |more: &[(&'static str, &'static str)], word: &str| {
        let said = run_with(&service, &env(more), &send).expect_err("it cannot be sent");
        assert!(said.contains(word), "{said}");
        assert!(!said.contains("sesame") && !said.contains("secret"), "{said}");
    };
    refused(&[("FOOTFALL_MAIL_PASSWORD", "open barley")], "the mail server answered 535");
    refused(&[("FOOTFALL_MAIL_ROOT", "")], "the mail server cannot be used");
    refused(&[("FOOTFALL_MAIL_TLS", "none")], "the mail server cannot be used");
    refused(&[("FOOTFALL_MAIL_PASSWORD", "")], "FOOTFALL_MAIL_PASSWORD");
    refused(&[("FOOTFALL_MAIL_FROM", "")], "`from` is missing");
    refused(&[("FOOTFALL_MAIL_SERVER", "")], "[mail] names no `server`");
    refused(&[("FOOTFALL_NOTIFY", "[]")], "nobody wants it");
    hook.stop().await;
    refused(&[], "the webhook cannot be reached");
    let shown = run_with(&service, &env(&[]), &["check-config"]).expect("it is good");
    assert!(shown.contains("(hidden)") && !shown.contains("sesame"), "{shown}");
    assert!(!shown.contains("services/secret"), "{shown}");
}

#[needs::tools("aiosmtpd")]
#[tokio::test]
async fn a_mail_that_should_be_encrypted_is_not_sent_in_the_clear() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let mut server = MailServer::start(None);
    let env = [
        ("FOOTFALL_NOTIFY", r#"[{ mail = ["anna@example.com"] }]"#),
        ("FOOTFALL_MAIL_SERVER", "127.0.0.1"),
        ("FOOTFALL_MAIL_PORT", &*server.port.clone()),
        ("FOOTFALL_MAIL_FROM", "footfall@example.com"),
    ];
    let said = run_with(&service, &env, &["digest", "--send"]).expect_err("it has no STARTTLS");
    assert!(said.contains("the mail server cannot be used"), "{said}");
    let env = [&env[..], &[("FOOTFALL_MAIL_TLS", "none")]].concat();
    assert_eq!(run_with(&service, &env, &["digest", "--send"]).as_deref(), Ok("sent: 1\n"));
    assert_eq!(server.next()["encrypted"], false);
}

#[needs::tools("aiosmtpd")]
#[tokio::test]
async fn a_mail_has_the_headers_by_which_it_is_not_taken_for_spam() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let name = "Fitneß Süd ".repeat(8);
    run_json(service.data(), &["gym", "set", "mitte", "--name", name.trim(), "--json"]);
    let mut server = MailServer::start(None);
    let env = [
        ("FOOTFALL_NOTIFY", r#"[{ mail = ["anna@example.com"] }]"#),
        ("FOOTFALL_MAIL_SERVER", "127.0.0.1"),
        ("FOOTFALL_MAIL_PORT", &*server.port.clone()),
        ("FOOTFALL_MAIL_FROM", "footfall <footfall@clubs.example.com>"),
        ("FOOTFALL_MAIL_TLS", "none"),
    ];
    for (public_url, hello) in [
        ("", "clubs.example.com"),
        ("https://footfall.example.com:8443", "footfall.example.com"),
        ("https://192.0.2.1", "clubs.example.com"),
    ] {
        let env = [&env[..], &[("FOOTFALL_PUBLIC_URL", public_url)]].concat();
        assert_eq!(run_with(&service, &env, &["digest", "--send"]).as_deref(), Ok("sent: 1\n"));
        let mail = server.next();
        assert_eq!(mail["hello"], hello, "{public_url}");
        let id = mail["message_id"].as_str().expect("a text").to_owned();
        assert!(id.starts_with('<') && id.ends_with("@clubs.example.com>"), "{id}");
        assert_eq!(mail["automatic"], "auto-generated");
        let date = mail["date"].as_str().expect("a text");
        assert!(chrono::DateTime::parse_from_rfc2822(date).is_ok(), "{date}");
        let subject = mail["subject"].as_str().expect("a text");
        assert!(subject.starts_with(name.trim()), "{subject}");
        assert_eq!(mail["is_ascii"], true, "a server need not know another alphabet");
        assert!(mail["longest_line"].as_u64().expect("a number") <= 998, "{mail}");
    }
}

#[tokio::test]
async fn a_service_sends_each_digest_once() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    service.add_gym("spandau", "Europe/Berlin");
    let folder = service.folder.clone();
    let time = |ago: i64| {
        let time = chrono::DateTime::from_timestamp_millis(now() - ago * 24 * HOUR);
        time.expect("a time").to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    };
    simulate(&service, &webhook, &["--from", &time(3), "--until", &time(0)]);
    drop(service);
    let start = |notify: &str| {
        Service::start_with(folder.clone(), "127.0.0.1:0", &[("FOOTFALL_NOTIFY", notify)])
    };
    let (first, second) = (Hook::start(), Hook::start());
    let entry = |hook: &Hook| format!(r#"{{ webhook = "{}", wants = ["daily"] }}"#, hook.url);
    // Named twice, told once.
    let service = start(&format!("[{0}, {0}]", entry(&first)));
    let titles = first.wait_for(1).await;
    // The other gym has no day to tell of yet.
    assert!(titles[0].starts_with("mitte: daily digest, "), "{titles:?}");
    wait_for_rows(&folder, "SELECT count(*) FROM notices WHERE subject = 'daily'", 1).await;
    assert!(service.stop());
    let service = start(&format!("[{}, {}]", entry(&first), entry(&second)));
    assert_eq!(second.wait_for(1).await, titles);
    wait_for_rows(&folder, "SELECT count(*) FROM notices WHERE subject = 'daily'", 2).await;
    assert!(service.stop());
    assert_eq!(first.titles(), titles);
    let log = std::fs::read_to_string(folder.path().join("service.log")).expect("a log");
    assert!(log.contains("a notice was sent") && !log.contains("services/secret"), "{log}");
}

#[tokio::test]
async fn a_digest_that_a_wrong_clock_told_in_the_future_is_told() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let folder = service.folder.clone();
    let time = |ago: i64| {
        let time = chrono::DateTime::from_timestamp_millis(now() - ago * 24 * HOUR);
        time.expect("a time").to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    };
    simulate(&service, &webhook, &["--from", &time(3), "--until", &time(0)]);
    assert!(service.stop());
    let hook = Hook::start();
    let notify = format!(r#"[{{ webhook = "{}", wants = ["daily"] }}]"#, hook.url);
    let start =
        || Service::start_with(folder.clone(), "127.0.0.1:0", &[("FOOTFALL_NOTIFY", &notify)]);
    let service = start();
    hook.wait_for(1).await;
    wait_for_rows(&folder, "SELECT count(*) FROM notices", 1).await;
    assert!(service.stop());
    let database = rusqlite::Connection::open(folder.path().join("footfall.db")).expect("it opens");
    let sql = format!("UPDATE notices SET at = {}", now() + 300 * 24 * HOUR);
    database.execute(&sql, []).expect("it is set");
    let service = start();
    hook.wait_for(2).await;
    assert!(service.stop());
}

/// Waits until a query counts so many rows.
async fn wait_for_rows(folder: &TempDir, sql: &str, count: i64) {
    let database = folder.path().join("footfall.db");
    let connection = rusqlite::Connection::open(database).expect("it is there");
    let patience = Patience::until("so many rows are there");
    while connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("it counts") != count {
        patience.again().await;
    }
}

#[tokio::test]
async fn a_full_gym_is_told_once_an_hour() {
    let mut service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let other = service.add_gym("spandau", "Europe/Berlin");
    let folder = service.folder.clone();
    for gym in ["mitte", "spandau"] {
        assert!(run(service.data(), &["gym", "set", gym, "--capacity", "2"]).status.success());
    }
    let hook = Hook::start();
    let notify = format!(r#"[{{ webhook = "{}", wants = ["alerts"] }}]"#, hook.url);
    // A service looks as soon as it has started.
    let again = |service: Service| {
        assert!(service.stop());
        Service::start_with(folder.clone(), "127.0.0.1:0", &[("FOOTFALL_NOTIFY", &notify)])
    };
    let members = [Uuid::new_v4(), Uuid::new_v4()];
    let come = async |service: &Service, webhook: &Webhook, ago: i64| {
        for member in members {
            let body = delivery(member, now() - ago, "GYM_CHECKIN");
            assert_eq!(service.post(webhook, body).await.0, 200);
        }
    };
    come(&service, &webhook, 60_000).await;
    service = again(service);
    assert_eq!(hook.wait_for(1).await, ["mitte: 2 present, over 90 % of 2"]);
    wait_for_rows(&folder, "SELECT count(*) FROM notices WHERE holds", 1).await;
    let body = delivery(members[0], now() - 30_000, "GYM_CHECKOUT");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    service = again(service);
    wait_for_rows(&folder, "SELECT count(*) FROM notices WHERE holds", 0).await;
    come(&service, &webhook, 10_000).await;
    come(&service, &other, 10_000).await;
    service = again(service);
    // The other gym is told in the same look, so that look is over.
    hook.wait_for(2).await;
    wait_for_rows(&folder, "SELECT count(*) FROM notices WHERE holds", 1).await;
    assert!(service.stop());
    let both = ["mitte: 2 present, over 90 % of 2", "spandau: 2 present, over 90 % of 2"];
    assert_eq!(hook.titles(), both);
}

#[tokio::test]
async fn what_may_have_arrived_is_not_said_again_within_the_hour() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let other = service.add_gym("spandau", "Europe/Berlin");
    let folder = service.folder.clone();
    for gym in ["mitte", "spandau"] {
        assert!(run(service.data(), &["gym", "set", gym, "--capacity", "1"]).status.success());
    }
    let mute = Mute::start();
    let notify = format!(r#"[{{ webhook = "{}", wants = ["alerts"] }}]"#, mute.url);
    let again = |service: Service| {
        assert!(service.stop());
        Service::start_with(folder.clone(), "127.0.0.1:0", &[("FOOTFALL_NOTIFY", &notify)])
    };
    let come = async |service: &Service, webhook: &Webhook| {
        for _ in 0..2 {
            let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
            assert_eq!(service.post(webhook, body).await.0, 200);
        }
    };
    come(&service, &webhook).await;
    let service = again(service);
    wait_for_rows(&folder, "SELECT count(*) FROM notices WHERE NOT holds", 1).await;
    come(&service, &other).await;
    let service = again(service);
    // The other gym is told in the same look.
    wait_for_rows(&folder, "SELECT count(*) FROM notices WHERE NOT holds", 2).await;
    assert!(service.stop());
    assert_eq!(
        mute.titles(),
        ["mitte: 2 present, over 90 % of 1", "spandau: 2 present, over 90 % of 1"]
    );
}

/// Visits of 55 minutes, 16 in each hour of the last five weeks up to three hours ago; then, if
/// asked for, one every five minutes, each four minutes long.
fn visits(goes_on: bool) -> String {
    let time = |at: i64| chrono::DateTime::from_timestamp_millis(at).expect("a time").to_rfc3339();
    let this_hour = now() - now().rem_euclid(HOUR);
    let mut rows = vec!["account,entered,left".to_owned()];
    let mut row = |member: u128, from: i64, until: i64| {
        let (account, from, until) = (Uuid::from_u128(member), time(from), time(until));
        rows.push(format!("{account},{from},{until}"));
    };
    for hour in 3..=37 * 24 {
        let from = this_hour - hour * HOUR;
        let members = (0..16).map(|place| 1_000 + u128::from(hour.unsigned_abs()) * 16 + place);
        members.for_each(|member| row(member, from, from + 55 * MINUTE));
    }
    if goes_on {
        let mut at = this_hour - 2 * HOUR;
        while at < now() - 5 * MINUTE {
            row(99, at, at + 4 * MINUTE);
            at += 5 * MINUTE;
        }
    }
    rows.join("\n")
}

#[tokio::test]
async fn a_silent_gym_and_one_that_is_emptier_than_usual_are_told() {
    let service = Service::start();
    let folder = service.folder.clone();
    let columns = folder.path().join("columns.toml");
    let mapping = "account = \"account\"\nentered = \"entered\"\nleft = \"left\"\n";
    std::fs::write(&columns, mapping).expect("it is written");
    for (gym, goes_on) in [("stumm", false), ("leer", true)] {
        service.add_gym(gym, "UTC");
        let file = folder.path().join(format!("{gym}.csv"));
        std::fs::write(&file, visits(goes_on)).expect("it is written");
        let path = |path: &std::path::Path| path.to_str().expect("it is text").to_owned();
        let args = ["import", &path(&file), "--gym", gym, "--mapping", &path(&columns)];
        let imported = run(folder.path(), &args);
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    }
    assert!(service.stop());
    let hook = Hook::start();
    let notify = format!(r#"[{{ webhook = "{}", wants = ["alerts"] }}]"#, hook.url);
    let service =
        Service::start_with(folder.clone(), "127.0.0.1:0", &[("FOOTFALL_NOTIFY", &notify)]);
    let titles = hook.wait_for(2).await;
    wait_for_rows(&folder, "SELECT count(*) FROM notices WHERE holds", 2).await;
    assert!(titles[0].starts_with("leer: "), "{titles:?}");
    assert!(titles[0].ends_with("% below usual"), "{titles:?}");
    assert_eq!(titles[1], "stumm: nothing was received for a while");
    assert!(service.stop());
}
