//! `footfall export`: gyms, webhooks and events as JSON lines, while the service runs.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::value::RawValue;

use super::{End, EventLine, FORMAT, GymLine, Header, Line, VERSION, WebhookLine};
use crate::app::{gyms, maintain, output};
use crate::domain::ids::{Account, Position};
use crate::store::{Cursored, Database, Draft, Gym, LoggedEvent};

/// Events that are read together.
const PAGE_EVENTS: usize = 1_000;

#[derive(Args)]
pub struct ExportArgs {
    /// Only these gyms [default: all]
    #[arg(long = "gym", value_name = "SLUG")]
    gyms: Vec<String>,
    /// Only events after this position, as the `end` line of an earlier export says it
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: i64,
    /// Only gyms and webhooks, no events
    #[arg(long)]
    no_events: bool,
    /// A file, made for the owner alone [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(database: &Database, args: &ExportArgs) -> anyhow::Result<()> {
    let gyms = match args.gyms.as_slice() {
        [] => database.read(|snapshot| snapshot.gyms())?,
        some => some.iter().map(|slug| gyms::find(database, slug)).collect::<Result<_, _>>()?,
    };
    let end = database.read(|snapshot| snapshot.end_of(Cursored::Log))?;
    ensure!(
        args.after <= end,
        "nothing has position {}: the last one is {end}. If the database was restored, export all",
        args.after
    );
    let mut draft = args.out.as_deref().map(|path| open(database, path)).transpose()?;
    let mut stdout = output::Stdout;
    let mut out: BufWriter<&mut dyn Write> = match &mut draft {
        Some(draft) => BufWriter::new(draft),
        None => BufWriter::new(&mut stdout),
    };
    let mut write = |line: &Line| -> anyhow::Result<()> {
        serde_json::to_writer(&mut out, line)?;
        Ok(out.write_all(b"\n")?)
    };
    write(&Line::Header(Header { format: FORMAT.to_owned(), version: VERSION }))?;
    for gym in &gyms {
        write(&Line::Gym(GymLine::of(gym)))?;
        for webhook in database.read(|snapshot| snapshot.webhooks(Some(gym.id)))? {
            write(&Line::Webhook(WebhookLine {
                gym: gym.slug.to_string(),
                webhook: webhook.public_id.clone(),
                secret_sha256: webhook.secret.to_hex(),
            }))?;
        }
    }
    // What is appended from here on is for the next export.
    let next = gyms.iter().map(|gym| gym.position.0).max().unwrap_or(0).max(args.after);
    let mut events = 0;
    for gym in gyms.iter().filter(|_| !args.no_events) {
        events += write_events(database, gym, args.after, next, &mut write)?;
    }
    let next = if args.no_events { args.after } else { next };
    write(&Line::End(End { events, next }))?;
    out.flush()?;
    drop(out);
    match draft {
        Some(draft) => draft.keep().context("the export cannot be written"),
        None => Ok(()),
    }
}

fn write_events(
    database: &Database,
    gym: &Gym,
    after: i64,
    until: i64,
    write: &mut dyn FnMut(&Line) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let bar = maintain::progress_bar(gym);
    let (mut after, mut events) = (Position(after), 0);
    loop {
        let page = |snapshot: &crate::store::Snapshot<'_>| {
            snapshot.owned_events_after(gym.id, None, after, PAGE_EVENTS)
        };
        let page = database.read(page)?;
        for (event, account) in &page {
            // An account without an event of its own has just been erased.
            if let Some(account) = account.filter(|_| event.position.0 <= until) {
                write(&Line::Event(line_of(gym, event, account)))?;
                events += 1;
            }
        }
        bar.set_position(events);
        match page.last() {
            Some((last, _)) if last.position.0 < until => after = last.position,
            _ => break,
        }
    }
    bar.finish_and_clear();
    Ok(events)
}

fn line_of(gym: &Gym, event: &LoggedEvent, account: Account) -> EventLine {
    let kind = serde_json::to_string(event.kind.name()).expect("a text is JSON");
    let fields = unknown_fields(event);
    let comma = if fields.is_empty() { "" } else { "," };
    let delivery = format!(
        r#"{{"accountId":"{}","timestamp":{},"type":{kind}{comma}{fields}}}"#,
        account.0, event.at
    );
    EventLine {
        gym: gym.slug.to_string(),
        position: event.position.0,
        received_at: event.arrival.received_at,
        imported: event.arrival.imported,
        delivery: RawValue::from_string(delivery).expect("it was written as JSON"),
    }
}

/// The fields of an event that we do not know, letter by letter as they were sent: read as values,
/// numbers would be rounded, fields that occur twice be one, and deep ones be none. But a line is one
/// line, and between values the end of one is as good as a space.
fn unknown_fields(event: &LoggedEvent) -> String {
    let fields = event.extra.as_deref().unwrap_or_default().trim().replace(['\n', '\r'], " ");
    let inner = fields.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    // What is damaged would make the whole line unreadable.
    let is_whole = serde_json::from_str::<&RawValue>(&fields).is_ok();
    inner.filter(|_| is_whole).unwrap_or_default().trim().to_owned()
}

/// A file that is there when all is in it.
fn open(database: &Database, path: &Path) -> anyhow::Result<Draft> {
    let shown = path.display();
    ensure!(
        !database.holds(path),
        "{shown} is a name of footfall's own in the data folder; name another file"
    );
    ensure!(!path.exists(), "{} is there already; choose another name", path.display());
    Draft::new(path).with_context(|| format!("cannot make {}", path.display()))
}
