//! The log: lines on standard error, written by a thread of its own, so that nothing waits for
//! whoever reads them, and nothing ends because they cannot be written. What is lost is counted.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::Context;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::config::{LogConfig, LogFormat};
use super::panics;
use crate::http::process::Process;

/// Lines that wait to be written; more are lost.
const LINES_WAITING_MAX: usize = 4_096;
/// At the end, what waits has so many milliseconds to be written.
const END_MS_MAX: u64 = 500;

/// What the writing thread is told.
enum Message {
    Line(Vec<u8>),
    /// All that came before is to be written; then it is answered.
    End(SyncSender<()>),
}

/// Writes what waits when it is dropped.
pub struct Log {
    queue: SyncSender<Message>,
}

impl Drop for Log {
    fn drop(&mut self) {
        let (written, is_written) = sync_channel(1);
        if self.queue.try_send(Message::End(written)).is_ok() {
            // Whoever reads no line for so long reads the rest no more.
            is_written.recv_timeout(Duration::from_millis(END_MS_MAX)).ok();
        }
    }
}

/// Which lines are wanted.
pub fn filter(config: &LogConfig) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(&config.filter)
        .with_context(|| format!("[log] filter {:?} is not understood", config.filter))
}

/// Logs go to standard error, so that standard output is for results. Panics are logged like the
/// rest. Lines that are lost are counted with the process.
pub fn start(config: &LogConfig, process: &Process) -> anyhow::Result<Log> {
    let filter = filter(config)?;
    let (queue, lines) = sync_channel(LINES_WAITING_MAX);
    let counted = process.clone();
    let thread = std::thread::Builder::new().name("log".into());
    thread.spawn(move || write(&lines, &counted)).context("no thread for the log")?;
    let lines = Lines { queue: queue.clone(), process: process.clone() };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    let log = log.with_ansi(io::stderr().is_terminal()).log_internal_errors(false);
    match config.format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    panics::log_them();
    Ok(Log { queue })
}

/// What a command is warned of while it works goes to standard error as well.
pub fn start_for_command() {
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
    let log = log.without_time().with_target(false).with_ansi(false);
    log.with_writer(io::stderr).log_internal_errors(false).init();
}

fn write(lines: &Receiver<Message>, process: &Process) {
    for message in lines {
        match message {
            Message::Line(line) => {
                if io::stderr().write_all(&line).is_err() {
                    process.lose_log_line();
                }
            }
            Message::End(written) => drop(written.try_send(())),
        }
    }
}

/// Takes a line at a time, and never fails.
#[derive(Clone)]
struct Lines {
    queue: SyncSender<Message>,
    process: Process,
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.process.lose_log_line();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}
