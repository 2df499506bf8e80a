//! `footfall demo`: needs nothing. Gyms in different time zones with 90 days of history, and live
//! traffic through the real door, in a temporary data folder.

mod scenery;

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::config::Config;
use super::jobs::Jobs;
use super::serve::{finish, settings, stop_asked_for};
use super::simulate::posting::{client, post};
use super::simulate::traffic::{Delivery, Plan, deliveries};
use super::simulate::{Source, post_live};
use super::sockets::{LISTEN, bind};
use super::{eraser, log, notify, output, pulse};
use crate::actions::readers::{self, TOKEN_PREFIX};
use crate::actions::{By, at_once};
use crate::clock;
use crate::domain::event::{Event, Kind};
use crate::domain::ids::{Account, GymId};
use crate::domain::report::busy::Public;
use crate::domain::rules::{RETAIN_MONTHS_DEFAULT, Rules};
use crate::domain::{DAY, Millis};
use crate::http::process::Process;
use crate::http::{self, Listening};
use crate::projection::{apply, read};
use crate::store::{Database, GymSettings, Reader, Role, Secret, Store, StoreError, Tx};

/// Days of history that the demo begins with.
const HISTORY_DAYS: i64 = 90;
/// Who is where is looked at again after so long without a delivery.
const SHOWN_EVERY: Duration = Duration::from_secs(10);
/// Deliveries of the history that are appended in one transaction.
const CHUNK_DELIVERIES: usize = 5_000;

#[derive(Args)]
pub struct DemoArgs {
    /// Members of each gym
    #[arg(long, default_value_t = 400)]
    members: usize,
    /// Another seed gives other members
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

struct DemoGym {
    slug: &'static str,
    name: &'static str,
    zone: chrono_tz::Tz,
    fate: Fate,
}

/// What the past of a gym shows.
#[derive(PartialEq, Eq)]
enum Fate {
    /// Nothing came by its second webhook.
    SilentWebhook,
    /// Nothing came at all for a while.
    FellSilent,
    /// Some deliveries are not understood.
    Quarantine,
    /// It has closed for good.
    Archived,
}

/// Of each gym.
const CAPACITY: u32 = 60;

const GYMS: [DemoGym; 4] = [
    DemoGym {
        slug: "berlin",
        name: "Berlin Mitte",
        zone: chrono_tz::Europe::Berlin,
        fate: Fate::SilentWebhook,
    },
    DemoGym {
        slug: "new-york",
        name: "New York Chelsea",
        zone: chrono_tz::America::New_York,
        fate: Fate::FellSilent,
    },
    DemoGym {
        slug: "sydney",
        name: "Sydney Harbour",
        zone: chrono_tz::Australia::Sydney,
        fate: Fate::Quarantine,
    },
    DemoGym {
        slug: "potsdam",
        name: "Potsdam West",
        zone: chrono_tz::Europe::Berlin,
        fate: Fate::Archived,
    },
];

/// What the history leaves for the live part: a token to read, and where to post.
struct Prepared {
    token: Secret,
    /// The path that signs in to the page.
    sign_in: String,
    doors: Vec<Door>,
    digest: String,
}

/// Where the traffic of a gym goes.
struct Door {
    path: String,
    secret: Secret,
    plan: Plan,
    /// What is posted once, before.
    strange: Vec<String>,
}

pub fn run(config: &Config, args: &DemoArgs) -> anyhow::Result<()> {
    let process = Process::default();
    let _log = log::start(&config.log, &process)?;
    let folder = tempfile::Builder::new().prefix("footfall-demo-").tempdir()?;
    let prepared = prepare(folder.path(), args)?;
    let (store, writer) = Store::start(folder.path())?;
    let listener = listen(&config.listen)?;
    let listening = Listening { listener, is_shared: false };
    actix_web::rt::System::new().block_on(async move {
        let mut jobs = Jobs::new(process.clone());
        let with = store.clone();
        jobs.start("eraser", move || eraser::run(with.clone()));
        let with = store.clone();
        jobs.start("heartbeat", move || pulse::run(with.clone()));
        let door = http::serve(store.clone(), listening, &settings(config, None, process))?;
        let root = format!("http://{}", door.address);
        output::text(&welcome(&root, &prepared));
        for door in prepared.doors {
            let url = format!("{root}{}", door.path);
            let source = Source { url, secret: door.secret.reveal().to_owned(), plan: door.plan };
            actix_web::rt::spawn(async move {
                let sender = client(&source.url);
                for body in door.strange {
                    post(&sender, &source.url, &source.secret, body).await;
                }
                if let Err(error) = post_live(&source, clock::now).await {
                    output::error(&error);
                }
            });
        }
        tokio::select! {
            stopped = stop_asked_for() => stopped?,
            () = show_live(store.clone()) => {}
        }
        let closed = door.close().await;
        drop(jobs);
        store.close().await;
        closed.context("the server failed")
    })?;
    finish(writer)
}

/// Where it was told to; where that cannot be had, on another port, and says so.
fn listen(address: &str) -> anyhow::Result<TcpListener> {
    bind(LISTEN, address).or_else(|error| {
        let listener = bind(LISTEN, "127.0.0.1:0")?;
        output::text(&format!("{error:#}\nThe demo takes another port instead.\n"));
        Ok(listener)
    })
}

fn prepare(folder: &Path, args: &DemoArgs) -> anyhow::Result<Prepared> {
    let database = Database::open(folder)?;
    let now = clock::now();
    let mut doors = Vec::new();
    for (number, gym) in (0..).zip(&GYMS) {
        let history = Plan {
            seed: args.seed + number,
            zone: gym.zone,
            members: args.members,
            from: now - HISTORY_DAYS * DAY,
            until: now,
            leavers_deleted: false,
        };
        doors.extend(begin(&database, gym, &history, now)?);
    }
    let (token, link) = (Secret::fresh(TOKEN_PREFIX), Secret::fresh(""));
    let reader = Reader { name: "demo".to_owned(), role: Role::Admin, gyms: None };
    at_once(&database, |tx| {
        readers::add_token(tx, By::Operator, &reader, &token.hash(), now)?;
        readers::add_user(tx, By::Operator, &reader, &link.hash(), now)
    })?;
    let sign_in = readers::link_path(&link);
    let digest = database.read(|snapshot| {
        let gym = snapshot.gyms()?.into_iter().find(|gym| gym.slug.as_str() == GYMS[0].slug);
        notify::last_week(snapshot, &gym.expect("it was added"), now)
    })?;
    Ok(Prepared { token, sign_in, doors, digest })
}

/// A gym with its past, and where the rest goes; nowhere of one that has closed.
fn begin(
    database: &Database,
    gym: &DemoGym,
    history: &Plan,
    now: Millis,
) -> anyhow::Result<Option<Door>> {
    let mut connection = database.connect()?;
    let settings = GymSettings {
        name: gym.name.to_owned(),
        zone: gym.zone,
        capacity: Some(CAPACITY),
        rules: Rules::default(),
        retain_months: Some(RETAIN_MONTHS_DEFAULT),
        public: Public::Percent,
    };
    let secret = Secret::fresh("ffs_");
    let slug = gym.slug.parse()?;
    let notes = scenery::annotations(gym.zone, now)?;
    let (id, webhook) = database.transact(&mut connection, |tx| {
        tx.add_gym(&slug, &settings, now)?;
        let found = tx.view().gym_by_slug(&slug)?;
        let id = found.expect("it was added in this transaction").id;
        for note in &notes {
            tx.add_annotation(id, note, now)?;
        }
        if gym.fate == Fate::SilentWebhook {
            let made = now - scenery::WEBHOOK_DAYS_AGO * DAY;
            tx.add_webhook(id, &Secret::fresh("ffs_").hash(), made)?;
        }
        Ok((id, tx.add_webhook(id, &secret.hash(), now)?))
    })?;
    let is_over = gym.fate == Fate::Archived;
    let until = if is_over { now - scenery::ARCHIVED_DAYS_AGO * DAY } else { now };
    let mut past = deliveries(&Plan { until, ..*history });
    past.retain(|past| scenery::came(past, gym.zone, gym.fate == Fate::FellSilent, now));
    append_history(database, &mut connection, id, gym.name, &past)?;
    if is_over {
        database.transact(&mut connection, |tx| tx.set_archived(id, Some(until)))?;
        return Ok(None);
    }
    let last = past.last().filter(|_| gym.fate == Fate::Quarantine);
    Ok(Some(Door {
        path: format!("/webhooks/{webhook}"),
        secret,
        plan: Plan { from: now, until: now, ..*history },
        strange: last.map(|last| scenery::strange(last, now)).unwrap_or_default(),
    }))
}

/// Appends the past as it would have arrived: by the same path as a delivery, at the time at which
/// it was due.
fn append_history(
    database: &Database,
    connection: &mut rusqlite::Connection,
    gym: GymId,
    name: &str,
    history: &[Delivery],
) -> anyhow::Result<()> {
    let bar = ProgressBar::new(history.len() as u64).with_message(name.to_owned());
    let style = ProgressStyle::with_template("{bar:30} {percent}% of 90 days of {msg}");
    bar.set_style(style.expect("the template is right"));
    let now = clock::now();
    let due: Vec<_> = history.iter().filter(|delivery| delivery.due <= now).collect();
    for chunk in due.chunks(CHUNK_DELIVERIES) {
        database.transact(connection, |tx| append_chunk(tx, gym, chunk))?;
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

fn append_chunk(tx: &mut Tx<'_>, gym: GymId, chunk: &[&Delivery]) -> Result<(), StoreError> {
    for delivery in chunk {
        let event = Event {
            account: Account(delivery.account),
            at: delivery.at,
            kind: Kind::from_name(delivery.kind),
            extra: None,
        };
        apply::append(tx, gym, &event, delivery.due, None)?;
    }
    Ok(())
}

/// Prints who is where, at once and whenever it changes, as long as somebody reads it.
async fn show_live(store: Store) {
    let mut commits = store.commits();
    let mut shown = None;
    while !output::has_failed() {
        let now = clock::now();
        let counted = store.read(|snapshot| {
            let gyms = snapshot.gyms()?;
            let open = gyms.iter().filter(|gym| gym.archived_at.is_none());
            let present = open.map(|gym| {
                let present = read::occupancy_now(snapshot, gym, now)?.present;
                Ok(format!("{} {present}/{}", gym.slug, gym.settings.capacity.unwrap_or(0)))
            });
            present.collect::<Result<Vec<_>, StoreError>>()
        });
        match counted {
            Ok(counted) if shown.as_ref() != Some(&counted) => {
                output::text(&format!("{}  {}", output::utc(now), counted.join("   ")));
                shown = Some(counted);
            }
            Ok(_) => {}
            Err(error) => output::error(&error.into()),
        }
        // Members also leave without an event, when their assumed stay is over.
        drop(tokio::time::timeout(SHOWN_EVERY, commits.changed()).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn welcome(root: &str, prepared: &Prepared) -> String {
    let Prepared { token, sign_in, digest, .. } = prepared;
    let token = token.reveal();
    let mut lines = vec![
        "What managers get by mail, if they want it (here nothing is sent):".to_owned(),
        String::new(),
    ];
    lines.extend(digest.trim_end().lines().map(|line| format!("  {line}").trim_end().to_owned()));
    lines.extend([
        String::new(),
        "footfall demo: three gyms and one that has closed, 90 days of history, live traffic. \
         Ctrl-C ends it."
            .to_owned(),
        String::new(),
        format!("listening on {root}"),
        String::new(),
        "Look at it (this link signs you in, once):".to_owned(),
        format!("  {root}{sign_in}"),
        String::new(),
        "How busy it is, for everybody, to be shown on a gym's own site:".to_owned(),
        format!("  {root}/busy/berlin"),
        String::new(),
        "On a screen on the wall, when you are signed in:".to_owned(),
        format!("  {root}/wall"),
        String::new(),
        "Who is in there now, for programs:".to_owned(),
    ]);
    let curl = format!("curl -H 'Authorization: Bearer {token}' '{root}/api/v1");
    for gym in GYMS.iter().filter(|gym| gym.fate != Fate::Archived) {
        lines.push(format!("  {curl}/gyms/{}/occupancy'", gym.slug));
    }
    lines.extend([
        String::new(),
        "Each hour of the last week, and each day's visits:".to_owned(),
        format!("  {curl}/gyms/berlin/reports/occupancy?interval=1h'"),
        format!("  {curl}/gyms/berlin/reports/visits?interval=1d'"),
        String::new(),
        "Present now, of the capacity:".to_owned(),
    ]);
    lines.join("\n")
}
