//! `footfall serve`: start, say so, and stop without losing anything.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::config::Config;
use super::jobs::{Jobs, counting};
use super::notify::Notices;
use super::sockets::{self, Sockets};
use super::tls::Source;
use super::{
    backups, egym, eraser, limits, log, notify, otlp, output, pulse, retention, systemd, witness,
};
use crate::clock;
use crate::http::first_admin::{FIRST_ADMIN_MINUTES, FirstAdmin};
use crate::http::metrics::reach;
use crate::http::metrics::spans::Spans;
use crate::http::process::Process;
use crate::http::redirect::{self, Home};
use crate::http::{self, Door, Listening, Settings};
use crate::projection::witness::settled;
use crate::store::{Secret, Store};

pub fn run(config: &Config) -> anyhow::Result<()> {
    backups::check(config)?;
    let mut handed_over = Sockets::handed_over();
    let process = Process::default();
    let _log = log::start(&config.log, &process)?;
    // Before all else: who connects from now on waits, and is not refused.
    let early = handed_over.take(sockets::LISTEN, &config.listen);
    let (store, writer) = Store::start(&config.data)
        .with_context(|| format!("cannot open the data folder {}", config.data.display()))?;
    if let Some(mode) = store.database().open_to_others() {
        tracing::warn!("{}", super::warn_of_others(&config.data, mode));
    }
    store.database().clear_scratch()?;
    if let Err(error) = backups::clear(store.database(), &config.backup) {
        let error = format!("{error:#}");
        tracing::warn!(error, "what a backup left unfinished cannot be cleared");
    }
    eraser::catch_up(store.database()).context("erasures cannot be applied again")?;
    witness::at_start(store.database())?;
    // What held the address may have been the service that held the folder until now.
    let listening = match early {
        Err(_) if handed_over.are_none() => handed_over.take(sockets::LISTEN, &config.listen)?,
        early => early?,
    };
    let plain = handed_over.take_if_set(sockets::PLAIN, &config.tls.plain_listen)?;
    let metrics = handed_over.take_if_set(sockets::METRICS, &config.metrics.listen)?;
    handed_over.all_taken()?;
    // A clock that is wrong makes no certificate bad.
    let now = store.read(|snapshot| settled(snapshot, clock::now()))?;
    let service = Service {
        source: Source::of(config, now)?,
        notices: Arc::new(Notices::open(config)?),
        store: store.clone(),
        process,
        metrics: metrics.map(|metrics| Arc::new(metrics.listener)),
    };
    actix_web::rt::System::new().block_on(async {
        let served = service.run_until_stopped(config, listening, plain).await;
        store.close().await;
        served?;
        eraser::note_open(store.database()).context("the erasure ledger cannot be written")
    })?;
    finish(writer)
}

/// What a service is made of.
struct Service {
    store: Store,
    source: Option<Source>,
    notices: Arc<Notices>,
    process: Process,
    /// Where metrics have an address of their own.
    metrics: Option<Arc<TcpListener>>,
}

impl Service {
    async fn run_until_stopped(
        self,
        config: &Config,
        listening: Listening,
        plain: Option<Listening>,
    ) -> anyhow::Result<()> {
        // From here on a SIGHUP ends nothing, whether or not there is a certificate to read again.
        let _hangup = signal(SignalKind::hangup())?;
        let mut settings = settings(config, self.source.as_ref(), self.process.clone());
        settings.metrics.listener.clone_from(&self.metrics);
        let doors = 1 + usize::from(plain.is_some());
        settings.connections_max = limits::connections(settings.connections_max, doors);
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let first = first_admin(&self.store)?;
        settings.first_admin = first.as_ref().map(|link| FirstAdmin::new(link, Instant::now()));
        settings.egym = Some(egym::for_pages(config, self.store.database()));
        let mut door = http::serve(self.store.clone(), listening, &settings)?;
        let plain = self.plain_door(config, plain, door.address.port(), &settings)?;
        let (is_ready, ready) = watch::channel(self.source.is_none());
        let mut jobs = self.start_jobs(config, &is_ready);
        if let Some(measured) = door.measured.clone().filter(|_| !config.otlp.endpoint.is_empty()) {
            let sender = otlp::Sender::new(&config.otlp, measured)?;
            jobs.start("otlp", move || sender.clone().run());
        }
        let root = format!("{scheme}://{}", door.address);
        let mut said = format!("listening on {root}");
        if let Some(link) = first {
            said.push_str(&invitation(config, &root, &link));
        }
        let ended = tokio::select! {
            stopped = stop_asked_for() => stopped,
            () = self.store.writer_ended() => Err(anyhow!("the writer ended; see the log")),
            error = door.failed() => Err(error).context("the server ended"),
            never = say_that_it_is_ready(&self.store, ready, said) => match never {},
        };
        systemd::stopping();
        ended?;
        tracing::info!("stopping: what has arrived is answered, nothing more is taken");
        let (closed, plain_closed) = tokio::join!(door.close(), async {
            match plain {
                Some(plain) => plain.close().await,
                None => Ok(()),
            }
        });
        drop(jobs);
        plain_closed.context("the plain door failed")?;
        closed.context("the server failed")
    }

    /// Everything that goes on by itself, each under its name.
    fn start_jobs(&self, config: &Config, is_ready: &watch::Sender<bool>) -> Jobs {
        let mut jobs = Jobs::new(self.process.clone());
        let store = self.store.clone();
        jobs.start("eraser", move || eraser::run(store.clone()));
        let store = self.store.clone();
        jobs.start("retention", move || retention::keep(store.clone()));
        let store = self.store.clone();
        jobs.start("removals", move || retention::remove_gyms(store.clone()));
        let store = self.store.clone();
        jobs.start("counting", move || counting::run(store.clone()));
        let store = self.store.clone();
        jobs.start("heartbeat", move || pulse::run(store.clone()));
        if config.backup.every > 0 {
            let (store, backup, process) =
                (self.store.clone(), config.backup.clone(), self.process.clone());
            let job = move || backups::run(store.clone(), backup.clone(), process.clone());
            jobs.start("backups", job);
        }
        if self.notices.are_wanted() {
            let (store, notices) = (self.store.clone(), self.notices.clone());
            jobs.start("notices", move || notify::keep(store.clone(), notices.clone()));
        }
        if let Some(source) = self.source.clone() {
            let is_ready = is_ready.clone();
            jobs.start("certificate", move || source.clone().keep(is_ready.clone()));
        }
        if let Some(within) = sd_notify::watchdog_enabled() {
            let store = self.store.clone();
            jobs.start("watchdog", move || systemd::tell_that_it_lives(store.clone(), within));
        }
        jobs
    }

    /// The plain door beside HTTPS, if one is asked for.
    fn plain_door(
        &self,
        config: &Config,
        listening: Option<Listening>,
        port: u16,
        settings: &Settings,
    ) -> anyhow::Result<Option<Door>> {
        let Some((source, listening)) = self.source.as_ref().zip(listening) else {
            return Ok(None);
        };
        let home = Home { root: config.public_root().map(str::to_owned), port };
        Ok(Some(redirect::serve(listening, home, source.challenges(), settings)?))
    }
}

/// The secret of a link that makes the first admin, where there is no user.
fn first_admin(store: &Store) -> anyhow::Result<Option<Secret>> {
    let is_missing = store.read(|snapshot| Ok(snapshot.users()?.is_empty()))?;
    Ok(is_missing.then(|| Secret::fresh("")))
}

/// Whoever reads what the service prints may make the first admin.
fn invitation(config: &Config, listening: &str, link: &Secret) -> String {
    // An address that stands for all is none that a browser should ask for.
    let local = listening.replacen("//0.0.0.0:", "//localhost:", 1);
    let local = local.replacen("//[::]:", "//localhost:", 1);
    let root = config.public_root().unwrap_or(&local);
    format!(
        "\nThere is no user yet. This link makes the first admin, once, within \
         {FIRST_ADMIN_MINUTES} minutes; the next start prints another:\n{root}{}",
        FirstAdmin::path(link)
    )
}

/// Tells systemd when it can store what comes, and says where it listens once it can answer there,
/// too.
async fn say_that_it_is_ready(
    store: &Store,
    mut ready: watch::Receiver<bool>,
    line: String,
) -> std::convert::Infallible {
    systemd::ready_when_it_stores(store).await;
    if ready.wait_for(|ready| *ready).await.is_ok() {
        output::announce(&line);
    }
    std::future::pending().await
}

/// The settings of the HTTP door.
pub fn settings(config: &Config, source: Option<&Source>, process: Process) -> Settings {
    Settings {
        workers: config.http.workers,
        connections_max: config.http.connections_max,
        connections_per_address_max: config.http.connections_per_address_max,
        idle_seconds: config.http.idle_seconds,
        head_seconds: config.http.head_seconds,
        trusted_proxies: config.http.trusted_proxies.clone(),
        public_root: config.public_root().map(str::to_owned),
        metrics: reach::Listening { listener: None, is_public: config.metrics.public },
        spans: if config.otlp.endpoint.is_empty() { Spans::default() } else { Spans::kept() },
        tls: source.map(Source::tls),
        process,
        first_admin: None,
        egym: None,
    }
}

/// Waits until all that was queued is written.
pub fn finish(writer: JoinHandle<()>) -> anyhow::Result<()> {
    writer.join().ok().context("the writer failed; see the log")
}

/// Returns on SIGTERM or SIGINT.
pub async fn stop_asked_for() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
