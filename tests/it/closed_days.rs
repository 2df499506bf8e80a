//! Closed days: said by command, over the API or by a calendar; seen in every report.

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use crate::service::{Service, answer, delivery, now, run, run_json};

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\n\
    BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20251225\r\nDTEND;VALUE=DATE:20251227\r\n\
    RRULE:FREQ=YEARLY\r\nSUMMARY:Christmas\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:2\r\nDTSTART:20260105T100000Z\r\nDTEND:20260105T110000Z\r\n\
    SUMMARY:Meeting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn today() -> NaiveDate {
    chrono::DateTime::from_timestamp_millis(now()).expect("a time").date_naive()
}

/// The days of a report that say that they were closed.
async fn closed(service: &Service, token: &str, from: NaiveDate, until: NaiveDate) -> Vec<String> {
    let path = format!("/api/v1/gyms/mitte/reports/visits?from={from}&until={until}&interval=1d");
    let report = service.get_ok(token, &path).await;
    let buckets = report["buckets"].as_array().expect("a list");
    let closed = buckets.iter().filter(|bucket| bucket["closed"] == json!(true));
    closed.map(|bucket| bucket["start"].as_str().expect("a text")[..10].to_owned()).collect()
}

#[tokio::test]
async fn they_are_written_and_taken_back_over_the_api() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("mia", "manager", &[]);
    let url = format!("{}/api/v1/gyms/mitte/annotations", service.root);
    let post = |body: String| answer(service.client.post(&url).bearer_auth(&token).body(body));
    let day = today() - Days::new(3);
    let note = |kind: &str, to: NaiveDate, text: &str| {
        json!({ "from": day, "to": to, "kind": kind, "text": text }).to_string()
    };
    let (status, made) = post(note("closed", day + Days::new(1), "a new floor")).await;
    assert_eq!((status, &made["kind"], &made["yearly"]), (201, &json!("closed"), &json!(false)));
    // A gym exists from its first event on.
    let visit = delivery(uuid::Uuid::new_v4(), now() - 6 * 86_400_000, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, visit).await.0, 200);
    let (from, until) = (day - Days::new(2), day + Days::new(4));
    let expected = [day.to_string(), (day + Days::new(1)).to_string()];
    assert_eq!(closed(&service, &token, from, until).await, expected);

    let path = "/api/v1/gyms/mitte/reports/visits?interval=1d&format=csv";
    for from in [from, day] {
        let csv = service.get_ok(&token, &format!("{path}&from={from}&until={until}")).await;
        let csv = csv.as_str().expect("a text");
        let lines: Vec<_> = csv.lines().map(|line| line.rsplit(',').next()).collect();
        assert_eq!(lines[0], Some("closed"), "its place depends on no data: {csv}");
        assert_eq!(lines.iter().filter(|cell| **cell == Some("true")).count(), 2, "{csv}");
    }

    for (body, status, code) in [
        ("{".to_owned(), 400, "not_json"),
        ("[]".to_owned(), 422, "bad_parameter"),
        (note("shut", day, "x"), 422, "bad_parameter"),
        (note("closed", day - Days::new(1), "x"), 422, "bad_parameter"),
        (note("closed", day, &uuid::Uuid::new_v4().to_string()), 422, "bad_parameter"),
        (" ".repeat(20_000), 413, "body_too_large"),
    ] {
        let (found, problem) = post(body).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
    let listed = service.get_ok(&token, "/api/v1/gyms/mitte/annotations").await;
    assert_eq!(listed["annotations"], json!([made]));

    let gone = service.client.delete(format!("{url}/{}", made["id"])).bearer_auth(&token);
    assert_eq!(gone.send().await.expect("an answer").status(), 204);
    let again = service.client.delete(format!("{url}/{}", made["id"])).bearer_auth(&token);
    assert_eq!(answer(again).await.0, 404);
    assert!(closed(&service, &token, from, until).await.is_empty(), "the tag is another too");
}

#[tokio::test]
async fn a_calendar_says_them_once_for_all_gyms() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    service.add_gym("soho", "Europe/London");
    let token = service.add_token("mia", "viewer", &[]);
    let file = service.data().join("holidays.ics");
    std::fs::write(&file, CALENDAR).expect("it is written");
    let file = file.to_str().expect("a path");
    let import = |more: &[&str]| -> Value {
        let args = [&["annotation", "import", file, "--all-gyms", "--json"], more].concat();
        run_json(service.data(), &args)
    };
    let tried = import(&["--dry-run"]);
    assert_eq!(tried["added"].as_array().map(Vec::len), Some(2), "{tried}");
    assert_eq!(run_json(service.data(), &["annotation", "list", "--json"]), json!([]));
    let done = import(&[]);
    assert_eq!(done["left_out"][0]["summary"], "Meeting", "{done}");
    assert_eq!(import(&[])["added"], json!([]), "what is there already is left alone");

    let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
    let found = closed(&service, &token, day("2026-12-20"), day("2027-01-01")).await;
    assert_eq!(found, ["2026-12-25", "2026-12-26"], "each year");
    let found = closed(&service, &token, day("2024-12-20"), day("2025-01-01")).await;
    assert!(found.is_empty(), "but not before it was said: {found:?}");

    // As Windows writes it: one byte for a letter with a mark.
    let kings = CALENDAR.replace("Christmas", "Heilige Drei K\u{f6}nige");
    let bytes: Vec<u8> = kings.chars().map(|one| u8::try_from(one).expect("Latin")).collect();
    std::fs::write(file, bytes).expect("it is written");
    assert_eq!(import(&["--dry-run"])["added"][0]["text"], "Heilige Drei K\u{f6}nige");

    // Of a range, as instants at the gym, once for each year; of another kind, none.
    let path = "/api/v1/gyms/mitte/annotations?from=2026-12-26T12:00:00Z&until=2028-01-01";
    let told = service.get_ok(&token, path).await;
    let runs = told["occurrences"].as_array().expect("a list");
    let ends: Vec<_> = runs.iter().map(|run| [&run["start"], &run["until"]]).collect();
    let [from, until] = ["25T00:00:00+01:00", "27T00:00:00+01:00"];
    let expected = ["2026", "2027"].map(|year| [from, until].map(|end| format!("{year}-12-{end}")));
    assert_eq!(json!(ends), json!(expected));
    assert_eq!((&runs[0]["kind"], &runs[0]["text"]), (&json!("closed"), &json!("Christmas")));
    assert_eq!(told["annotations"].as_array().map(Vec::len), Some(1));
    for none in ["kind=refit", "from=2024-12-20&until=2025-01-01"] {
        let path = format!("/api/v1/gyms/mitte/annotations?{none}");
        assert_eq!(service.get_ok(&token, &path).await["annotations"], json!([]), "{none}");
    }
    for (bad, code) in [("kind=shut", "bad_parameter"), ("from=x", "bad_range")] {
        let path = format!("/api/v1/gyms/mitte/annotations?{bad}");
        let (status, problem) = service.get(&token, &path).await;
        assert_eq!((status, problem["code"].as_str()), (422, Some(code)), "{problem}");
    }

    let removed = run(service.data(), &["annotation", "remove", "mitte", "1"]);
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    let removed = run(service.data(), &["annotation", "remove", "mitte", "2"]);
    assert!(!removed.status.success(), "that of another gym stays");
    let left = run_json(service.data(), &["annotation", "list", "--json"]);
    assert_eq!(left[0]["gym"], "soho", "{left}");
}
