//! What is read off a snapshot for each answer, so that what is gone is not in it.

use std::collections::HashMap;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::{seconds, webhook_word};
use crate::domain::Millis;
use crate::domain::ids::{GymId, Position};
use crate::domain::tally::Count;
use crate::http::process::Process;
use crate::projection::live::Live;
use crate::projection::witness::Seen;
use crate::store::{Build, Erasures, Held, Sizes, Vitals, Webhook};

const ENDED_BY: [(Count, &str); 5] = [
    (Count::EndedByCheckout, "checkout"),
    (Count::EndedByAssumed, "assumed"),
    (Count::EndedByWindow, "window"),
    (Count::EndedByNextVisit, "next_visit"),
    (Count::EndedByErasure, "erasure"),
];

/// Families of metrics, of which those without any value are left out.
#[derive(Default)]
pub struct Gauges(Vec<MetricFamily>);

impl Gauges {
    pub fn into_families(self) -> Vec<MetricFamily> {
        self.0.into_iter().filter(|family| !family.get_metric().is_empty()).collect()
    }

    pub fn add_gyms(&mut self, gyms: &[Live]) {
        self.by_gym(gyms, "members_present", "Members in the gym now.", |gym| {
            Some(f64::from(gym.present))
        });
        self.by_gym(gyms, "capacity_members", "How many members it is meant to hold.", |gym| {
            gym.gym.settings.capacity.map(f64::from)
        });
        let help = "Members that are usual in this hour of the week, on average.";
        self.by_gym(gyms, "usual_members", help, |gym| gym.usual.map(|usual| usual.average));
        let help = "The peak that is usual in this hour of the week, in members.";
        self.by_gym(gyms, "usual_peak_members", help, |gym| gym.usual.map(|usual| usual.peak));
        let help = "1 while a silent span is going on.";
        self.by_gym(gyms, "silent", help, |gym| {
            gym.is_silent.map(|silent| f64::from(u8::from(silent)))
        });
        let help = "The minute of the newest event, by its own time.";
        self.by_gym(gyms, "last_event_timestamp_seconds", help, |gym| gym.last_event.map(seconds));
        let help = "Check-ins at equipment on the gym's local day.";
        self.by_gym(gyms, "equipment_checkins_today", help, |gym| {
            Some(number(gym.today.get(Count::EquipmentCheckins)))
        });
        let help = "Visits begun on the gym's local day, by how their end is known.";
        let visits = gyms.iter().flat_map(|gym| {
            ENDED_BY.iter().map(|(count, word)| {
                let labels = [("gym", gym.gym.slug.as_str()), ("ended_by", *word)];
                gauge(&labels, number(gym.today.get(*count)))
            })
        });
        self.add("footfall_gym_visits_today", help, visits);
    }

    pub fn add_quarantine(&mut self, gyms: &[Live], depths: &[(GymId, i64)]) {
        let depths: HashMap<_, _> = depths.iter().copied().collect();
        self.by_gym(gyms, "quarantined_deliveries", "Deliveries that wait in quarantine.", |gym| {
            Some(number(depths.get(&gym.gym.id).copied().unwrap_or(0)))
        });
    }

    pub fn add_quarantine_held(&mut self, gyms: &[Live], held: &[(GymId, Held)]) {
        let held: HashMap<_, _> = held.iter().copied().collect();
        let of = |gym: &Live| held.get(&gym.gym.id).copied().unwrap_or_default();
        let bytes = "What the gym's quarantine keeps, in bytes.";
        self.by_gym(gyms, "quarantined_bytes", bytes, |gym| Some(number(of(gym).bytes)));
        let full = "1 when the gym's quarantine keeps no more whole bodies, else 0.";
        self.by_gym(gyms, "quarantine_full", full, |gym| {
            Some(number(i64::from(!of(gym).has_room())))
        });
    }

    pub fn add_webhooks(&mut self, webhooks: &[Webhook], silent: &[Option<bool>]) {
        let by_webhook = |webhook: &Webhook, value| {
            let word = webhook_word(&webhook.public_id);
            gauge(&[("gym", webhook.slug.as_str()), ("webhook", word)], value)
        };
        let at = |time: fn(&Webhook) -> Option<Millis>| {
            webhooks
                .iter()
                .filter_map(move |webhook| Some(by_webhook(webhook, seconds(time(webhook)?))))
        };
        let help = "1 while nothing comes through the webhook, although for its gym it should.";
        let known = webhooks.iter().zip(silent).filter_map(|(webhook, silent)| {
            Some(by_webhook(webhook, f64::from(u8::from((*silent)?))))
        });
        self.add("footfall_webhook_silent", help, known);
        let help = "When the webhook last delivered; absent before.";
        let name = "footfall_webhook_last_delivery_timestamp_seconds";
        self.add(name, help, at(|webhook| webhook.last_delivery_at));
        let help = "When the webhook was last tested; absent before.";
        let name = "footfall_webhook_last_test_timestamp_seconds";
        self.add(name, help, at(|webhook| webhook.last_test_at));
    }

    pub fn add_vitals(&mut self, vitals: &Vitals, waiting: usize) {
        let position = |position: Position| Some(number(position.0));
        let help = "The last position that the log gave.";
        self.one("footfall_log_position", help, position(vitals.log_position));
        let help = "The last position of the log that was applied.";
        self.one("footfall_projection_position", help, position(vitals.projection_position));
        let help = "When a write last went to disk and found every event applied.";
        let name = "footfall_projection_heartbeat_timestamp_seconds";
        self.one(name, help, vitals.heartbeat_at.map(seconds));
        let help = "Writes that wait for the writer.";
        self.one("footfall_write_queue_writes", help, Some(number(waiting)));
        self.add_erasures(&vitals.erasures);
        let help = "Runs of retention that were left out because the clock could not be believed.";
        self.counter("footfall_retention_skipped_total", help, vitals.retention_skipped);
    }

    /// What the witnesses say of the clock.
    pub fn add_clock(&mut self, seen: &Seen) {
        let help = "1 while the clock cannot be believed.";
        let disagrees = f64::from(u8::from(!seen.verdict.is_good()));
        self.one("footfall_clock_disagrees", help, Some(disagrees));
        let help =
            "How far the clock is ahead of the time that was witnessed; behind it if negative.";
        let ahead = seconds(seen.clock - seen.witness.at);
        self.one("footfall_clock_ahead_seconds", help, Some(ahead));
    }

    fn counter(&mut self, name: &str, help: &str, value: i64) {
        self.count(name, help, [counter(&[], number(value))]);
    }

    pub fn add_ledger(&mut self, can_be_written: bool) {
        let help = "1 when the erasure ledger can be written, without which nobody is erased.";
        let name = "footfall_erasure_ledger_writable";
        self.one(name, help, Some(f64::from(u8::from(can_be_written))));
    }

    fn add_erasures(&mut self, erasures: &Erasures) {
        let help = "Erasures that are not complete.";
        self.one("footfall_erasures_pending", help, Some(number(erasures.pending)));
        let help = "When the oldest of those was asked for; absent without any.";
        let name = "footfall_erasures_pending_since_timestamp_seconds";
        self.one(name, help, erasures.pending_since.map(seconds));
        let help = "How long the last erasure took, from the request on.";
        let name = "footfall_erasure_last_duration_seconds";
        self.one(name, help, erasures.last_took.map(seconds));
        let help = "Erasures that are complete.";
        self.counter("footfall_erasures_done_total", help, erasures.done);
    }

    pub fn add_process(&mut self, process: &Process) {
        let jobs = process.jobs();
        let running = jobs
            .iter()
            .map(|(name, job)| gauge(&[("name", name)], f64::from(u8::from(job.is_running))));
        self.add("footfall_job_running", "1 while the background job runs.", running);
        let restarts =
            jobs.iter().map(|(name, job)| counter(&[("name", name)], number(job.restarts)));
        let help = "How often the background job ended and was started again.";
        self.count("footfall_job_restarts_total", help, restarts);
        let backups = process.backups();
        let help = "When the last good backup was made by itself; 0 before the first.";
        let last = backups.map(|backups| seconds(backups.last.unwrap_or(0)));
        self.one("footfall_backup_last_timestamp_seconds", help, last);
        let help = "Size of the last good backup.";
        let bytes = backups.and_then(|backups| backups.last.map(|_| number(backups.bytes)));
        self.one("footfall_backup_last_bytes", help, bytes);
        let help = "How often a backup is to be made.";
        let every = backups.map(|backups| seconds(backups.every));
        self.one("footfall_backup_interval_seconds", help, every);
        let help =
            "Kept backups that could not be made to forget who was erased, and were removed.";
        let lost = backups.map(|_| counter(&[], number(process.backups_lost())));
        self.count("footfall_backup_lost_total", help, lost);
        let lost = counter(&[], number(process.log_lines_lost()));
        let help = "Lines of the log that could not be written.";
        self.count("footfall_log_lines_lost_total", help, [lost]);
    }

    pub fn add_builds(&mut self, gyms: &[Live], builds: &[Build]) {
        let help = "How far the count of a gym that is made again has come, 0 to 1.";
        self.by_gym(gyms, "rebuild_progress_ratio", help, |gym| {
            let build = builds.iter().find(|build| build.gym == gym.gym.id)?;
            let last = gym.gym.position.0.max(build.position.0).max(1);
            Some(number(build.position.0) / number(last))
        });
    }

    pub fn add_sizes(&mut self, sizes: &Sizes) {
        let bytes = |size| Some(number::<u64>(size));
        self.one("footfall_database_bytes", "Size of the database.", bytes(sizes.database));
        let help = "Size of the write-ahead log.";
        self.one("footfall_write_ahead_log_bytes", help, bytes(sizes.write_ahead_log));
        let help = "Size of the disk with the data folder.";
        self.one("footfall_disk_bytes", help, bytes(sizes.disk));
        let help = "What is free of the disk with the data folder.";
        self.one("footfall_disk_free_bytes", help, bytes(sizes.disk_free));
    }

    pub fn add_build(&mut self) {
        let help = "Always 1; the version is a label.";
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        self.add("footfall_build_info", help, [gauge(&version, 1.0)]);
    }

    fn by_gym(
        &mut self,
        gyms: &[Live],
        name: &str,
        help: &str,
        value: impl Fn(&Live) -> Option<f64>,
    ) {
        let known = gyms.iter().filter_map(|gym| Some((gym, value(gym)?)));
        let metrics = known.map(|(gym, value)| gauge(&[("gym", gym.gym.slug.as_str())], value));
        self.add(&format!("footfall_gym_{name}"), help, metrics);
    }

    pub fn add_certificate(&mut self, expires_at: Option<Millis>) {
        let help = "When the certificate in use expires.";
        self.one("footfall_certificate_expiry_timestamp_seconds", help, expires_at.map(seconds));
    }

    fn one(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.add(name, help, value.map(|value| gauge(&[], value)));
    }

    fn count(&mut self, name: &str, help: &str, metrics: impl IntoIterator<Item = Metric>) {
        self.add(name, help, metrics);
        self.0.last_mut().expect("it was just added").set_field_type(MetricType::COUNTER);
    }

    fn add(&mut self, name: &str, help: &str, metrics: impl IntoIterator<Item = Metric>) {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(MetricType::GAUGE);
        family.set_metric(metrics.into_iter().collect());
        self.0.push(family);
    }
}

fn gauge(labels: &[(&str, &str)], value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = labelled(labels);
    metric.set_gauge(gauge);
    metric
}

fn counter(labels: &[(&str, &str)], value: f64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = labelled(labels);
    metric.set_counter(counter);
    metric
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn number<N: TryInto<i64>>(value: N) -> f64 {
    value.try_into().unwrap_or(i64::MAX) as f64
}
