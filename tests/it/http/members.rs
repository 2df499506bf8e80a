//! Members: who stopped coming, and all that is stored of one.

use chrono::{DateTime, Days, NaiveDate, TimeZone};
use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use super::zone_by_day;
use crate::service::{Service, Webhook, answer, delivery, now};

const MINUTE: i64 = 60_000;
const ABSENT: &str = "/api/v1/gyms/mitte/members/absent";

/// A gym, and the day it is there.
struct Gym {
    service: Service,
    webhook: Webhook,
    token: String,
    zone: Tz,
    today: NaiveDate,
}

impl Gym {
    fn open() -> Gym {
        let service = Service::start();
        let zone = zone_by_day();
        let webhook = service.add_gym("mitte", zone.name());
        let token = service.add_token("desk", "manager", &["mitte"]);
        let here = DateTime::from_timestamp_millis(now()).expect("a time").with_timezone(&zone);
        Gym { service, webhook, token, zone, today: here.date_naive() }
    }

    /// A time of day on the gym's clock, so many local days ago.
    fn at(&self, days_ago: u64, hour: u32, minute: u32) -> i64 {
        let day = self.today.checked_sub_days(Days::new(days_ago)).expect("a date");
        let time = day.and_hms_opt(hour, minute, 0).expect("a time");
        self.zone.from_local_datetime(&time).earliest().expect("it exists").timestamp_millis()
    }

    async fn send(&self, account: Uuid, at: i64, kind: &str) {
        let (status, answer) = self.service.post(&self.webhook, delivery(account, at, kind)).await;
        assert_eq!((status, &answer["status"]), (200, &json!("accepted")), "{kind} {at}");
    }

    /// Half an hour's visit.
    async fn visit(&self, account: Uuid, entered: i64) {
        self.send(account, entered, "GYM_CHECKIN").await;
        self.send(account, entered + 30 * MINUTE, "GYM_CHECKOUT").await;
    }

    /// Who is absent: their numbers, as they are listed.
    async fn absent(&self, parameters: &str) -> Vec<u128> {
        let list = self.service.get_ok(&self.token, &format!("{ABSENT}{parameters}")).await;
        list["members"].as_array().expect("a list").iter().map(number).collect()
    }

    fn shown(&self, at: i64) -> String {
        let time = self.zone.timestamp_millis_opt(at).single().expect("a time");
        time.to_rfc3339_opts(chrono::SecondsFormat::Millis, false)
    }
}

fn number(member: &Value) -> u128 {
    let account: Uuid = member["account"].as_str().expect("a text").parse().expect("a UUID");
    account.as_u128()
}

fn member(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

#[tokio::test]
async fn absence_is_told_in_whole_local_days() {
    let gym = Gym::open();
    // The first and the last minute of each day at the bounds; the number says which day.
    for days_ago in [1, 2, 13, 14, 15, 88, 89, 90, 91] {
        gym.visit(member(u128::from(days_ago) * 10 + 1), gym.at(days_ago, 0, 0)).await;
        gym.visit(member(u128::from(days_ago) * 10 + 2), gym.at(days_ago, 23, 59)).await;
    }
    gym.visit(member(9), gym.at(0, 0, 1)).await;
    // The latest visit first, who is longest away last.
    let by_default = [142, 141, 152, 151, 882, 881, 892, 891];
    assert_eq!(gym.absent("").await, by_default);
    assert_eq!(gym.absent("?days=14").await, by_default);
    assert_eq!(gym.absent("?days=14&lost_after=90").await, by_default);
    assert_eq!(gym.absent("?lost_after=15").await, [142, 141]);
    assert_eq!(gym.absent("?days=1&lost_after=2").await, [12, 11]);
    assert_eq!(gym.absent("?days=2&lost_after=14").await, [22, 21, 132, 131]);
    assert_eq!(gym.absent("?days=90&lost_after=91").await, [902, 901]);
    assert_eq!(gym.absent("?days=90").await, [902, 901], "`lost_after` is at least a day more");
    assert_eq!(gym.absent("?days=91&lost_after=3650").await, [912, 911]);
    assert_eq!(gym.absent("?days=92&lost_after=3650").await, [0_u128; 0]);
    let list = gym.service.get_ok(&gym.token, &format!("{ABSENT}?lost_after=15")).await;
    assert_eq!((&list["days"], &list["lost_after"]), (&json!(14), &json!(15)));
    let last = &list["members"][0];
    assert_eq!(last["last_visit"], gym.shown(gym.at(14, 23, 59)), "when it was entered");
    assert_eq!((&last["days_ago"], &last["visits_before"]), (&json!(14), &json!(1)));
}

#[tokio::test]
async fn visits_before_are_those_of_56_local_days_with_the_last() {
    let gym = Gym::open();
    let (ada, bob, eve) = (member(1), member(2), member(3));
    for (days_ago, hour, minute) in
        [(20, 20, 0), (20, 8, 0), (21, 7, 0), (40, 7, 0), (75, 0, 0), (76, 22, 0), (77, 7, 0)]
    {
        gym.visit(ada, gym.at(days_ago, hour, minute)).await;
    }
    // What is no visit ends no absence; a visit without the door does.
    gym.send(ada, gym.at(3, 12, 0), "GYM_CHECKOUT").await;
    gym.send(ada, gym.at(2, 12, 0), "LOCKER_OPENED").await;
    gym.send(ada, gym.at(2, 12, 0), "GENIUS_ONBOARDING_COMPLETED").await;
    gym.visit(bob, gym.at(30, 12, 0)).await;
    gym.send(bob, gym.at(18, 12, 0), "EQUIPMENT_CHECKIN").await;
    gym.send(eve, gym.at(16, 12, 0), "GYM_CHECKOUT").await;
    let list = gym.service.get_ok(&gym.token, ABSENT).await;
    let row = |account: Uuid, at, days_ago, visits_before| {
        let last_visit = gym.shown(at);
        json!({
            "account": account, "last_visit": last_visit,
            "days_ago": days_ago, "visits_before": visits_before,
        })
    };
    let expected = [row(bob, gym.at(18, 12, 0), 18, 2), row(ada, gym.at(20, 20, 0), 20, 5)];
    assert_eq!(list["members"], json!(expected));
    // A visit that is told late ends the absence, or moves it.
    gym.visit(ada, gym.at(15, 6, 0)).await;
    gym.visit(bob, gym.at(1, 6, 0)).await;
    let list = gym.service.get_ok(&gym.token, ABSENT).await;
    assert_eq!(list["members"], json!([row(ada, gym.at(15, 6, 0), 15, 5)]));
}

#[tokio::test]
async fn the_absent_list_is_for_managers_and_bad_bounds_are_told() {
    let gym = Gym::open();
    let service = &gym.service;
    let viewer = service.add_token("viewer", "viewer", &[]);
    let (status, problem) = service.get(&viewer, ABSENT).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")));
    for bad in [
        "days=0",
        "days=-1",
        "days=14&lost_after=14",
        "days=15&lost_after=14",
        "lost_after=14",
        "lost_after=3651",
        "days=3650",
        "days=2147483647",
        "days=2147483647&lost_after=90",
        "lost_after=2147483647",
        "days=-2147483648",
        "days=2147483648",
        "days=many",
        "day=14",
        "format=xml",
    ] {
        let (status, problem) = service.get(&gym.token, &format!("{ABSENT}?{bad}")).await;
        let found = (status, problem["code"].as_str());
        assert_eq!(found, (422, Some("bad_parameter")), "{bad}: {problem}");
    }
    assert_eq!(gym.absent("?days=3649").await, [0_u128; 0]);
}

#[tokio::test]
async fn the_absent_list_is_csv_too_and_has_a_tag() {
    let gym = Gym::open();
    gym.visit(member(1), gym.at(20, 12, 0)).await;
    gym.visit(member(2), gym.at(30, 12, 0)).await;
    let url = format!("{}{ABSENT}", gym.service.root);
    let ask = || gym.service.client.get(&url).bearer_auth(&gym.token);
    let response = ask().header("accept", "text/csv").send().await.expect("an answer");
    assert!(response.headers()["content-type"].to_str().is_ok_and(|s| s.starts_with("text/csv")));
    let text = response.text().await.expect("it comes whole");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "account,last_visit,days_ago,visits_before");
    assert_eq!(lines[1], format!("{},{},20,1", member(1), gym.shown(gym.at(20, 12, 0))));
    assert_eq!(lines.len(), 3);
    let response = ask().send().await.expect("an answer");
    let tag = response.headers()["etag"].clone();
    let again = ask().header("if-none-match", &tag).send().await.expect("an answer");
    assert_eq!((again.status().as_u16(), again.bytes().await.expect("none").len()), (304, 0));
    gym.visit(member(1), gym.at(3, 12, 0)).await;
    let (status, list) = answer(ask().header("if-none-match", &tag)).await;
    assert_eq!((status, list["members"].as_array().map(Vec::len)), (200, Some(1)), "{list}");
}

#[tokio::test]
async fn an_empty_absent_list_is_csv_with_the_same_header() {
    let gym = Gym::open();
    let url = format!("{}{ABSENT}?format=csv", gym.service.root);
    let (status, text) = answer(gym.service.client.get(url).bearer_auth(&gym.token)).await;
    assert_eq!(status, 200);
    let text = text.as_str().expect("a text").trim_end();
    assert_eq!(text, "account,last_visit,days_ago,visits_before");
}

/// The visits of the member below.
fn visits(gym: &Gym) -> Value {
    let shown = |days_ago, hour, minute| gym.shown(gym.at(days_ago, hour, minute));
    json!([
        {
            "entered": shown(9, 10, 0), "entered_by": "checkin",
            "left": shown(9, 11, 0), "ended_by": "checkout",
            "equipment_checkins": 1, "repeat_swipes": 1,
        },
        {
            "entered": shown(7, 9, 0), "entered_by": "equipment",
            "left": shown(7, 10, 15), "ended_by": "assumed",
            "equipment_checkins": 1, "repeat_swipes": 0,
        },
    ])
}

#[tokio::test]
async fn all_that_is_stored_of_a_member_is_told() {
    let gym = Gym::open();
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let (service, webhook) = (&gym.service, &gym.webhook);
    let admin = service.add_token("admin", "admin", &[]);
    let elsewhere = service.add_gym("soho", "Europe/London");
    // In no order, and with another member's between them.
    for (days_ago, hour, minute, kind) in [
        (9, 11, 0, "GYM_CHECKOUT"),
        (9, 10, 0, "GYM_CHECKIN"),
        (8, 12, 0, "GYM_CHECKOUT"),
        (9, 10, 1, "GYM_CHECKIN"),
        (7, 9, 0, "EQUIPMENT_CHECKIN"),
        (6, 9, 0, "LOCKER_OPENED"),
        (5, 9, 0, "GENIUS_ONBOARDING_COMPLETED"),
    ] {
        gym.send(ada, gym.at(days_ago, hour, minute), kind).await;
        gym.send(bob, gym.at(days_ago, hour, minute), kind).await;
    }
    let with_card = json!({
        "accountId": ada.to_string().to_uppercase(), "timestamp": gym.at(9, 10, 20),
        "type": "EQUIPMENT_CHECKIN", "card": { "no": 7, "of": ada.to_string() }, "lane": null,
    });
    assert_eq!(service.post(webhook, with_card.to_string()).await.1["status"], "accepted");
    let there = delivery(ada, gym.at(3, 9, 0), "GYM_CHECKIN");
    assert_eq!(service.post(&elsewhere, there).await.0, 200);

    let path = format!("/api/v1/gyms/mitte/members/{ada}");
    let told = service.get_ok(&gym.token, &path).await;
    assert_eq!((&told["gym"], &told["account"]), (&json!("mitte"), &json!(ada)));
    let log = service.get_ok(&admin, "/api/v1/gyms/mitte/events").await;
    let log = log["events"].as_array().expect("a list").iter();
    let own: Vec<_> = log.filter(|event| event["account"] == json!(ada)).cloned().collect();
    assert_eq!(own.len(), 8);
    assert_eq!(told["events"], json!(own), "as the log has them, in its order");
    let extra = json!({ "card": { "no": 7, "of": ada.to_string() }, "lane": null });
    assert_eq!(told["events"][7]["extra"], extra);
    let with_bob = json!({
        "accountId": ada, "timestamp": gym.at(9, 10, 25), "type": "LOCKER_OPENED", "with": bob,
    });
    assert_eq!(service.post(webhook, with_bob.to_string()).await.1["status"], "accepted");
    let who_asks = [(&gym.token, None), (&admin, Some(json!({ "with": bob })))];
    for (token, named) in who_asks {
        let told = service.get_ok(token, &path).await;
        let last = &told["events"][8];
        assert_eq!(last.get("extra").cloned(), named, "whom it names besides is for admins");
    }
    let told = service.get_ok(&gym.token, &path).await;
    assert_eq!(told["visits"], visits(&gym));
    assert_eq!(told["orphan_checkouts"], json!([gym.shown(gym.at(8, 12, 0))]));
    assert_eq!(told["quarantine"], json!([]));
    for spelled in [ada.to_string().to_uppercase(), ada.simple().to_string()] {
        let path = format!("/api/v1/gyms/mitte/members/{spelled}");
        assert_eq!(service.get_ok(&gym.token, &path).await, told, "{spelled}");
    }
    let viewer = service.add_token("viewer", "viewer", &[]);
    assert_eq!(service.get(&viewer, &path).await.0, 403);
}

/// What is told of a member's deliveries in quarantine, of these at one gym.
async fn told_of_quarantine(account: Uuid, bodies: &[String]) -> Value {
    let gym = Gym::open();
    let elsewhere = gym.service.add_gym("soho", "Europe/London");
    for body in bodies {
        assert!(gym.service.post(&gym.webhook, body.clone()).await.0 >= 400, "{body}");
        assert!(gym.service.post(&elsewhere, format!("{body} elsewhere")).await.0 >= 400);
        let other = body.to_lowercase().replace(&account.to_string(), &Uuid::new_v4().to_string());
        let other = other.replace(&account.simple().to_string(), "somebody");
        assert!(gym.service.post(&gym.webhook, other).await.0 >= 400);
    }
    let path = format!("/api/v1/gyms/mitte/members/{account}");
    let admin = gym.service.add_token("admin", "admin", &[]);
    let told = gym.service.get_ok(&admin, &path).await;
    assert_eq!((&told["events"], &told["visits"]), (&json!([]), &json!([])), "there is no other");
    let of_manager = gym.service.get_ok(&gym.token, &path).await;
    let told = told["quarantine"].as_array().expect("a list");
    for (one, seen) in told.iter().zip(of_manager["quarantine"].as_array().expect("a list")) {
        assert_eq!((&one["id"], &one["reason"]), (&seen["id"], &seen["reason"]));
        assert!(seen.get("body").is_none(), "the text is for admins: {seen}");
    }
    told.iter().map(|one| one["body"].clone()).collect()
}

#[tokio::test]
async fn deliveries_in_quarantine_are_told_of_in_any_case_of_letters() {
    let account: Uuid = "a1b2c3d4-e5f6-4a7b-8c9d-abcdefabcdef".parse().expect("a UUID");
    let text = account.to_string();
    let mixed: String = (0..)
        .zip(text.chars())
        .map(|(place, c)| if place % 2 == 0 { c.to_ascii_uppercase() } else { c })
        .collect();
    let bodies = [
        format!(r#"{{"accountId":"{text}","timestamp":"soon","type":"GYM_CHECKIN"}}"#),
        format!(r#"{{"accountId":"{}","timestamp":7,"type":"GYM_CHECKIN"}}"#, text.to_uppercase()),
        format!(r#"{{"accountId":"{mixed}"#),
        format!("ä {mixed} and no JSON"),
    ];
    assert_eq!(told_of_quarantine(account, &bodies).await, json!(bodies));
}

#[tokio::test]
async fn deliveries_in_quarantine_are_told_of_without_hyphens_too() {
    // What an erasure takes away as a mention is one here.
    let account = Uuid::new_v4();
    let plain = account.simple().to_string();
    let bodies = [
        format!(r#"{{"accountId":"{plain}","timestamp":7,"type":"GYM_CHECKIN"}}"#),
        format!(r#"{{"accountId":"{}"#, plain.to_uppercase()),
    ];
    assert_eq!(told_of_quarantine(account, &bodies).await, json!(bodies));
}

#[tokio::test]
async fn of_who_is_not_known_nothing_is_told() {
    let gym = Gym::open();
    let (service, ada) = (&gym.service, Uuid::new_v4());
    let elsewhere = service.add_gym("soho", "Europe/London");
    let body = delivery(ada, now() - MINUTE, "GYM_CHECKIN");
    assert_eq!(service.post(&elsewhere, body).await.0, 200);
    for account in [ada.to_string(), Uuid::new_v4().to_string(), "7".into(), "%20".into()] {
        let path = format!("/api/v1/gyms/mitte/members/{account}");
        let (status, problem) = service.get(&gym.token, &path).await;
        assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")), "{path}");
        assert!(!problem["detail"].to_string().contains(&account), "{problem}");
    }
}
