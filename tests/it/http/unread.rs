//! Who asks for much and does not read it: so much is kept for all of them together, and for none of
//! them for long.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::budgets::peak_memory_mib;
use crate::patience::Patience;
use crate::service::{Service, delivery, now};

const DAY: i64 = 24 * 60 * 60_000;
/// Of its answers the system itself takes one or two; those after them are ours to keep.
const QUESTIONS: usize = 8;
/// Who does not read is closed within so much, with some to spare.
const UNREAD_SECONDS_MAX: u64 = 75;
/// As much more as must be kept by a reader who is no slower than 16 KiB in a second.
const SLOW_BYTES: usize = 20 * 1024;
const SLOW_EVERY: Duration = Duration::from_millis(400);
/// With all that is kept of answers, and some copies of them under way.
const MEMORY_MIB_MAX: u64 = 700;

struct Asked {
    service: Service,
    /// What is asked: an answer of about 2 MB.
    question: String,
}

impl Asked {
    async fn start() -> Asked {
        let service = Service::start();
        let webhook = service.add_gym("mitte", "Europe/Berlin");
        let body = delivery(Uuid::new_v4(), now() - DAY, "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, body).await.0, 200);
        let token = service.add_token("all", "viewer", &[]);
        let day =
            |days_ago| footfall::domain::calendar::day_of(chrono_tz::UTC, now() - days_ago * DAY);
        let (from, until) = (day(101).date(), day(1).date());
        let path =
            format!("/api/v1/gyms/mitte/reports/occupancy?from={from}&until={until}&interval=15m");
        let question =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
        Asked { service, question }
    }

    /// Asks several times at once, and sees that an answer begins.
    fn ask(&self) -> TcpStream {
        let address = self.service.root.strip_prefix("http://").expect("plain");
        let mut line = TcpStream::connect(address).expect("it listens");
        line.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
        line.write_all(self.question.repeat(QUESTIONS).as_bytes()).expect("it takes it");
        line.read_exact(&mut [0; 9]).expect("an answer");
        line
    }

    async fn refused(&self) -> bool {
        let (_, metrics) = self.service.get("", "/metrics").await;
        let metrics = metrics.as_str().expect("a text").to_owned();
        assert!(metrics.contains("footfall_refused_total{limit=\"answer_bytes\"}"), "{metrics}");
        !metrics.contains("footfall_refused_total{limit=\"answer_bytes\"} 0\n")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_all_leave_unread_together_has_a_budget() {
    let asked = Asked::start().await;
    let mut lines = Vec::new();
    let patience = Patience::until("what is left unread is too much");
    while !asked.refused().await {
        lines.push(asked.ask());
        patience.again().await;
    }
    let taken = peak_memory_mib(&asked.service);
    assert!(taken < MEMORY_MIB_MAX, "{taken} MiB for {} lines", lines.len());
    // What is short is answered beside it.
    assert_eq!(asked.service.get("", "/healthz").await.0, 200);
    drop(lines);
    let patience = Patience::until("there is room again");
    loop {
        let mut told = [0; 3];
        asked.ask().read_exact(&mut told).expect("an answer");
        if &told == b"200" {
            break;
        }
        patience.again().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_closed_and_who_reads_slowly_is_not() {
    let asked = Asked::start().await;
    let (mut unread, mut slow) = (asked.ask(), asked.ask());
    let began = Instant::now();
    let mut some = vec![0; SLOW_BYTES];
    while began.elapsed() < Duration::from_secs(UNREAD_SECONDS_MAX) {
        slow.read_exact(&mut some).expect("more, as slowly as it is read");
        tokio::time::sleep(SLOW_EVERY).await;
    }
    let mut told = Vec::new();
    let ended = unread.read_to_end(&mut told);
    assert!(
        ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset),
        "it is closed"
    );
    let length = |told: &[u8]| {
        let head = String::from_utf8_lossy(&told[..1_000]).to_lowercase();
        let after = head.split_once("content-length: ").expect("a length").1.to_owned();
        after.lines().next().expect("a line").parse::<usize>().expect("a number")
    };
    let whole = QUESTIONS * length(&told);
    assert!(told.len() < whole, "{} of {whole} bytes were kept for it", told.len());
}
