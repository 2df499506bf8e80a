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
    async fn start(target: &str) -> Prometheus {
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

    /// How many results an expression has now.
    async fn ask(&self, expression: &str) -> usize {
        let url = format!("{}/api/v1/query", self.root);
        let (status, found) = answer(self.client.get(url).query(&[("query", expression)])).await;
        assert_eq!(status, 200, "{expression}: {found}");
        found["data"]["result"].as_array().expect("a list").len()
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
    let target = watched.service.root.strip_prefix("http://").expect("plain HTTP");
    let prometheus = Prometheus::start(target).await;
    let mut asked: Vec<_> = BOARDS.iter().flat_map(|(_, board)| of_board(board)).collect();
    asked.extend(prometheus.rules().await.iter().flat_map(|rule| watched_by(rule)));
    assert!(asked.len() > 60, "{}", asked.len());
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
        if asked.iter().all(|expression| may_be_empty(expression)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    asked.retain(|expression| !may_be_empty(expression));
    panic!("these have no result: {asked:#?}");
}

fn may_be_empty(expression: &str) -> bool {
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
        let (series, _) = text.strip_prefix("label_values(")?.split_once(',')?;
        Some(series.to_owned())
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
