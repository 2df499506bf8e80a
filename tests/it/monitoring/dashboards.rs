//! The dashboards are what Grafana takes, ask the API for what it has, and name no data source.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use footfall::domain::annotation::AnnotationKind;
use serde_json::Value;

use super::{Watched, texts};
use crate::process;
use crate::service::now;

pub const BOARDS: [(&str, &str); 3] = [
    ("floor.json", include_str!("../../../dashboards/grafana/floor.json")),
    ("gym.json", include_str!("../../../dashboards/grafana/gym.json")),
    ("health.json", include_str!("../../../dashboards/grafana/health.json")),
];

/// Reads a dashboard into Grafana's own types and writes it again: what they do not know is lost.
const SCHEMA: &str = include_str!("schema.py");

/// Its rows are words.
const ALERTS_FIRING: &str = r#"ALERTS{alertname=~"Footfall.*", alertstate="firing"}"#;

/// What Grafana calls several data sources in one panel.
const MIXED: &str = "-- Mixed --";

/// Where there may be no row: a healthy gym has no silent spans.
pub const MAY_BE_EMPTY: &str = "totals.silent_spans";

const DAY: i64 = 86_400_000;

fn boards() -> Vec<Value> {
    BOARDS.iter().map(|(_, text)| serde_json::from_str(text).expect("JSON")).collect()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    list(board, "panels").iter().filter(|panel| panel["type"] != "row")
}

/// All that a dashboard asks: what its panels show, and what is marked in all of them.
fn questions(board: &Value) -> impl Iterator<Item = &Value> {
    let marks = list(&board["annotations"], "list").iter().map(|layer| &layer["target"]);
    panels(board).flat_map(|panel| list(panel, "targets")).chain(marks)
}

#[test]
fn ids_are_unique_links_lead_somewhere_and_every_panel_is_described() {
    let boards = boards();
    let uids: BTreeSet<_> = boards.iter().map(|board| board["uid"].as_str()).collect();
    assert_eq!(uids.len(), BOARDS.len(), "{uids:?}");
    for board in &boards {
        let all = list(board, "panels");
        let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_i64()).collect();
        assert_eq!(ids.len(), all.len(), "{}: ids of panels", board["title"]);
        for panel in panels(board) {
            let words = panel["description"].as_str().map_or(0, |text| text.split(' ').count());
            assert!(words >= 4, "{}: a description", panel["title"]);
            let fields = &panel["fieldConfig"];
            // A table has a unit for each column that needs one; words for numbers need none.
            let has_unit = fields["defaults"]["unit"].is_string()
                || texts(&fields["overrides"], "id").contains(&"unit")
                || !list(&fields["defaults"], "mappings").is_empty()
                || list(panel, "targets").iter().all(|one| one["expr"] == ALERTS_FIRING);
            assert!(has_unit, "{}: a unit", panel["title"]);
        }
        for url in texts(board, "url").into_iter().filter_map(|url| url.strip_prefix("/d/")) {
            let uid = url.split(['?', '/']).next();
            assert!(uids.contains(&uid), "{url} leads nowhere");
        }
    }
}

/// Each variable of a dashboard, and whether it holds several values, or all.
fn holds_many(board: &Value) -> BTreeMap<&str, bool> {
    let variables = list(&board["templating"], "list").iter();
    variables
        .filter_map(|one| {
            let is_set = |flag: &str| one[flag].as_bool() == Some(true);
            Some((one["name"].as_str()?, is_set("multi") || is_set("includeAll")))
        })
        .collect()
}

#[test]
fn no_link_carries_many_values_to_where_one_is_taken_or_back() {
    let boards = boards();
    for board in &boards {
        let links: Vec<_> = list(board, "links").iter().collect();
        assert_eq!(links.len(), BOARDS.len() - 1, "{}: links to the others", board["title"]);
        for link in links {
            assert_eq!(link["keepTime"], true, "{link}: the time goes along");
            let uid = link["url"].as_str().and_then(|url| url.strip_prefix("/d/"));
            let to = boards.iter().find(|board| board["uid"].as_str() == uid).expect("it exists");
            let (here, there) = (holds_many(board), holds_many(to));
            let differs =
                |name: &&&str| there.get(**name).is_some_and(|many| *many != here[**name]);
            let differing: Vec<_> = here.keys().filter(differs).collect();
            let carries = link["includeVars"] == true;
            assert!(!carries || differing.is_empty(), "{link} carries {differing:?}");
        }
    }
}

#[test]
fn local_times_without_an_offset_are_not_taken_for_instants() {
    let boards = boards();
    let targets = boards.iter().flat_map(panels).flat_map(|panel| list(panel, "targets"));
    let of_chain = targets.filter(|target| {
        target["url"].as_str().is_some_and(|url| url.starts_with("/api/v1/reports/"))
    });
    let starts: Vec<_> = of_chain
        .flat_map(|target| list(target, "columns"))
        .filter(|column| column["selector"] == "start")
        .collect();
    assert!(!starts.is_empty());
    assert!(starts.iter().all(|column| column["type"] == "string"), "{starts:?}");
}

#[test]
fn no_data_source_is_hard_wired() {
    for board in &boards() {
        let variables = list(&board["templating"], "list");
        let kind_of = |uid: &str| {
            let name = uid.strip_prefix("${")?.strip_suffix('}')?;
            let is_it = |one: &&Value| one["type"] == "datasource" && one["name"] == name;
            variables.iter().find(is_it).map(|variable| variable["query"].clone())
        };
        let layers = list(&board["annotations"], "list");
        let asking = questions(board).chain(panels(board)).chain(layers);
        let sources = asking.map(|one| &one["datasource"]);
        // A panel of text has none, and one with several says so: each question names its own.
        for source in sources.filter(|source| !source.is_null() && source["uid"] != MIXED) {
            let uid = source["uid"].as_str().expect("a data source has an id");
            assert_eq!(kind_of(uid).as_ref(), Some(&source["type"]), "{uid} is no variable");
        }
    }
}

#[test]
fn fullness_has_its_thresholds_at_80_and_90_percent() {
    let boards = boards();
    let of_capacity = boards.iter().flat_map(panels).filter(|panel| {
        let unit = &panel["fieldConfig"]["defaults"]["unit"];
        unit == "percentunit"
            && texts(panel, "expr").iter().any(|text| text.contains("utilisation"))
    });
    let steps: Vec<_> = of_capacity
        .map(|panel| list(&panel["fieldConfig"]["defaults"]["thresholds"], "steps"))
        .map(|steps| steps.iter().filter_map(|step| step["value"].as_f64()).collect::<Vec<_>>())
        .collect();
    assert!(!steps.is_empty());
    assert!(steps.iter().all(|steps| *steps == [0.8, 0.9]), "{steps:?}");
}

#[tokio::test]
async fn every_question_to_the_api_has_an_answer_with_its_columns() {
    let watched = Watched::start().await;
    let token = watched.service.add_token("grafana", "viewer", &[]);
    let boards = boards();
    let mut asked = 0;
    for target in boards.iter().flat_map(questions).filter(|target| target["url"].is_string()) {
        for interval in ["1h", "1d", "1w", "1mo"] {
            let path = path(target, interval);
            let body = watched.service.get_ok(&token, &path).await;
            let root = pointer(target["root_selector"].as_str().expect("a selector"));
            let rows = body.pointer(&root).and_then(Value::as_array).expect("a list");
            if rows.is_empty() && target["root_selector"] == MAY_BE_EMPTY {
                continue;
            }
            for column in list(target, "columns") {
                let selector = column["selector"].as_str().expect("a selector");
                let value = |row: &&Value| row.pointer(&pointer(selector)).is_some_and(is_known);
                assert!(rows.iter().any(|row| value(&row)), "{path}: no {selector} in {rows:?}");
            }
            asked += 1;
        }
    }
    assert!(asked >= 80, "{asked}");
}

fn is_known(value: &Value) -> bool {
    !value.is_null()
}

/// What Grafana takes an annotation's fields for goes by the names of the columns.
#[tokio::test]
async fn what_is_marked_in_all_panels_is_each_kind_of_annotation_once() {
    let watched = Watched::start().await;
    let token = watched.service.add_token("grafana", "viewer", &[]);
    let boards = boards();
    let layers = boards.iter().flat_map(|board| list(&board["annotations"], "list"));
    let mut marked = Vec::new();
    for target in layers.map(|layer| &layer["target"]) {
        let columns = list(target, "columns").iter().map(|column| (&column["text"], column));
        let fields: BTreeMap<_, _> =
            columns.filter_map(|(name, column)| Some((name.as_str()?, column))).collect();
        for (name, kind) in [("time", "timestamp"), ("timeEnd", "timestamp"), ("text", "string")] {
            assert_eq!(fields[name]["type"], kind, "{target}");
        }
        let found = watched.service.get_ok(&token, &path(target, "1d")).await;
        for row in list(&found, "occurrences") {
            let of =
                |name: &str| row[fields[name]["selector"].as_str().expect("it has one")].as_str();
            let [start, end] = ["time", "timeEnd"].map(|name| {
                let text = of(name).expect("a text");
                chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
            });
            assert!((DAY - 3_600_000..=DAY + 3_600_000).contains(&(end - start)), "a day: {row}");
            marked.push(of("text").expect("a text").to_owned());
        }
    }
    assert_eq!(marked, AnnotationKind::ALL.map(AnnotationKind::name));
}

/// The columns that dashboards ask for of a list of the API's.
pub fn columns_of(root: &str) -> Vec<String> {
    let boards = boards();
    let targets = boards.iter().flat_map(panels).flat_map(|panel| list(panel, "targets"));
    let columns = targets
        .filter(|target| target["root_selector"] == root)
        .flat_map(|target| list(target, "columns"));
    columns.filter_map(|column| column["selector"].as_str().map(str::to_owned)).collect()
}

/// The path that a target asks for, its variables filled in.
fn path(target: &Value, interval: &str) -> String {
    let time = |ago| {
        let time = chrono::DateTime::from_timestamp_millis(now() - ago).expect("a time");
        time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    let given = [
        ("${gym}", "mitte"),
        ("${gym:csv}", "mitte"),
        ("${step}", "1h"),
        ("${interval}", interval),
        ("${__from:date:iso}", &time(21 * DAY)),
        ("${__to:date:iso}", &time(0)),
    ];
    let filled = |text: &Value| {
        let text = text.as_str().expect("a text").to_owned();
        given.iter().fold(text, |text, (name, value)| text.replace(name, value))
    };
    let params = list(&target["url_options"], "params").iter();
    let query: Vec<_> =
        params.map(|one| format!("{}={}", filled(&one["key"]), filled(&one["value"]))).collect();
    let path = format!("{}?{}", filled(&target["url"]), query.join("&"));
    assert!(!path.contains('$'), "{path}: a variable is not known here");
    path
}

fn pointer(selector: &str) -> String {
    format!("/{}", selector.replace('.', "/"))
}

#[needs::tools("grafana-foundation-sdk")]
#[test]
fn grafana_s_own_types_know_everything_in_them() {
    for (name, _) in BOARDS {
        let file = format!("{}/dashboards/grafana/{name}", env!("CARGO_MANIFEST_DIR"));
        let run = process::output(Command::new("python3").args(["-c", SCHEMA, &file]));
        let said = [run.stdout, run.stderr].concat();
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&said));
    }
}
