//! `footfall simulate`: posts believable traffic to a running service, through its real door.
//!
//! Here is only what can be said on the command line. What happens at a gym is in [`traffic`],
//! when it is posted in [`feed`], and how in [`posting`].

mod dice;
pub mod feed;
mod members;
pub mod posting;
mod run;
mod season;
pub mod tally;
pub mod traffic;

use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use clap::Args;
use reqwest::Url;

use super::output;
use crate::clock;
use crate::domain::calendar::{Day, day_start};
use crate::domain::{DAY, Millis};

pub use feed::Speed;
pub use posting::{Answer, Failure, Source, client, post, post_all};
pub use run::{Options, Span, post_live, run};
pub use tally::{Summary, Tally};
pub use traffic::{Delivery, Plan, deliveries};

/// Without `--from`, the range has so many days.
const DAYS: u32 = 28;

#[derive(Args)]
pub struct SimulateArgs {
    /// The webhook's full URL, like `http://127.0.0.1:8080/webhooks/<id>`
    #[arg(long)]
    url: String,
    /// The webhook's secret; in the variable it stays out of the list of processes
    #[arg(long, env = "FOOTFALL_WEBHOOK_SECRET", hide_env_values = true)]
    secret: String,
    /// The gym's clock, as an IANA name: peaks and opening hours follow it
    #[arg(long, value_name = "ZONE", default_value = "Europe/Berlin", value_parser = parse_zone)]
    time_zone: Tz,
    /// About how many members the gym has at a time; each comes about 2.2 times a week
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    members: u32,
    /// Events from here on: a local date (2026-03-01), or RFC 3339 [default: 28 days before the
    /// end]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Events before this: a local date, or RFC 3339 [default: now]. After now it goes on at real
    /// speed
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The last so many days, instead of `--from`
    #[arg(long, value_name = "N", conflicts_with = "from")]
    days: Option<u32>,
    /// Another seed gives other members; the same one goes on with the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `max`, or how many times faster than real: 1, 60, 3600. The simulated clock starts at
    /// `--from` and never passes the real one
    #[arg(long, value_name = "FACTOR", default_value = "max")]
    speed: Speed,
    /// Posts at a time, at most
    #[arg(long, value_name = "N", default_value_t = run::CONNECTIONS as u16,
        value_parser = clap::value_parser!(u16).range(1..=1_024))]
    connections: u16,
    /// Members who left are deleted some weeks later (`MEMBERSHIP_DELETE`), which erases them
    #[arg(long)]
    delete_leavers: bool,
    /// Go on from now, as it happens, until interrupted
    #[arg(long, conflicts_with_all = ["from", "until", "days", "speed"])]
    live: bool,
    /// With `--live`: end after so many seconds
    #[arg(long, value_name = "N", requires = "live")]
    duration_seconds: Option<u64>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command: posts, and prints a summary.
pub fn command(args: SimulateArgs) -> anyhow::Result<()> {
    let json = args.json;
    let options = args.options(clock::now)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    let summary = runtime.block_on(run(options))?;
    output::show(json, &summary, || summary.to_text());
    Ok(())
}

impl SimulateArgs {
    fn options(self, now: fn() -> Millis) -> anyhow::Result<Options> {
        check_url(&self.url)?;
        let (from, until) = self.range(now())?;
        let plan = Plan {
            seed: self.seed,
            zone: self.time_zone,
            members: self.members as usize,
            from,
            until,
            leavers_deleted: self.delete_leavers,
        };
        let span = if self.live {
            Span::Live(self.duration_seconds.map(Duration::from_secs))
        } else {
            Span::Range(self.speed)
        };
        let source = Source { url: self.url, secret: self.secret, plan };
        Ok(Options { source, span, connections: self.connections.into(), now })
    }

    fn range(&self, now: Millis) -> anyhow::Result<(Millis, Millis)> {
        if self.live {
            return Ok((now, Millis::MAX));
        }
        let time = |text: &Option<String>| {
            text.as_deref().map(|text| parse_time(text, self.time_zone)).transpose()
        };
        let until = time(&self.until)?.unwrap_or(now);
        let days = Millis::from(self.days.unwrap_or(DAYS));
        let from = time(&self.from)?.unwrap_or(until - days * DAY);
        if from >= until {
            bail!("--from must be before --until, or before now when there is none");
        }
        Ok((from, until))
    }
}

fn check_url(text: &str) -> anyhow::Result<()> {
    let url = Url::parse(text).context("--url must be a full URL, http://…/webhooks/<id>")?;
    if !matches!(url.scheme(), "http" | "https") {
        bail!("--url must begin with http:// or https://");
    }
    Ok(())
}

fn parse_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| "no such time zone; say an IANA name like Europe/Berlin".to_owned())
}

/// A local date stands for its first instant.
fn parse_time(text: &str, zone: Tz) -> anyhow::Result<Millis> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .with_context(|| format!("{text:?} is neither a date (2026-03-01) nor RFC 3339"))?;
    Ok(day_start(zone, Day::from_date(date)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: SimulateArgs,
    }

    const NOW: Millis = 1_774_828_800_000;

    fn options(arguments: &[&str]) -> anyhow::Result<Options> {
        let always = ["simulate", "--url", "http://localhost/webhooks/w", "--secret", "s"];
        let program = Program::try_parse_from([&always, arguments].concat())?;
        program.args.options(|| NOW)
    }

    fn range(arguments: &[&str]) -> (Millis, Millis) {
        let plan = options(arguments).unwrap().source.plan;
        (plan.from, plan.until)
    }

    #[test]
    fn the_range_is_the_last_28_days_or_what_is_asked_for() {
        assert_eq!(range(&[]), (NOW - 28 * DAY, NOW));
        assert_eq!(range(&["--days", "90"]), (NOW - 90 * DAY, NOW));
        // In Berlin, where the clock changed on the 29th of March.
        let march = ["--from", "2026-03-29", "--until", "2026-03-30"];
        assert_eq!(range(&march), (1_774_738_800_000, 1_774_821_600_000));
        let new_york = [&march[..], &["--time-zone", "America/New_York"]].concat();
        assert_eq!(range(&new_york), (1_774_756_800_000, 1_774_843_200_000));
        assert_eq!(range(&["--from", "2026-03-29T22:00:00Z"]).0, 1_774_821_600_000);
        assert_eq!(range(&["--live"]).0, NOW);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let cases: [&[&str]; 10] = [
            &["--from", "2026-03-30", "--until", "2026-03-30"],
            &["--from", "2026-13-01"],
            &["--from", "2026-03-01", "--days", "3"],
            &["--days", "0"],
            &["--live", "--speed", "2"],
            &["--duration-seconds", "3"],
            &["--time-zone", "Berlin"],
            &["--members", "0"],
            &["--speed", "0"],
            &["--connections", "0"],
        ];
        for arguments in cases {
            assert!(options(arguments).is_err(), "{arguments:?}");
        }
        for url in ["localhost:8080/webhooks/w", "/webhooks/w", "ftp://localhost/"] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }
}
