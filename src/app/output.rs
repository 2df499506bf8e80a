//! What commands print: for people, or as JSON for scripts. The only place that prints.
//!
//! A reader that goes away (`| head`) and a disk that is full end no command half way: what was
//! asked is done, nothing more is printed, and the exit status says so.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

use chrono::SecondsFormat;
use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::Millis;
use crate::domain::calendar::local;

/// The exit status of a program that the system ends because its reader is gone: 128 + SIGPIPE.
const READER_GONE: u8 = 141;

/// Why nothing more can be printed.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Prints a value as JSON, or the text that says the same to people.
pub fn show(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) {
    if json {
        let json = serde_json::to_string_pretty(value).expect("what we print is plain JSON");
        self::text(&json);
    } else {
        self::text(&text());
    }
}

pub fn text(text: &str) {
    // What failed is kept for the exit status.
    drop(writeln!(Stdout, "{}", text.trim_end()));
}

/// What is not a result, and must be known all the same.
pub fn note(text: &str) {
    drop(writeln!(io::stderr(), "footfall: {text}"));
}

/// Says something on standard output that nobody needs to hear: a service goes on without.
pub fn announce(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        tracing::warn!(%error, "standard output cannot be written");
    }
}

/// Says why a command failed. Where standard error cannot be written either, the exit status says it.
pub fn error(error: &anyhow::Error) {
    drop(writeln!(io::stderr(), "footfall: {error:#}"));
}

/// Help, the version, or what is wrong with a command line, as clap words it.
pub fn usage(said: &clap::Error) -> ExitCode {
    let code = u8::try_from(said.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
    if let Err(error) = said.print()
        && !said.use_stderr()
    {
        keep(error);
    }
    exit_code(code)
}

/// Whether something could not be printed.
pub fn has_failed() -> bool {
    FAILED.get().is_some()
}

/// How a command ends that would end so if all that it printed had arrived.
pub fn exit_code(code: ExitCode) -> ExitCode {
    match FAILED.get() {
        None => code,
        Some(gone) if gone.kind() == ErrorKind::BrokenPipe => ExitCode::from(READER_GONE),
        Some(why) => {
            error(&anyhow::anyhow!(
                "standard output cannot be written: {why}; what it changed is changed, and where there \
                 is room it can be asked again"
            ));
            ExitCode::FAILURE
        }
    }
}

fn keep(error: io::Error) {
    // The first one is the cause of the others.
    drop(FAILED.set(error));
}

/// Standard output, written to until it fails for the first time.
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(before) = FAILED.get() {
            return Err(before.kind().into());
        }
        let mut out = io::stdout().lock();
        // A line at a time is enough for people, and a whole buffer for `export`.
        out.write_all(bytes).and_then(|()| out.flush()).inspect_err(|error| {
            keep(error.raw_os_error().map_or(error.kind().into(), io::Error::from_raw_os_error));
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn warning(text: &str) {
    drop(writeln!(io::stderr(), "footfall: warning: {text}"));
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
