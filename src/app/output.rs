//! What commands print: for people, or as JSON for scripts. The only place that prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the only place that prints")]

use chrono::SecondsFormat;
use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::Millis;
use crate::domain::calendar::local;

/// Prints a value as JSON, or the text that says the same to people.
pub fn show(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) {
    if json {
        println!("{}", serde_json::to_string_pretty(value).expect("what we print is plain JSON"));
    } else {
        println!("{}", text().trim_end());
    }
}

pub fn text(text: &str) {
    println!("{}", text.trim_end());
}

/// What is not a result, and must be known all the same.
pub fn note(text: &str) {
    eprintln!("footfall: {text}");
}

pub fn error(error: &anyhow::Error) {
    eprintln!("footfall: {error:#}");
}

pub fn warning(text: &str) {
    eprintln!("footfall: warning: {text}");
}

/// Rows under a header, in columns.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([header[column].len()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(header.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// An instant in UTC, for configuration that belongs to no gym's clock.
pub fn utc(at: Millis) -> String {
    local(Tz::UTC, at).to_rfc3339_opts(SecondsFormat::Secs, true)
}
