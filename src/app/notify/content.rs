//! What a notice says: a digest or an alert as plain text, as HTML and as Slack's JSON. Pure.

use std::fmt::Write;

use chrono::Datelike;
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::figures::{Digest, Figures};
use super::remarks::remarks;
use super::schedule::Period;
use crate::domain::Millis;
use crate::domain::calendar::{Bucket, local};
use crate::http::Words;

/// No figure.
const NONE: &str = "–";

/// A notice, not yet in the form that any way of sending needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// One line.
    pub subject: String,
    /// Label, this range, the range before, change; the first row is the header.
    rows: Vec<[String; 4]>,
    /// Sentences below the figures.
    remarks: Vec<String>,
}

impl Content {
    pub fn of_alert(subject: String, remark: String) -> Content {
        Content { subject, rows: vec![], remarks: vec![remark] }
    }

    pub fn of_digest(digest: &Digest, words: &Words) -> Content {
        let name = &digest.gym.settings.name;
        // Of a gym that has never sent an event there is no figure, and no zero either.
        let rows = if digest.first_event.is_some() { figures(digest, words) } else { vec![] };
        let period = match digest.period {
            Period::Day => "digest.daily",
            Period::Week => "digest.weekly",
        };
        let days = days(digest, words) + so_far(digest, words);
        let subject = words.fill(period, &[name, &days]);
        Content { subject, rows, remarks: remarks(digest, words) }
    }

    pub fn text(&self) -> String {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max();
        let [first, second, third, last] = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
        let mut text = format!("{}\n\n", self.subject);
        for [label, this, before, change] in &self.rows {
            let line =
                format!("{label:first$}  {this:>second$}  {before:>third$}  {change:>last$}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        if !self.rows.is_empty() {
            text.push('\n');
        }
        text + self.remarks.join("\n").as_str() + "\n"
    }

    pub fn html(&self) -> String {
        let mut html = format!("<h2>{}</h2>\n", escape(&self.subject));
        if !self.rows.is_empty() {
            html.push_str("<table cellpadding=\"4\">\n");
        }
        for (at, [label, numbers @ ..]) in self.rows.iter().enumerate() {
            let tag = if at == 0 { "th" } else { "td" };
            write!(html, "<tr><th align=\"left\">{}</th>", escape(label)).expect("it is memory");
            for number in numbers {
                write!(html, "<{tag} align=\"right\">{number}</{tag}>").expect("it is memory");
            }
            html.push_str("</tr>\n");
        }
        if !self.rows.is_empty() {
            html.push_str("</table>\n");
        }
        self.remarks.iter().for_each(|remark| {
            writeln!(html, "<p>{}</p>", escape(remark)).expect("it is memory");
        });
        html
    }

    /// The body of an outgoing webhook, as Slack takes it.
    pub fn json(&self) -> Value {
        let section =
            |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
        let mut blocks = vec![section(format!("*{}*", escape(&self.subject)))];
        if !self.rows.is_empty() {
            let bare = Content { remarks: vec![], ..self.clone() }.text();
            let table = bare.split_once("\n\n").map_or("", |(_, table)| table);
            blocks.push(section(format!("```{}```", escape(table.trim_end()))));
        }
        if !self.remarks.is_empty() {
            blocks.push(section(escape(&self.remarks.join("\n"))));
        }
        json!({ "text": escape(&self.subject), "blocks": blocks })
    }
}

/// What follows the name of a time that is not over, with a space before it.
pub fn so_far<'w>(digest: &Digest, words: &'w Words) -> &'w str {
    if digest.so_far.is_some() { words.say("digest.so_far") } else { "" }
}

/// The figures of a digest beside those before, under their header.
fn figures(digest: &Digest, words: &Words) -> Vec<[String; 4]> {
    let (this, before) = (&digest.this, digest.before.as_ref());
    let (this_one, earlier) = match digest.period {
        Period::Day => ("digest.this_day", "digest.day_before"),
        Period::Week => ("digest.this_week", "digest.week_before"),
    };
    let this_one = words.say(this_one).to_owned() + so_far(digest, words);
    let change = words.say("digest.change").to_owned();
    let header = [String::new(), this_one, words.say(earlier).to_owned(), change];
    let number = |key: &str, of: fn(&Figures) -> Option<f64>, digits: usize| {
        let row = row(words.say(key), of(this), before.and_then(of), digits);
        let [label, numbers @ ..] = row;
        let [this, before, change] =
            numbers.map(|number| number.replace('.', words.say("format.decimal")));
        [label, this, before, change]
    };
    vec![
        header,
        number("digest.visits", |f| whole(f.visits), 0),
        number("digest.members", |f| f.members.and_then(whole), 0),
        number("digest.new", |f| f.new.and_then(whole), 0),
        number("digest.active", |f| f.active.and_then(whole), 0),
        number("digest.average", |f| f.average, 1),
        number("digest.peak", |f| f.peak.and_then(|peak| whole(peak.present)), 0),
        number("digest.stay", |f| f.median_minutes.map(f64::from), 0),
        number("digest.equipment", |f| whole(f.equipment_checkins), 0),
        number("digest.coverage", |f| f.coverage.map(|share| share * 100.0), 0),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
#[expect(clippy::unnecessary_wraps, reason = "it stands beside figures that may be missing")]
fn whole(count: i64) -> Option<f64> {
    Some(count as f64)
}

fn row(label: &str, this: Option<f64>, before: Option<f64>, digits: usize) -> [String; 4] {
    let shown = |figure: Option<f64>| figure.map_or(NONE.into(), |f| format!("{f:.digits$}"));
    let change = match (this, before) {
        (Some(this), Some(before)) => {
            // Of what is shown, so that the columns add up.
            let rounded = |figure: f64| format!("{figure:.digits$}").parse().unwrap_or(figure);
            let change = format!("{:+.digits$}", rounded(this) - rounded(before));
            // What rounds to nothing has no sign.
            if change.trim_start_matches(['+', '-', '0', '.']).is_empty() {
                change[1..].to_owned()
            } else {
                change
            }
        }
        _ => NONE.into(),
    };
    [label.to_owned(), shown(this), shown(before), change]
}

/// The local days of a digest.
fn days(digest: &Digest, words: &Words) -> String {
    let zone = digest.gym.settings.zone;
    let shown = |at: Millis| local(zone, at).format(words.say("digest.date")).to_string();
    let (first, last) = (shown(digest.range.from), shown(digest.range.until - 1));
    if first == last { first } else { words.fill("digest.span", &[&first, &last]) }
}

/// A span on the gym's clock.
pub fn times(words: &Words, zone: Tz, span: Bucket) -> String {
    let [from, until] = [span.from, span.until].map(|at| clock_time(words, zone, at));
    words.fill("digest.span", &[&from, &until])
}

/// An instant on the gym's clock.
pub fn clock_time(words: &Words, zone: Tz, at: Millis) -> String {
    local(zone, at).format(words.say("digest.moment")).to_string()
}

/// A weekday's whole name, and the time of day.
pub fn weekday_time(words: &Words, zone: Tz, at: Millis) -> String {
    let at = local(zone, at);
    words.fill(
        "digest.weekday_time",
        &[words.whole_weekday(at.weekday()), &at.format("%H:%M").to_string()],
    )
}

/// For HTML, and for Slack, which wants the same.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_a_sign_unless_there_is_none() {
        let change = |this, before, digits| row("", this, before, digits)[3].clone();
        assert_eq!(change(Some(212.0), Some(200.0), 0), "+12");
        // The columns add up as they are shown.
        assert_eq!(change(Some(1.04), Some(1.08), 1), "-0.1");
        assert_eq!(change(Some(86.4), Some(85.6), 0), "0");
        assert_eq!(change(Some(1.0), Some(1.5), 1), "-0.5");
        assert_eq!(change(None, Some(1.0), 1), NONE);
    }

    #[test]
    fn a_name_is_text_and_never_markup() {
        let content = Content::of_alert("<b>Tom & Co</b>".into(), "<!channel>".into());
        assert!(content.text().contains("<b>Tom & Co</b>"));
        assert!(content.html().contains("&lt;b&gt;Tom &amp; Co&lt;/b&gt;"));
        assert!(content.json().to_string().contains("&lt;!channel&gt;"));
    }
}
