//! A real Prometheus on a free port, with the configuration and the rules that are given to users;
//! and every expression of dashboards and rules, asked of it.

use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::dashboards::BOARDS;
use super::rules::{ALERTS, CONFIGURATION, RULES};
use super::{AT_TIMES, Watched, texts};
use crate::patience::Patience;
use crate::process::Program;
use crate::service::{answer, client};

/// What may have no result, beside what exists at times only, and why.
const MAY_BE_EMPTY: [(&str, &str); 1] =
    [("ALERTS{", "a healthy service has no alert that is firing")];

/// What only a Prometheus that takes native histograms has, and what only another.
const NATIVE: &str = "footfall_delivery_answer_seconds[";
const CLASSIC: &str = "footfall_delivery_answer_seconds_bucket[";
const NATIVE_FLAG: &str = "--enable-feature=native-histograms";

/// So often is it asked again for what has no result yet: rates need two scrapes, which come each
/// second.
const ROUNDS: usize = 120;

struct Prometheus {
    _program: Program,
    root: String,
    client: reqwest::Client,
    _folder: TempDir,
}

impl Prometheus {
    /// Scrapes a service every second, by the configuration that users get.
    async fn start(target: &str, more: &[&str]) -> Prometheus {
        let folder = TempDir::new().expect("a temporary folder");
        let configuration = CONFIGURATION.replace("footfall:9464", target).replace("15s", "1s");
        assert!(configuration.contains(target), "the target stands in the configuration");
        let files =
            [("prometheus.yml", &*configuration), ("rules.yml", RULES), ("alerts.yml", ALERTS)];
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("it is written");
        }
        let log_path = folder.path().join("prometheus.log");
        let log = File::create(&log_path).expect("a file");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("series").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .args(more)
            .stderr(log);
        let mut program = Program::start(&mut command);
        let client = client().build().expect("a client");
        let patience = Patience::until("Prometheus is ready");
        loop {
            let log = fs::read_to_string(&log_path).expect("it is there");
            if let Some(root) = listens_at(&log) {
                let ready = client.get(format!("{root}/-/ready")).send().await;
                if ready.is_ok_and(|ready| ready.status() == 200) {
                    return Prometheus { _program: program, root, client, _folder: folder };
                }
            }
            assert!(program.is_running(), "prometheus ended: {log}");
            patience.again().await;
        }
    }

    /// What an expression is now.
    async fn query(&self, expression: &str) -> Value {
        let url = format!("{}/api/v1/query", self.root);
        let (status, found) = answer(self.client.get(url).query(&[("query", expression)])).await;
        assert_eq!(status, 200, "{expression}: {found}");
        found["data"]["result"].clone()
    }

    /// How many results an expression has now.
    async fn ask(&self, expression: &str) -> usize {
        self.query(expression).await.as_array().expect("a list").len()
    }

    /// The expressions of all rules, as Prometheus read them.
    async fn rules(&self) -> Vec<String> {
        let (status, rules) = answer(self.client.get(format!("{}/api/v1/rules", self.root))).await;
        assert_eq!(status, 200, "{rules}");
        texts(&rules["data"], "query").into_iter().map(str::to_owned).collect()
    }
}

/// Where Prometheus says, in its log, that it listens.
fn listens_at(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("msg=\"Listening on\" address=")?;
    Some(format!("http://{}", rest.split_once('\n')?.0))
}

#[needs::tools("prometheus")]
#[tokio::test]
async fn every_expression_of_dashboards_and_rules_has_a_result() {
    let watched = Watched::start().await;
    all_have_a_result(&watched, &[], NATIVE).await;
}

/// Such a Prometheus asks for its protobuf format, and keeps native buckets in place of classic ones.
#[needs::tools("prometheus")]
#[tokio::test]
async fn and_so_where_prometheus_takes_native_histograms() {
    let watched = Watched::start().await;
    let prometheus = all_have_a_result(&watched, &[NATIVE_FLAG], CLASSIC).await;
    let found = prometheus.query("histogram_count(footfall_delivery_answer_seconds)").await;
    let counted = found[0]["value"][1].as_str().and_then(|value| value.parse::<f64>().ok());
    assert!(counted.is_some_and(|counted| counted > 1_000.0), "{found}");
    // Another bucket for each twelfth of a time, not for each doubling.
    let [low, high] = ["0.3", "0.6"].map(|quantile| {
        format!("histogram_quantile({quantile}, footfall_delivery_answer_seconds)")
    });
    let found = prometheus.query(&format!("({high}) / ({low})")).await;
    let ratio = found[0]["value"][1].as_str().and_then(|value| value.parse::<f64>().ok());
    assert!(ratio.is_some_and(|ratio| ratio > 1.0), "{found}");
    assert_eq!(prometheus.ask("footfall_delivery_answer_seconds_bucket").await, 0);
    assert!(prometheus.ask("footfall_stay_seconds_bucket").await > 0, "others are as ever");
}

/// Asks a Prometheus that was started with such flags, until only what `absent` names, or what exists
/// at times, has no result.
async fn all_have_a_result(watched: &Watched, flags: &[&str], absent: &str) -> Prometheus {
    let target = watched.service.root.strip_prefix("http://").expect("plain HTTP");
    let prometheus = Prometheus::start(target, flags).await;
    let mut asked: Vec<_> = BOARDS.iter().flat_map(|(_, board)| of_board(board)).collect();
    asked.extend(prometheus.rules().await.iter().flat_map(|rule| watched_by(rule)));
    assert!(asked.len() > 60, "{}", asked.len());
    let may_be_empty = |asked: &String| asked.contains(absent) || exists_at_times(asked);
    for _ in 0..ROUNDS {
        // What counts deliveries has a rate when some come.
        watched.knock().await;
        let mut open = Vec::new();
        for expression in asked {
            if prometheus.ask(&expression).await == 0 {
                open.push(expression);
            }
        }
        asked = open;
        if asked.iter().all(may_be_empty) {
            return prometheus;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    asked.retain(|expression| !may_be_empty(expression));
    panic!("these have no result: {asked:#?}");
}

fn exists_at_times(expression: &str) -> bool {
    let mut known = AT_TIMES.iter().chain(&MAY_BE_EMPTY);
    known.any(|(part, _)| expression.contains(part))
}

/// The expressions of a dashboard, its variables filled in.
fn of_board(board: &str) -> Vec<String> {
    let board: Value = serde_json::from_str(board).expect("JSON");
    let filled = |text: &str| {
        let given = [("$gym", "mitte"), ("$instance", ".*"), ("$range", "1m")];
        let full = given.iter().fold(text.to_owned(), |text, (name, to)| text.replace(name, to));
        assert!(!full.contains('$'), "{full}: a variable is not known here");
        full
    };
    let panels = texts(&board["panels"], "expr").into_iter().map(filled);
    let variables = texts(&board["templating"], "query").into_iter();
    let asked = variables.filter_map(|text| {
        let of_labels = text.strip_prefix("label_values(").and_then(|text| text.split_once(','));
        let series = of_labels.map(|(series, _)| series);
        let asked = text.strip_prefix("query_result(").and_then(|text| text.strip_suffix(')'));
        Some(series.or(asked)?.to_owned())
    });
    panels.chain(asked).collect()
}

/// What a rule looks at: the left side of each comparison. A quiet alert has no result itself, but
/// one about a series that does not exist would be quiet for ever.
fn watched_by(rule: &str) -> Vec<String> {
    let compared = [" > ", " >= ", " < ", " == ", " unless "];
    let left = |part: &str| {
        let ends = compared.iter().filter_map(|sign| part.find(sign));
        part[..ends.min().unwrap_or(part.len())].trim().to_owned()
    };
    rule.split(" or ").flat_map(|part| part.split(" and ")).map(left).collect()
}
