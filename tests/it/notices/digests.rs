//! What a digest says of a day that is not over, of a gym with a short past, and of what is missing.

use chrono::{DateTime, Days, FixedOffset, SecondsFormat, Timelike};
use uuid::Uuid;

use super::{HOUR, cells, printed, shown, simulate};
use crate::patience::Patience;
use crate::service::{Service, delivery, now};

/// So many days before now, as a command takes it.
fn days_ago(days: i64) -> String {
    let time = DateTime::from_timestamp_millis(now() - days * 24 * HOUR).expect("a time");
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Where a sentence stands in a digest.
fn place(digest: &str, sentence: &str) -> usize {
    digest.find(sentence).unwrap_or_else(|| panic!("no {sentence} in\n{digest}"))
}

#[tokio::test]
async fn a_day_that_is_not_over_is_compared_with_the_same_part_of_another() {
    let service = Service::start();
    // Wherever it is afternoon now.
    let utc = DateTime::from_timestamp_millis(now()).expect("a time");
    let east = (15 - i64::from(utc.hour())).min(14);
    let webhook = service.add_gym("mitte", &format!("Etc/GMT{:+}", -east));
    simulate(&service, &webhook, &["--from", &days_ago(40), "--until", &days_ago(0)]);
    service.post(&webhook, "no JSON").await;
    let token = service.add_token("viewer", "viewer", &[]);
    let offset = FixedOffset::east_opt(i32::try_from(east).expect("small") * 3600).expect("small");
    let today = utc.with_timezone(&offset).date_naive();
    let tomorrow = today + Days::new(1);
    // One of the two may be a holiday, on which by chance nobody came.
    for day in [today, today - Days::new(7)] {
        let early =
            day.and_hms_opt(0, 1, 0).and_then(|early| early.and_local_timezone(offset).single());
        let body =
            delivery(Uuid::from_u128(1), early.expect("a time").timestamp_millis(), "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, body).await.0, 200);
    }
    let query = format!("from={today}&until={tomorrow}&interval=1d&compare=previous");
    let ask = async |report: &str| {
        let path = format!("/api/v1/gyms/mitte/reports/{report}?{query}");
        service.get_ok(&token, &path).await["comparison"].clone()
    };
    // A quarter of an hour may end between two questions.
    let patience = Patience::until("nothing changes between two questions");
    let (digest, visits, occupancy) = loop {
        let before = ask("visits").await;
        let digest = printed(&service, &["--day", &today.to_string()]);
        let (visits, occupancy) = (ask("visits").await, ask("occupancy").await);
        if before == visits {
            break (digest, visits, occupancy);
        }
        patience.again().await;
    };
    assert!(digest.starts_with(&format!("mitte: daily digest, {today} so far\n")), "{digest}");
    assert!(digest.contains("is left out on both sides"), "{digest}");
    assert!(digest.contains("that wait there now: 1."), "{digest}");
    for (place, side) in ["this", "that"].into_iter().enumerate() {
        let entered = visits[side]["totals"]["visits"].as_f64();
        assert!(entered.is_some_and(|visits| visits > 0.0), "{visits}");
        assert_eq!(cells(&digest, "Visits ")[place], shown(entered, 0), "{digest}\n{visits}");
        let average = occupancy[side]["totals"]["average"].as_f64();
        assert_eq!(cells(&digest, "Present on average ")[place], shown(average, 1), "{digest}");
    }
    for of_whole_days in ["Members ", "Active within 28 days "] {
        assert_eq!(cells(&digest, of_whole_days), ["–", "–", "–"], "{digest}");
    }
}

#[tokio::test]
async fn a_gym_with_a_short_past_does_not_claim_to_be_complete() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    simulate(&service, &webhook, &["--from", "2026-03-02", "--until", "2026-04-05"]);
    let first = printed(&service, &["--day", "2026-03-04"]);
    assert!(first.contains("No data of the day a week before; the first event was on 2026-03-02"));
    assert!(first.contains("cannot be told yet"), "{first}");
    assert!(!first.contains("complete"), "{first}");
    let [this, before, change] = cells(&first, "Visits ");
    assert_ne!(this, "–");
    assert_eq!([&*before, &*change], ["–", "–"], "{first}");
    let partly = printed(&service, &["--day", "2026-03-09"]);
    assert!(partly.contains("Not all of the day a week before is known"), "{partly}");
    let later = printed(&service, &["--day", "2026-03-30"]);
    place(&later, "Every hour of this day is complete.");
    place(&later, "Whether events of the day a week before are missing could not be told yet.");
}

#[tokio::test]
async fn what_is_missing_of_a_range_stands_before_what_is_missing_of_the_one_before() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    simulate(&service, &webhook, &["--from", "2026-02-01", "--until", "2026-03-20"]);
    simulate(&service, &webhook, &["--from", "2026-03-23", "--until", "2026-04-12"]);
    // The Monday after the gap, of which the gap's end takes the night.
    let day = printed(&service, &["--day", "2026-03-30"]);
    let this = place(&day, "Every hour of this day is complete.");
    assert!(this < place(&day, "INCOMPLETE, the day a week before: "), "{day}");
    place(&day, "Silent although events were all but certain: 2026-03-19");
    let week = printed(&service, &["--weekly", "--day", "2026-03-23"]);
    let this = place(&week, "INCOMPLETE: ");
    assert!(this < place(&week, "INCOMPLETE, the week before: "), "{week}");
}

#[test]
fn a_digest_is_said_in_the_language_that_is_asked_for() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    simulate(&service, &webhook, &["--from", "2026-03-01", "--until", "2026-03-20"]);
    let day = ["--weekly", "--day", "2026-03-11"];
    let (english, german) =
        (printed(&service, &day), printed(&service, &[&day[..], &["--language", "de"]].concat()));
    let mut lines = german.lines();
    assert_eq!(lines.next(), Some("mitte: Wochenbericht, 09.03.2026 bis 15.03.2026"));
    assert_eq!(cells(&german, "Besuche ")[0], cells(&english, "Visits ")[0]);
    let average = cells(&english, "Present on average ")[0].replace('.', ",");
    assert_eq!(cells(&german, "Im Mittel anwesend ")[0], average);
    assert!(german.contains("Zeiten sind die von Europe/Berlin."), "{german}");
    for word in ["Visits", "week", "complete", "Times"] {
        assert!(!german.contains(word), "{word} in {german}");
    }
    let unknown = super::run_with(&service, &[], &["digest", "--print", "--language", "nn"]);
    assert!(unknown.expect_err("there is no such language").contains("there are en, de"));
}
