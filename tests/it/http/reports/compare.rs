//! `compare`: the part of a range that has passed beside the same part of an earlier range, with
//! weekdays beside weekdays.

use chrono::{DateTime, Datelike, Days, NaiveDate};
use chrono_tz::Tz;
use footfall::app::simulate::traffic::{Plan, deliveries};
use footfall::domain::ids::Slug;
use footfall::http::reports::Parameters;
use serde_json::{Value, json};

use super::{DAY, GYMS, House, date, start_of};
use crate::laws::assert_same;
use crate::ledger::Ledger;
use crate::reference;
use crate::service::{Service, now};

/// One side of a comparison, or a report as if it were one.
fn side(report: &Value) -> Value {
    let mut side = report.clone();
    let fields = side.as_object_mut().expect("an object");
    for name in ["gym", "report", "interval", "time_zone", "position", "comparison"] {
        fields.remove(name);
    }
    side
}

/// The same date so many weeks earlier.
fn weeks_before(text: &str, weeks: u64) -> String {
    date(text).checked_sub_days(Days::new(7 * weeks)).expect("a date").to_string()
}

/// Asks for a comparison of local dates, and compares each side with a plain report. `weeks` is
/// how far apart they must be.
async fn assert_compared(house: &House, gym: &str, range: (&str, &str), compare: &str, weeks: u64) {
    let (from, until) = range;
    let (earlier_from, earlier_until) = (weeks_before(from, weeks), weeks_before(until, weeks));
    for (name, options) in [
        ("occupancy", "interval=1h"),
        ("visits", "interval=1d"),
        ("visits", "interval=15m"),
        ("visits", "interval=1mo"),
        ("members", "interval=1d"),
        ("activity", "interval=1d"),
        ("durations", "group_by=weekday"),
        ("equipment", "interval=1w"),
        ("popular-times", "format=json"),
        ("onboarding", "interval=1d"),
        ("quality", "interval=1d"),
    ] {
        let about = format!("{gym} {name} {from} {until} {compare}");
        let path = format!("gyms/{gym}/reports/{name}?{options}");
        let asked = format!("{path}&from={from}&until={until}&compare={compare}");
        let compared = house.ask(&asked).await;
        let plain = house.ask(&format!("{path}&from={from}&until={until}")).await;
        let earlier = format!("{path}&from={earlier_from}&until={earlier_until}");
        let earlier = house.ask(&earlier).await;
        let Value::Object(mut sides) = compared["comparison"].clone() else {
            panic!("{about}: {compared}")
        };
        assert_eq!(sides.remove("compare"), Some(json!(compare)));
        assert_same(&side(&compared), &side(&plain), &about);
        assert_same(&sides["this"], &side(&plain), &about);
        assert_same(&sides["that"], &side(&earlier), &about);
        assert_eq!(sides.len(), 2, "{about}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_is_compared_with_the_same_weekdays_of_before() {
    let house = House::open().await;
    for (gym, range, compare, weeks) in [
        // The week before has an hour more, or half an hour less.
        ("berlin", ("2025-10-27", "2025-11-03"), "previous", 1),
        ("new-york", ("2025-11-03", "2025-11-10"), "previous", 1),
        ("lord-howe", ("2025-10-06", "2025-10-13"), "previous", 1),
        // This week has it, and is longer than a week.
        ("berlin", ("2025-10-20", "2025-10-27"), "previous", 2),
        // By the smallest number of weeks that is at least its length.
        ("berlin", ("2025-10-26", "2025-10-27"), "previous", 1),
        ("berlin", ("2025-10-27", "2025-11-04"), "previous", 2),
        ("new-york", ("2025-10-20", "2025-11-02"), "previous", 2),
        ("new-york", ("2025-10-20", "2025-11-03"), "previous", 3),
        ("new-york", ("2025-10-20", "2025-11-10"), "previous", 4),
        // 52 weeks are 364 days.
        ("berlin", ("2025-10-27", "2025-11-03"), "year", 52),
        ("lord-howe", ("2025-10-13", "2025-10-27"), "year", 52),
    ] {
        assert_compared(&house, gym, range, compare, weeks).await;
    }
    let path = "gyms/berlin/reports/visits?from=2025-10-20&until=2025-11-03&compare=previous";
    let compared = &house.ask(path).await["comparison"];
    let days = |side: &str| -> Vec<NaiveDate> {
        let buckets = compared[side]["buckets"].as_array().expect("a list").iter();
        let starts = buckets.map(|bucket| bucket["start"].as_str().expect("a text")[..10].parse());
        starts.collect::<Result<_, _>>().expect("dates")
    };
    assert_eq!(days("this").len(), 14);
    for (this, that) in days("this").into_iter().zip(days("that")) {
        assert_eq!((this.weekday(), (this - that).num_days()), (that.weekday(), 21));
    }
    let with_hours = "gyms/berlin/reports/visits?compare=previous\
         &from=2025-10-27T06:00:00%2B01:00&until=2025-10-27T22:00:00%2B01:00";
    let that = &house.ask(with_hours).await["comparison"]["that"];
    assert_eq!(that["from"], "2025-10-20T06:00:00+02:00", "the same hours on the gym's clock");
    assert_eq!(that["until"], "2025-10-20T22:00:00+02:00");
    assert!(that["totals"]["visits"].as_u64() > Some(0), "{that}");
    let chain = house.ask("reports/visits?from=2025-10-27&until=2025-11-03&compare=year").await;
    for gym in chain["gyms"].as_array().expect("a list") {
        let slug = gym["gym"].as_str().expect("a text");
        let path = "reports/visits?from=2025-10-27&until=2025-11-03&compare=year";
        assert_eq!(*gym, house.ask(&format!("gyms/{slug}/{path}")).await, "also over several gyms");
    }
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_clearly() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "viewer", &[]);
    let house = House { service, token };
    let in_days = |days| DateTime::from_timestamp_millis(now() + days * DAY).expect("a time");
    let to_come = format!("from={}&until={}", in_days(2).date_naive(), in_days(30).date_naive());
    for (report, options, code) in [
        ("members", "interval=1mo&from=2025-01-01&until=2025-03-01".to_owned(), "bad_parameter"),
        ("retention", "from=2025-01-01&until=2025-03-01".to_owned(), "bad_parameter"),
        ("visits", to_come.clone(), "bad_range"),
        ("occupancy", to_come.clone(), "bad_range"),
        ("members", format!("{to_come}&interval=1w"), "bad_range"),
    ] {
        for compare in ["previous", "year"] {
            for place in ["gyms/mitte/", ""] {
                let path = format!("{place}reports/{report}?{options}&compare={compare}");
                assert_eq!(house.refused(&path).await, (422, code.to_owned()), "{path}");
            }
        }
    }
    for bad in ["compare=week", "compare="] {
        let path = format!("gyms/mitte/reports/visits?{bad}");
        assert_eq!(house.refused(&path).await, (422, "bad_parameter".into()), "{path}");
    }
    // Without a comparison, what is to come is a report like any other.
    let report = house.ask(&format!("gyms/mitte/reports/visits?{to_come}")).await;
    assert_eq!((&report["totals"]["visits"], &report.get("comparison")), (&json!(0), &None));
}

/// Compares at a moment that is chosen: from a ledger, since a service goes by its clock. Both
/// sides must be about the ranges given, and say what plain reports on these say.
fn assert_sides(
    ledger: &Ledger,
    (zone, slug): &(Tz, Slug),
    report: (&str, &str),
    range: (&str, &str),
    now: &str,
    sides: [[&str; 2]; 2],
) {
    let at = DateTime::parse_from_rfc3339(now).expect("a time").timestamp_millis();
    let (name, interval) = report;
    let ask = |from: &str, until: &str, compare: Option<&str>| {
        let parameters = Parameters {
            from: Some(from.to_owned()),
            until: Some(until.to_owned()),
            interval: Some(interval.to_owned()),
            compare: compare.map(str::to_owned),
            ..Parameters::default()
        };
        ledger.report(slug, name, &parameters, at)
    };
    let compared = ask(range.0, range.1, Some("previous"));
    for (side_name, [from, until]) in ["this", "that"].into_iter().zip(sides) {
        let about = format!("{zone} {name} {range:?} {side_name}");
        let part = &compared["comparison"][side_name];
        assert_eq!((&part["from"], &part["until"]), (&json!(from), &json!(until)), "{about}");
        assert_same(part, &side(&ask(from, until, None)), &about);
    }
}

/// A gym in a ledger, with traffic over local dates.
fn add_traffic(ledger: &mut Ledger, zone: Tz, from: &str, until: &str) -> (Tz, Slug) {
    let rules = reference::Rules::default();
    let slug = ledger.add_gym(&reference::Gym { slug: String::new(), zone, capacity: None, rules });
    let (from, until) = (start_of(zone, from), start_of(zone, until));
    let plan = Plan { seed: 3, zone, members: 60, from, until, leavers_deleted: false };
    let events = deliveries(&plan).into_iter().map(|one| reference::Event {
        account: one.account,
        at: one.at,
        kind: one.kind.to_owned(),
        received_at: one.due,
    });
    ledger.append(&slug, &events.collect::<Vec<_>>());
    (zone, slug)
}

#[test]
fn what_is_to_come_is_left_out_on_both_sides() {
    let mut ledger = Ledger::new();
    let berlin = add_traffic(&mut ledger, GYMS[0].1, "2025-09-22", "2025-11-17");
    let week = ("2025-11-03", "2025-11-10");
    let wednesday = "2025-11-05T17:52:40+01:00";
    for name in ["visits", "occupancy", "durations", "equipment", "quality", "popular-times"] {
        let this = ["2025-11-03T00:00:00+01:00", "2025-11-05T17:45:00+01:00"];
        let that = ["2025-10-27T00:00:00+01:00", "2025-10-29T17:45:00+01:00"];
        assert_sides(&ledger, &berlin, (name, "1d"), week, wednesday, [this, that]);
    }
    // The range has an hour more than a fortnight, and so has the part of it that has passed:
    // weekdays and the time of day are what is the same.
    let (range, now) = (("2025-10-20", "2025-11-03"), "2025-10-29T17:52:40+01:00");
    let this = ["2025-10-20T00:00:00+02:00", "2025-10-29T17:45:00+01:00"];
    let that = ["2025-09-29T00:00:00+02:00", "2025-10-08T17:45:00+02:00"];
    assert_sides(&ledger, &berlin, ("visits", "1d"), range, now, [this, that]);
    // Distinct members of a part of a day or week are not known: the whole of it is left out.
    let this = ["2025-11-03T00:00:00+01:00", "2025-11-05T00:00:00+01:00"];
    let that = ["2025-10-27T00:00:00+01:00", "2025-10-29T00:00:00+01:00"];
    assert_sides(&ledger, &berlin, ("members", "1d"), week, wednesday, [this, that]);
    let weeks = ("2025-10-27", "2025-11-10");
    let this = ["2025-10-27T00:00:00+01:00", "2025-11-03T00:00:00+01:00"];
    let that = ["2025-10-13T00:00:00+02:00", "2025-10-20T00:00:00+02:00"];
    assert_sides(&ledger, &berlin, ("members", "1w"), weeks, wednesday, [this, that]);
    // Of what has passed, nothing is left out.
    let this = ["2025-11-03T00:00:00+01:00", "2025-11-10T00:00:00+01:00"];
    let that = ["2025-10-27T00:00:00+01:00", "2025-11-03T00:00:00+01:00"];
    let now = "2025-11-10T00:00:00+01:00";
    assert_sides(&ledger, &berlin, ("visits", "1d"), week, now, [this, that]);
}

/// Where clocks change at midnight, a day begins at one, or has midnight twice. A local date
/// stands for its first instant, on both sides.
#[test]
fn days_are_compared_with_days_also_where_midnight_is_skipped() {
    let mut ledger = Ledger::new();
    // 2025-09-07 begins at one.
    let gym = add_traffic(&mut ledger, chrono_tz::America::Santiago, "2025-08-18", "2025-09-29");
    let start = |date: &str| match date {
        "2025-09-07" => "2025-09-07T01:00:00-03:00".to_owned(),
        date if date < "2025-09-07" => format!("{date}T00:00:00-04:00"),
        date => format!("{date}T00:00:00-03:00"),
    };
    for (from, until) in [
        ("2025-09-14", "2025-09-21"),
        ("2025-09-08", "2025-09-14"),
        ("2025-09-07", "2025-09-14"),
        ("2025-08-31", "2025-09-07"),
    ] {
        assert_days(&ledger, &gym, (from, until), 1, start);
    }
}

#[test]
fn days_are_compared_with_days_also_where_midnight_is_doubled() {
    let mut ledger = Ledger::new();
    // 2025-11-02 has midnight twice.
    let gym = add_traffic(&mut ledger, chrono_tz::America::Havana, "2025-10-13", "2025-11-24");
    let start = |date: &str| match date {
        date if date <= "2025-11-02" => format!("{date}T00:00:00-04:00"),
        date => format!("{date}T00:00:00-05:00"),
    };
    for (from, until, weeks) in [
        ("2025-11-09", "2025-11-16", 1),
        ("2025-11-03", "2025-11-09", 1),
        // A week and an hour.
        ("2025-11-02", "2025-11-09", 2),
        ("2025-10-26", "2025-11-02", 1),
    ] {
        assert_days(&ledger, &gym, (from, until), weeks, start);
    }
}

/// Compares a range of local dates with that of so many weeks before.
fn assert_days(
    ledger: &Ledger,
    gym: &(Tz, Slug),
    (from, until): (&str, &str),
    weeks: u64,
    start: impl Fn(&str) -> String,
) {
    let this = [start(from), start(until)];
    let that = [start(&weeks_before(from, weeks)), start(&weeks_before(until, weeks))];
    let sides = [[&*this[0], &*this[1]], [&*that[0], &*that[1]]];
    for name in ["visits", "members"] {
        let now = "2026-01-01T00:00:00Z";
        assert_sides(ledger, gym, (name, "1d"), (from, until), now, sides);
    }
}
