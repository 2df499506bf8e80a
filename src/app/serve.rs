//! `footfall serve`: start, say so, and stop without losing anything.

use std::io::IsTerminal;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::config::{Config, LogConfig};
use super::notify::Notices;
use super::tls::Source;
use super::{eraser, limits, notify, output, panics, pulse, retention, witness};
use crate::clock;
use crate::http::metrics::reach;
use crate::http::redirect::{self, Home};
use crate::http::{self, Door, Settings};
use crate::projection::witness::settled;
use crate::store::Store;

pub fn run(config: &Config) -> anyhow::Result<()> {
    start_log(&config.log)?;
    let (store, writer) = Store::start(&config.data)
        .with_context(|| format!("cannot open the data folder {}", config.data.display()))?;
    if let Some(mode) = store.database().open_to_others() {
        tracing::warn!("{}", super::warn_of_others(&config.data, mode));
    }
    store.database().clear_trials()?;
    eraser::catch_up(store.database()).context("erasures cannot be applied again")?;
    witness::at_start(store.database())?;
    // A clock that is wrong makes no certificate bad.
    let now = store.read(|snapshot| settled(snapshot, clock::now()))?;
    let source = Source::of(config, now)?;
    let notices = Notices::open(config)?;
    let listener = bind(&config.listen)?;
    actix_web::rt::System::new().block_on(async move {
        let eraser = actix_web::rt::spawn(eraser::run(store.clone()));
        let retention = actix_web::rt::spawn(retention::keep(store.clone()));
        let pulse = actix_web::rt::spawn(pulse::run(store.clone()));
        let notices = actix_web::rt::spawn(notify::keep(store.clone(), notices));
        // From here on a SIGHUP ends nothing.
        let hangup = signal(SignalKind::hangup())?;
        let mut settings = settings(config, source.as_ref());
        if !config.metrics.listen.is_empty() {
            settings.metrics.listener = Some(Arc::new(bind(&config.metrics.listen)?));
        }
        let doors = 1 + usize::from(!config.tls.plain_listen.is_empty());
        settings.connections_max = limits::connections(settings.connections_max, doors);
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let door = http::serve(store, listener, &settings)?;
        let plain = plain_door(config, source.as_ref(), door.address.port(), &settings)?;
        let mut stop = std::pin::pin!(stop_asked_for());
        tokio::select! {
            stopped = &mut stop => stopped?,
            () = keep_certificate(source, hangup, format!("{scheme}://{}", door.address)) => {}
        }
        tracing::info!("stopping: no new deliveries, those under way are answered");
        if let Some(plain) = plain {
            plain.close().await.context("the plain door failed")?;
        }
        let closed = door.close().await;
        eraser.abort();
        retention.abort();
        pulse.abort();
        notices.abort();
        closed.context("the server failed")
    })?;
    finish(writer)
}

/// Says where it listens as soon as it can answer there, and keeps the certificate fresh from
/// then on.
async fn keep_certificate(source: Option<Source>, mut hangup: Signal, root: String) {
    let Some(source) = source else {
        output::text(&format!("listening on {root}"));
        // SIGHUP reads certificates again; without any it does nothing, rather than end the service.
        loop {
            hangup.recv().await;
        }
    };
    let (is_ready, ready) = oneshot::channel();
    let say_so = async {
        if ready.await.is_ok() {
            output::text(&format!("listening on {root}"));
        }
    };
    tokio::join!(source.keep(is_ready, hangup), say_so);
}

/// The plain door beside HTTPS, if one is asked for.
fn plain_door(
    config: &Config,
    source: Option<&Source>,
    port: u16,
    settings: &Settings,
) -> anyhow::Result<Option<Door>> {
    let address = &config.tls.plain_listen;
    let Some(source) = source.filter(|_| !address.is_empty()) else { return Ok(None) };
    let home = Home { root: config.public_root().map(str::to_owned), port };
    Ok(Some(redirect::serve(bind(address)?, home, source.challenges(), settings)?))
}

/// The settings of the HTTP door.
pub fn settings(config: &Config, source: Option<&Source>) -> Settings {
    Settings {
        workers: config.http.workers,
        connections_max: config.http.connections_max,
        connections_per_address_max: config.http.connections_per_address_max,
        idle_seconds: config.http.idle_seconds,
        head_seconds: config.http.head_seconds,
        trusted_proxies: config.http.trusted_proxies.clone(),
        public_root: config.public_root().map(str::to_owned),
        metrics: reach::Listening { listener: None, is_public: config.metrics.public },
        tls: source.map(Source::tls),
    }
}

/// Takes the address, or says what may be wrong with it.
pub fn bind(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address}; is it taken? --listen chooses another")
    })
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

/// Logs go to standard error, so that standard output is for results.
pub fn start_log(config: &LogConfig) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.filter)
        .with_context(|| format!("[log] filter {:?} is not understood", config.filter))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    match config.format {
        super::config::LogFormat::Text => log.init(),
        super::config::LogFormat::Json => log.json().init(),
    }
    panics::log_them();
    Ok(())
}
