//! A calendar (iCalendar, RFC 5545) as closed days: public holidays, or a gym's own. Pure.
//!
//! An event of whole days becomes an annotation; one that repeats each year by its date a yearly one,
//! or, where that ends, one for each year.
//! What is shorter than a day, or repeats in another way, is named and left out.

use chrono::{Datelike, NaiveDate, NaiveTime};
use icalendar::{
    Calendar, CalendarComponent, CalendarDateTime, Component, DatePerhapsTime, Event, EventStatus,
};

use crate::domain::annotation::{ANNOTATION_CHARACTERS_MAX, Annotation, AnnotationKind};
use crate::domain::calendar::Day;

/// The largest calendar, in bytes.
pub const CALENDAR_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What is kept of an event without a summary.
const UNNAMED: &str = "closed";

/// An event that is no closed day, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub summary: String,
    pub reason: String,
}

/// The closed days of a file of calendars, and what in it is none; an error where it holds no
/// calendar, or one that is not whole.
pub fn closed_days(text: &str) -> Result<(Vec<Annotation>, Vec<Refused>), String> {
    let calendars = calendars(text)?;
    let (mut closed, mut refused) = (Vec::new(), Vec::new());
    let components = calendars.iter().flat_map(|calendar| &calendar.components);
    let events = components.filter_map(CalendarComponent::as_event);
    for event in events.filter(|event| event.get_status() != Some(EventStatus::Cancelled)) {
        match annotations(event) {
            Ok(found) => closed.extend(found),
            Err(reason) => refused.push(Refused { summary: summary(event), reason }),
        }
    }
    Ok((closed, refused))
}

/// The calendars of a file: mostly one, but programs put several behind each other.
fn calendars(text: &str) -> Result<Vec<Calendar>, String> {
    let mut lines = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => *last += &line[1..],
            _ => lines.push(line.to_owned()),
        }
    }
    lines.retain(|line| !line.trim().is_empty());
    let mut lines: Vec<_> = lines.iter().map(|line| named(line)).collect();
    if lines.first().is_none_or(|line| line != "BEGIN:VCALENDAR") {
        return Err("it does not begin with BEGIN:VCALENDAR; export the calendar as .ics".into());
    }
    if lines.last().is_none_or(|line| line != CALENDAR_END) {
        return Err(
            "it does not end with END:VCALENDAR, so a part is missing; export it again".into()
        );
    }
    for line in &mut lines {
        line.push_str("\r\n");
    }
    let one =
        |lines: &[String]| lines.concat().parse::<Calendar>().map_err(|bad| in_one_line(&bad));
    lines.split_inclusive(|line| line.trim_end() == CALENDAR_END).map(one).collect()
}

const CALENDAR_END: &str = "END:VCALENDAR";

/// A line with its name as it is looked for: names are written in any case, and so are those of
/// what begins and ends.
fn named(line: &str) -> String {
    let (name, rest) = line.split_at(line.find([':', ';']).unwrap_or(line.len()));
    let name = name.to_ascii_uppercase();
    match name.as_str() {
        "BEGIN" | "END" => format!("{name}{}", rest.trim_end().to_ascii_uppercase()),
        _ => name + rest,
    }
}

/// What the parser says, without its picture of the place.
fn in_one_line(bad: &str) -> String {
    let lines = bad.lines().map(str::trim).filter(|line| !matches!(*line, "" | "^"));
    let said: Vec<_> = lines.take(2).collect();
    format!("it cannot be read: {}", said.join(" "))
}

/// The event's name in one line, as long as an annotation may be.
fn summary(event: &Event) -> String {
    let text = event.get_summary().unwrap_or_default();
    let text = text.replace(|character: char| character.is_control(), " ");
    let text: String = text.trim().chars().take(ANNOTATION_CHARACTERS_MAX).collect();
    if text.is_empty() { UNNAMED.to_owned() } else { text }
}

/// The annotations of an event: one, or one for each year of a rule that ends.
fn annotations(event: &Event) -> Result<Vec<Annotation>, String> {
    let first = event.get_start().as_ref().and_then(whole_day).ok_or(NOT_WHOLE)?;
    let last = match event.get_end() {
        // The end of an event of days is the day after its last.
        Some(end) => match whole_day(&end).ok_or(NOT_WHOLE)? {
            end if end > first => end.pred_opt().unwrap_or(first),
            _ => last_by_duration(event, first)?,
        },
        None => last_by_duration(event, first)?,
    };
    if has(event, "RECURRENCE-ID") {
        return Err("it moves one day of a series (RECURRENCE-ID): enter that day".into());
    }
    let one = |first, last, yearly| {
        let days = (Day::from_date(first), Day::from_date(last));
        let annotation = Annotation::new(days, AnnotationKind::Closed, yearly, &summary(event));
        annotation.map_err(|bad| bad.to_string())
    };
    let rule = event.property_value("RRULE").map(|rule| Yearly::of(rule, first)).transpose()?;
    let (listed, left_out) = (dates(event, "RDATE"), dates(event, "EXDATE"));
    let (mut found, mut days) = (Vec::new(), Vec::new());
    match rule {
        Some(rule) if rule.is_endless() => {
            if !left_out.is_empty() {
                let detail = "it repeats without end but on some days (EXDATE): enter it by year";
                return Err(detail.into());
            }
            found.push(one(first, last, true)?);
        }
        Some(rule) => days.extend(rule.dates(first)),
        None => days.push(first),
    }
    days.extend(listed.into_iter().filter(|date| *date != first));
    let length = last - first;
    for date in days.into_iter().filter(|date| !left_out.contains(date)) {
        let last = date.checked_add_signed(length).ok_or("its days are beyond all calendars")?;
        found.push(one(date, last, false)?);
    }
    Ok(found)
}

const NOT_WHOLE: &str = "it is not of whole days";

fn has(event: &Event, name: &str) -> bool {
    event.property_value(name).is_some() || event.multi_properties().contains_key(name)
}

/// A date, or a midnight of the calendar's own clock, which some programs write in its place.
fn whole_day(time: &DatePerhapsTime) -> Option<NaiveDate> {
    let local = match time {
        DatePerhapsTime::Date(date) => return Some(*date),
        DatePerhapsTime::DateTime(CalendarDateTime::Floating(local)) => local,
        DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone { date_time, .. }) => date_time,
        DatePerhapsTime::DateTime(CalendarDateTime::Utc(_)) => return None,
    };
    (local.time() == NaiveTime::MIN).then(|| local.date())
}

/// The dates that an event lists: those on which it takes place besides, or does not.
fn dates(event: &Event, name: &str) -> Vec<NaiveDate> {
    let several = event.multi_properties().get(name).into_iter().flatten();
    let all = several.chain(event.properties().get(name));
    all.flat_map(|property| property.value().split(',')).filter_map(date_of).collect()
}

/// The date at the beginning of a date or time of a calendar.
fn date_of(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.trim().get(..8)?, "%Y%m%d").ok()
}

/// `DURATION:P2D` and `P1W` are what calendars write in place of an end; without, it is one day.
fn last_by_duration(event: &Event, first: NaiveDate) -> Result<NaiveDate, String> {
    let Some(duration) = event.property_value("DURATION") else { return Ok(first) };
    let days = duration.strip_prefix('P').and_then(|rest| {
        let days = rest.strip_suffix('D').and_then(|days| days.parse::<u64>().ok());
        days.or_else(|| rest.strip_suffix('W')?.parse::<u64>().ok()?.checked_mul(7))
    });
    let days = days.filter(|days| (1..=366).contains(days));
    let last = days.and_then(|days| first.checked_add_days(chrono::Days::new(days - 1)));
    last.ok_or_else(|| format!("its DURATION {duration:?} is not of 1 to 366 whole days"))
}

/// A rule that repeats a date each year.
#[derive(Default)]
struct Yearly {
    until: Option<NaiveDate>,
    count: Option<usize>,
}

/// What repeats each year until then is entered so many times at most.
const YEARS_MAX: usize = 100;

impl Yearly {
    fn of(rule: &str, first: NaiveDate) -> Result<Yearly, String> {
        let (month, day) = (first.month().to_string(), first.day().to_string());
        let mut found = Yearly::default();
        let mut takes = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name.to_ascii_uppercase().as_str() {
                "FREQ" => value.eq_ignore_ascii_case("YEARLY"),
                "INTERVAL" => value == "1",
                "BYMONTH" => value == month,
                "BYMONTHDAY" => value == day,
                "WKST" => true,
                "UNTIL" => {
                    found.until = date_of(value);
                    found.until.is_some()
                }
                "COUNT" => {
                    found.count = value.parse().ok();
                    found.count.is_some()
                }
                _ => false,
            }
        };
        let takes_all = rule.split(';').filter(|part| !part.is_empty()).all(&mut takes);
        takes_all.then_some(found).ok_or_else(|| {
            format!(
                "it repeats by the rule {rule:?}; what repeats otherwise than each year by its \
                 date has to be entered day by day"
            )
        })
    }

    fn is_endless(&self) -> bool {
        self.until.is_none() && self.count.is_none()
    }

    /// Where it falls; a 29 February only where there is one.
    fn dates(&self, first: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        let until = self.until.unwrap_or(NaiveDate::MAX);
        (first.year()..)
            .take(4 * YEARS_MAX)
            .filter_map(move |year| first.with_year(year))
            .take_while(move |date| *date <= until)
            .take(self.count.unwrap_or(YEARS_MAX).min(YEARS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(events: &[&str]) -> String {
        let events =
            events.iter().map(|event| format!("BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n"));
        let events: String = events.collect();
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\n{events}END:VCALENDAR\r\n")
    }

    fn read(events: &[&str]) -> (Vec<String>, Vec<String>) {
        let (closed, refused) = closed_days(&calendar(events)).expect("a calendar");
        let shown = |one: &Annotation| {
            let yearly = if one.yearly { " yearly" } else { "" };
            format!("{} to {}{yearly}: {}", one.first.date(), one.last.date(), one.text)
        };
        let refused = refused.into_iter().map(|one| format!("{}: {}", one.summary, one.reason));
        (closed.iter().map(shown).collect(), refused.collect())
    }

    #[test]
    fn whole_days_are_closed_and_a_date_may_repeat_each_year() {
        let (closed, refused) = read(&[
            "DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:Weihnachten",
            "DTSTART;VALUE=DATE:20261003\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:Tag der \r\n Einheit",
            "DTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=1",
            "DTSTART;VALUE=DATE:20260801\r\nDURATION:P1W\r\nSUMMARY:Refit\\, new floor",
            "DTSTART;VALUE=DATE:20260601\r\nSTATUS:CANCELLED\r\nSUMMARY:no",
            "DTSTART;TZID=Europe/Berlin:20261231T000000\r\nDTEND;TZID=Europe/Berlin:20270102T000000",
            "DTSTART;VALUE=DATE:20260106\r\nRRULE:FREQ=YEARLY;UNTIL=20280106T000000Z\r\n\
             EXDATE;VALUE=DATE:20270106\r\nSUMMARY:Kings",
            "DTSTART;VALUE=DATE:20240229\r\nRRULE:FREQ=YEARLY;COUNT=2\r\nSUMMARY:Leap",
            "DTSTART;VALUE=DATE:20260405\r\nRDATE;VALUE=DATE:20270328,20280416\r\n\
             EXDATE;VALUE=DATE:20270328\r\nSUMMARY:Easter",
        ]);
        assert_eq!(refused, Vec::<String>::new());
        let expected = [
            "2026-12-25 to 2026-12-26: Weihnachten",
            "2026-10-03 to 2026-10-03 yearly: Tag der Einheit",
            "2026-05-01 to 2026-05-01 yearly: closed",
            "2026-08-01 to 2026-08-07: Refit, new floor",
            "2026-12-31 to 2027-01-01: closed",
            "2026-01-06 to 2026-01-06: Kings",
            "2028-01-06 to 2028-01-06: Kings",
            "2024-02-29 to 2024-02-29: Leap",
            "2028-02-29 to 2028-02-29: Leap",
            "2026-04-05 to 2026-04-05: Easter",
            "2028-04-16 to 2028-04-16: Easter",
        ];
        assert_eq!(closed, expected);
    }

    #[test]
    fn what_is_no_closed_day_is_named() {
        let (closed, refused) = read(&[
            "DTSTART:20261225T100000Z\r\nDTEND:20261225T120000Z\r\nSUMMARY:Meeting",
            "DTSTART;VALUE=DATE:20260105\r\nRRULE:FREQ=MONTHLY;BYDAY=1MO\r\nSUMMARY:Mondays",
            "SUMMARY:When?",
            "DTSTART:20261225T000000Z\r\nDTEND:20261226T000000Z\r\nSUMMARY:Elsewhere",
            "DTSTART;VALUE=DATE:20260105\r\nRRULE:FREQ=YEARLY\r\nEXDATE:20270105\r\nSUMMARY:But",
            "DTSTART;VALUE=DATE:20270106\r\nRECURRENCE-ID;VALUE=DATE:20270105\r\nSUMMARY:Moved",
            "DTSTART;VALUE=DATE:20270106\r\nDURATION:P9999999999999999999W\r\nSUMMARY:Long",
        ]);
        assert_eq!(closed, Vec::<String>::new());
        assert!(refused[0].starts_with("Meeting: it is not of whole days"), "{refused:?}");
        assert!(refused[1].contains("FREQ=MONTHLY"), "{refused:?}");
        assert!(refused[2].starts_with("When?"), "{refused:?}");
        assert!(refused[3].starts_with("Elsewhere: it is not of whole days"), "{refused:?}");
        assert!(refused[4].contains("EXDATE"), "{refused:?}");
        assert!(refused[5].contains("RECURRENCE-ID"), "{refused:?}");
        assert!(refused[6].ends_with("is not of 1 to 366 whole days"), "{refused:?}");
        assert!(closed_days("date,what\n2026-12-25,Christmas").is_err());
    }

    #[test]
    fn several_calendars_in_any_case_are_read_and_one_that_is_cut_off_says_so() {
        let two = calendar(&["DTSTART;VALUE=DATE:20270106\r\nSUMMARY:One"])
            + &calendar(&["dtstart;VALUE=DATE:20270107\r\nsummary:Two"]).to_ascii_lowercase();
        let (closed, refused) = closed_days(&two).expect("two calendars");
        let shown: Vec<_> = closed.iter().map(|one| (one.first.date(), &*one.text)).collect();
        let date = |day| NaiveDate::from_ymd_opt(2027, 1, day).expect("a date");
        assert_eq!(shown, [(date(6), "One"), (date(7), "two")]);
        assert_eq!(refused, []);
        let cut = two.split("END:VCALENDAR").next().expect("a part");
        let said = closed_days(cut).expect_err("it is cut off");
        assert!(said.contains("a part is missing"), "{said}");
        let broken = calendar(&["DTSTART;VALUE=DATE:20270106\r\nEND:VTODO"]);
        let said = closed_days(&broken).expect_err("what begins does not end");
        assert!(said.starts_with("it cannot be read: ") && !said.contains('\n'), "{said}");
    }
}
