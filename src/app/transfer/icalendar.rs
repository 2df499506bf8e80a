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

/// The closed days of a calendar, and what in it is none; an error where it is no calendar.
pub fn closed_days(text: &str) -> Result<(Vec<Annotation>, Vec<Refused>), String> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().to_ascii_uppercase().starts_with("BEGIN:VCALENDAR") {
        return Err("it does not begin with BEGIN:VCALENDAR; export the calendar as .ics".into());
    }
    let calendar: Calendar = text.parse()?;
    let (mut closed, mut refused) = (Vec::new(), Vec::new());
    let events = calendar.components.iter().filter_map(CalendarComponent::as_event);
    for event in events.filter(|event| event.get_status() != Some(EventStatus::Cancelled)) {
        match annotations(event) {
            Ok(found) => closed.extend(found),
            Err(reason) => refused.push(Refused { summary: summary(event), reason }),
        }
    }
    Ok((closed, refused))
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
    if let Some(odd) = ["RDATE", "RECURRENCE-ID"].iter().find(|name| has(event, name)) {
        return Err(format!("it has {odd}: what repeats by a list has to be entered day by day"));
    }
    let one = |first, last, yearly| {
        let days = (Day::from_date(first), Day::from_date(last));
        let annotation = Annotation::new(days, AnnotationKind::Closed, yearly, &summary(event));
        annotation.map_err(|bad| bad.to_string())
    };
    let Some(rule) = event.property_value("RRULE") else {
        return Ok(vec![one(first, last, false)?]);
    };
    let repeats = Yearly::of(rule, first)?;
    if repeats.is_endless() {
        if has(event, "EXDATE") {
            return Err("it repeats without end but on some days (EXDATE): enter it by year".into());
        }
        return Ok(vec![one(first, last, true)?]);
    }
    let length = last - first;
    let left_out: Vec<_> = exceptions(event).collect();
    let dates = repeats.dates(first).filter(|date| !left_out.contains(date));
    dates.map(|date| one(date, date + length, false)).collect()
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

/// The days on which an event that repeats does not take place.
fn exceptions(event: &Event) -> impl Iterator<Item = NaiveDate> + '_ {
    let several = event.multi_properties().get("EXDATE").into_iter().flatten();
    let all = several.chain(event.properties().get("EXDATE"));
    let dates = all.flat_map(|property| property.value().split(','));
    dates.filter_map(date_of)
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
        days.or_else(|| Some(rest.strip_suffix('W')?.parse::<u64>().ok()? * 7))
    });
    let days = days.filter(|days| (1..=366).contains(days));
    let days = days.ok_or_else(|| format!("its DURATION {duration:?} is not of whole days"))?;
    Ok(first + chrono::Days::new(days - 1))
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
            "DTSTART;VALUE=DATE:20260105\r\nRDATE;VALUE=DATE:20270107\r\nSUMMARY:List",
        ]);
        assert_eq!(closed, Vec::<String>::new());
        assert!(refused[0].starts_with("Meeting: it is not of whole days"), "{refused:?}");
        assert!(refused[1].contains("FREQ=MONTHLY"), "{refused:?}");
        assert!(refused[2].starts_with("When?"), "{refused:?}");
        assert!(refused[3].starts_with("Elsewhere: it is not of whole days"), "{refused:?}");
        assert!(refused[4].contains("EXDATE"), "{refused:?}");
        assert!(refused[5].contains("RDATE"), "{refused:?}");
        assert!(closed_days("date,what\n2026-12-25,Christmas").is_err());
    }
}
