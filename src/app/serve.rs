//! `footfall serve`: start, say so, and stop without losing anything.

use std::io::IsTerminal;
use std::net::TcpListener;
use std::thread::JoinHandle;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::config::{Config, LogConfig};
use super::{eraser, output, pulse, retention};
use crate::http::{self, Settings};
use crate::store::Store;

pub fn run(config: &Config) -> anyhow::Result<()> {
    start_log(&config.log)?;
    let (store, writer) = Store::start(&config.data)
        .with_context(|| format!("cannot open the data folder {}", config.data.display()))?;
    store.database().clear_trials()?;
    eraser::catch_up(store.database()).context("erasures cannot be applied again")?;
    let listener = bind(&config.listen)?;
    actix_web::rt::System::new().block_on(async move {
        let eraser = actix_web::rt::spawn(eraser::run(store.clone()));
        let retention = actix_web::rt::spawn(retention::keep(store.clone()));
        let pulse = actix_web::rt::spawn(pulse::run(store.clone()));
        let door = http::serve(store, listener, &settings(config))?;
        output::text(&format!("listening on http://{}", door.address));
        stop_asked_for().await?;
        tracing::info!("stopping: no new deliveries, those under way are answered");
        let closed = door.close().await;
        eraser.abort();
        retention.abort();
        pulse.abort();
        closed.context("the server failed")
    })?;
    finish(writer)
}

/// The settings of the HTTP door.
pub fn settings(config: &Config) -> Settings {
    Settings {
        workers: config.http.workers,
        connections_max: config.http.connections_max,
        idle_seconds: config.http.idle_seconds,
        head_seconds: config.http.head_seconds,
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
    Ok(())
}
