//! A calendar (iCalendar, RFC 5545) as closed days: public holidays, or a gym's own. Pure.
//!
//! An event of whole days becomes an annotation; one that repeats each year by its date a yearly one.
//! What is shorter than a day, or repeats in another way, is named and left out.

use chrono::{Datelike, NaiveDate};
use icalendar::{Calendar, CalendarComponent, Component, DatePerhapsTime, Event, EventStatus};

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
        match annotation(event) {
            Ok(annotation) => closed.push(annotation),
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

fn annotation(event: &Event) -> Result<Annotation, String> {
    let Some(DatePerhapsTime::Date(first)) = event.get_start() else {
        return Err("it is not of whole days".into());
    };
    let last = match event.get_end() {
        // The end of an event of days is the day after its last.
        Some(DatePerhapsTime::Date(end)) if end > first => end.pred_opt().unwrap_or(first),
        Some(DatePerhapsTime::DateTime(_)) => return Err("it is not of whole days".into()),
        Some(DatePerhapsTime::Date(_)) | None => last_by_duration(event, first)?,
    };
    let yearly = match event.property_value("RRULE") {
        Some(rule) => is_yearly(rule, first)?,
        None => false,
    };
    let days = (Day::from_date(first), Day::from_date(last));
    let annotation = Annotation::new(days, AnnotationKind::Closed, yearly, &summary(event));
    annotation.map_err(|bad| bad.to_string())
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

/// Whether a rule repeats a date each year, without end.
fn is_yearly(rule: &str, first: NaiveDate) -> Result<bool, String> {
    let (month, day) = (first.month().to_string(), first.day().to_string());
    let is_of_date = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match name.to_ascii_uppercase().as_str() {
            "FREQ" => value.eq_ignore_ascii_case("YEARLY"),
            "INTERVAL" => value == "1",
            "BYMONTH" => value == month,
            "BYMONTHDAY" => value == day,
            "WKST" => true,
            _ => false,
        }
    };
    let parts: Vec<_> = rule.split(';').filter(|part| !part.is_empty()).collect();
    if parts.iter().all(|part| is_of_date(part)) {
        return Ok(true);
    }
    Err(format!(
        "it repeats by the rule {rule:?}; what repeats otherwise than each year by its \
                 date has to be entered day by day"
    ))
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
        ]);
        assert_eq!(refused, Vec::<String>::new());
        let expected = [
            "2026-12-25 to 2026-12-26: Weihnachten",
            "2026-10-03 to 2026-10-03 yearly: Tag der Einheit",
            "2026-05-01 to 2026-05-01 yearly: closed",
            "2026-08-01 to 2026-08-07: Refit, new floor",
        ];
        assert_eq!(closed, expected);
    }

    #[test]
    fn what_is_no_closed_day_is_named() {
        let (closed, refused) = read(&[
            "DTSTART:20261225T100000Z\r\nDTEND:20261225T120000Z\r\nSUMMARY:Meeting",
            "DTSTART;VALUE=DATE:20260105\r\nRRULE:FREQ=MONTHLY;BYDAY=1MO\r\nSUMMARY:Mondays",
            "SUMMARY:When?",
        ]);
        assert_eq!(closed, Vec::<String>::new());
        assert!(refused[0].starts_with("Meeting: it is not of whole days"), "{refused:?}");
        assert!(refused[1].contains("FREQ=MONTHLY"), "{refused:?}");
        assert!(refused[2].starts_with("When?"), "{refused:?}");
        assert!(closed_days("date,what\n2026-12-25,Christmas").is_err());
    }
}
