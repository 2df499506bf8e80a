//! Recording rules and alerts: they are what Prometheus takes, each alert has a case in which it
//! fires, one in which it is quiet, and a runbook.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::dashboards::BOARDS;
use super::{Watched, texts};
use crate::process::{self, Program};

pub const CONFIGURATION: &str = include_str!("../../../dashboards/prometheus/prometheus.yml");
pub const RULES: &str = include_str!("../../../dashboards/prometheus/rules.yml");
pub const ALERTS: &str = include_str!("../../../dashboards/prometheus/alerts.yml");
const CASES: &str = include_str!("../../../dashboards/prometheus/alerts_test.yml");
const OPERATING: &str = include_str!("../../../docs/OPERATING.md");

fn promtool() -> Command {
    let mut command = Command::new("promtool");
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/prometheus"));
    command
}

#[needs::tools("prometheus")]
#[test]
fn promtool_takes_the_configuration_and_every_case() {
    for args in [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "rules.yml"],
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
    ] {
        let run = process::output(promtool().args(args));
        let said = [run.stdout, run.stderr].concat();
        assert!(run.status.success(), "{args:?}: {}", String::from_utf8_lossy(&said));
    }
}

#[needs::tools("prometheus")]
#[tokio::test]
async fn promtool_has_nothing_to_say_about_the_metrics() {
    let text = Watched::start().await.text().await;
    let mut checked = Program::start(promtool().args(["check", "metrics"]).stdin(Stdio::piped()));
    let mut input = checked.stdin();
    input.write_all(text.as_bytes()).expect("it reads");
    drop(input);
    assert!(checked.wait().success(), "what it found stands above");
}

#[test]
fn the_runbooks_on_the_dashboard_are_those_of_the_documentation() {
    let (_, after) = OPERATING.split_once("### Runbooks\n").expect("the chapter is there");
    let (chapter, _) = after.split_once("\n## ").expect("another follows");
    let [.., (_, health)] = BOARDS;
    let board: Value = serde_json::from_str(health).expect("JSON");
    let shown = texts(&board["panels"], "content");
    assert_eq!(shown, [format!("{}\n", chapter.trim())]);
}

#[test]
fn every_alert_has_a_firing_case_a_quiet_one_and_a_runbook() {
    let alerts: Vec<_> = ALERTS.lines().filter_map(|line| line.split_once("- alert: ")).collect();
    assert!(alerts.len() >= 8, "{alerts:?}");
    for (_, alert) in alerts {
        let name = format!("alertname: {alert}");
        let cases = CASES.match_indices(&name);
        let after =
            cases.map(|(at, name)| CASES[at + name.len()..].trim_start_matches([',', ' ', '\n']));
        let (firing, quiet): (Vec<_>, Vec<_>) =
            after.partition(|rest| rest.starts_with("exp_alerts"));
        assert!(!firing.is_empty(), "{alert} never fires");
        assert!(!quiet.is_empty(), "{alert} is never quiet");
        let runbook = format!("docs/OPERATING.md#{}\"", alert.to_lowercase());
        assert!(ALERTS.contains(&runbook), "{alert} names no runbook");
        let heading =
            |line: &str| line.starts_with('#') && line.trim_start_matches(['#', ' ']) == alert;
        assert!(OPERATING.lines().any(heading), "{alert} has no heading in docs/OPERATING.md");
    }
}
