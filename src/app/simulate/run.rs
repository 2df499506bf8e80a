//! One run of the simulated sender against a running service: first a TEST, then the traffic of a
//! range or of now, in the end a summary.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use anyhow::bail;
use futures_util::StreamExt;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use reqwest::Client;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::feed::{Pace, Speed, feed, live_feed};
use super::posting::{Answer, Failure, Source, client, post_stream, post_timed};
use super::tally::{Summary, Tally};
use super::traffic::Delivery;
use crate::app::serve::stop_asked_for;
use crate::domain::Millis;

/// Posts at a time, unless told otherwise.
pub const CONNECTIONS: usize = 32;

pub struct Options {
    pub source: Source,
    pub span: Span,
    /// Posts at a time, at most.
    pub connections: usize,
    /// The wall clock: nothing is posted before it is due by it.
    pub now: fn() -> Millis,
}

/// Which part of time is posted.
pub enum Span {
    /// The range of the plan, at a speed.
    Range(Speed),
    /// From now on as it happens, for so long or until interrupted.
    Live(Option<Duration>),
}

/// Posts until the span is over or somebody interrupts; what is under way then is awaited. It
/// stops with an error when the first post shows that there is nobody to post to.
pub async fn run(options: Options) -> anyhow::Result<Summary> {
    let Options { source, span, connections, now } = options;
    let client = client(&source.url);
    let began = Instant::now();
    let mut tally = Tally::default();
    knock(&client, &source, now(), &mut tally).await?;
    let bar = progress_bar(&source, &span);
    let plan = source.plan.clone();
    let (pace, all, seconds): (_, Box<dyn Iterator<Item = Delivery> + Send>, _) = match span {
        Span::Range(speed) => {
            (Pace::start(plan.from, plan.until, speed, now), Box::new(feed(plan)), None)
        }
        Span::Live(duration) => {
            let from = now();
            let feed = Box::new(live_feed(&plan, from));
            (Pace::start(from, Millis::MAX, Speed::Max, now), feed, duration)
        }
    };
    let held = pace.hold(all).inspect(|delivery| {
        bar.set_position((delivery.due - source.plan.from).try_into().unwrap_or(0));
    });
    let end = pin!(end(seconds));
    let held = held.take_until(end);
    let tell = |posted| bar.set_message(format!("{} posted", HumanCount(posted)));
    post_stream(&client, &source, held, connections, &mut tally, &tell).await;
    bar.finish_and_clear();
    Ok(tally.summary(began.elapsed(), pace.left_out()))
}

/// Posts what becomes due from the plan's `from` on, and goes on until it is dropped; the plan's
/// `until` has no part in it. It returns only when there is nobody to post to.
pub async fn post_live(source: &Source, now: fn() -> Millis) -> anyhow::Result<()> {
    let client = client(&source.url);
    let mut tally = Tally::default();
    knock(&client, source, now(), &mut tally).await?;
    let from = source.plan.from;
    let pace = Pace::start(from, Millis::MAX, Speed::Max, now);
    let held = pace.hold(live_feed(&source.plan, from));
    post_stream(&client, source, held, CONNECTIONS, &mut tally, &|_| ()).await;
    Ok(())
}

/// The first post, a TEST as the sender's own button sends it. Whoever typed the wrong URL or
/// secret learns it here, and not from a million refused posts.
async fn knock(
    client: &Client,
    source: &Source,
    now: Millis,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let test = Delivery { due: now, at: now, account: Uuid::nil(), kind: "TEST" };
    let (answer, took) = post_timed(client, source, test.body()).await;
    let url = &source.url;
    match answer {
        Answer::Failed(Failure::NoConnection) => {
            bail!("nobody listens at {url}; is `footfall serve` running there?")
        }
        Answer::Refused(401) => bail!(
            "401 from {url}: there is no such webhook, or this is not its secret; \
             `footfall webhook list` shows the webhooks, `webhook rotate` gives a new secret"
        ),
        Answer::Refused(status @ 300..500) if status != 429 => {
            bail!("{status} from {url}; is this the full URL of a webhook, …/webhooks/<id>?")
        }
        Answer::Accepted
        | Answer::Duplicate
        | Answer::Erased
        | Answer::Test
        | Answer::Refused(_)
        | Answer::Failed(Failure::Timeout | Failure::Broken | Failure::NotUnderstood) => {
            tally.count(answer, took);
            Ok(())
        }
    }
}

/// Returns when the time is over or somebody interrupts.
async fn end(after: Option<Duration>) {
    let interrupted = async {
        if stop_asked_for().await.is_err() {
            pending::<()>().await;
        }
    };
    let over = async {
        match after {
            Some(after) => sleep(after).await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = interrupted => (),
        () = over => (),
    }
}

/// On a terminal only, and on standard error.
fn progress_bar(source: &Source, span: &Span) -> ProgressBar {
    let length = source.plan.until.abs_diff(source.plan.from);
    let (bar, template) = match span {
        Span::Range(_) => (ProgressBar::new(length), "{bar:30} {percent:>3}%  {msg}"),
        Span::Live(_) => (ProgressBar::new_spinner(), "{spinner} {msg}; Ctrl-C ends it"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is right"))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::super::posting::post_all;
    use super::super::traffic::{Plan, deliveries};
    use super::*;
    use crate::domain::DAY;

    const SECRET: &str = "right";

    /// Answers every post as a webhook would, by what it posts; returns its URL.
    fn door() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/webhooks/door", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(|| answer_all(stream.unwrap()));
            }
        });
        url
    }

    fn answer_all(mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let (mut secret, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                match line.trim_end().split_once(": ") {
                    Some(("x-api-key", value)) => secret = value.to_owned(),
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    Some(_) => (),
                    None if line == "\r\n" => break,
                    None => assert_eq!(line, "POST /webhooks/door HTTP/1.1\r\n"),
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let (status, answer) = if secret != SECRET {
                ("401 Unauthorized", "{}")
            } else if body.contains("TEST") {
                ("200 OK", r#"{"status":"test"}"#)
            } else if body.contains("EQUIPMENT_CHECKIN") {
                ("503 Service Unavailable", "{}")
            } else if body.contains("GYM_CHECKOUT") {
                ("200 OK", r#"{"status":"welcome"}"#)
            } else {
                ("200 OK", r#"{"status":"accepted","position":1}"#)
            };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all((head + answer).as_bytes()).unwrap();
        }
    }

    fn source(url: &str) -> Source {
        let (from, members, leavers_deleted) = (1_767_225_600_000, 20, false);
        let zone = chrono_tz::Europe::Berlin;
        let plan = Plan { seed: 1, zone, members, from, until: from + 7 * DAY, leavers_deleted };
        Source { url: url.to_owned(), secret: SECRET.to_owned(), plan }
    }

    fn options(source: Source, span: Span) -> Options {
        Options { source, span, connections: 4, now: crate::clock::now }
    }

    #[tokio::test]
    async fn a_range_is_posted_once_and_every_answer_counted() {
        let source = source(&door());
        let all = deliveries(&source.plan);
        let of_kind = |kind| all.iter().filter(|delivery| delivery.kind == kind).count() as u64;
        let tally = post_all(&source, &all, 4, &|_| ()).await;
        let summary = run(options(source, Span::Range(Speed::Max))).await.unwrap();
        assert_eq!((summary.posted, summary.test), (all.len() as u64 + 1, 1));
        assert_eq!(summary.refused[&503], of_kind("EQUIPMENT_CHECKIN"));
        assert_eq!(summary.failed["not_understood"], of_kind("GYM_CHECKOUT"));
        let rest = summary.refused[&503] + summary.failed["not_understood"] + 1;
        assert_eq!((summary.accepted, summary.not_due), (summary.posted - rest, 0));
        assert_eq!((tally.posted + 1, tally.accepted), (summary.posted, summary.accepted));
        assert_eq!((tally.refused, tally.failed), (summary.refused, summary.failed));
    }

    #[tokio::test]
    async fn live_traffic_ends_after_its_time() {
        let span = Span::Live(Some(Duration::from_millis(30)));
        let summary = run(options(source(&door()), span)).await.unwrap();
        assert_eq!(summary.test, 1);
        assert!(summary.seconds >= 0.03);
    }

    #[tokio::test]
    async fn the_first_post_tells_what_to_check() {
        let url = door();
        let wrong = Source { secret: "wrong".to_owned(), ..source(&url) };
        let said = run(options(wrong, Span::Range(Speed::Max))).await.unwrap_err().to_string();
        assert!(said.starts_with("401") && !said.contains("wrong"), "{said}");
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let nobody = source(&format!("http://{free}/webhooks/door"));
        let said = run(options(nobody, Span::Range(Speed::Max))).await.unwrap_err().to_string();
        assert!(said.starts_with("nobody listens") && said.contains("serve"), "{said}");
        let said = post_live(&source(&format!("http://{free}/")), crate::clock::now).await;
        assert!(said.is_err());
    }
}
