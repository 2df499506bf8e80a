//! Whether every message that the pages say is there, and whether every one that is there is said.

use std::collections::BTreeSet;
use std::path::Path;

use super::heat::SHOWN;
use super::overview::SORTS;
use super::people::Do;
use super::range::{COMPARISONS, GROUPINGS, INTERVALS, PRESETS, WINDOWS};
use super::rules::RULES;
use super::table::column_key;
use super::views::VIEWS;
use super::ways::Group;
use super::words::Words;
use crate::domain::annotation::AnnotationKind;
use crate::domain::report::busy::{Level, Public};
use crate::store::{Reason, Role};

const REASONS: [Reason; 9] = [
    Reason::NotJson,
    Reason::Shape,
    Reason::TooEarly,
    Reason::TooFarAhead,
    Reason::BodyTooLarge,
    Reason::BodyIncomplete,
    Reason::StretchFull,
    Reason::TooOld,
    Reason::Fault,
];

/// All text that stands between quotes, in a folder of code.
fn quoted(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the code is here") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            quoted(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("spoken.rs") {
            let code = std::fs::read_to_string(path).expect("it is text");
            found.extend(code.split('"').map(str::to_owned));
        }
    }
}

/// The keys that are put together when a page is made: each section with all that it is asked for.
fn made() -> Vec<String> {
    let of = |section: &str, keys: &[&str]| {
        keys.iter().map(|key| format!("{section}.{key}")).collect::<Vec<_>>()
    };
    let numbers = |section: &str, last: u32| {
        (1..=last).map(|number| format!("{section}.{number}")).collect::<Vec<_>>()
    };
    let reports = VIEWS.each_ref().map(|view| view.name);
    let columns = VIEWS.iter().flat_map(|view| view.columns.iter().chain(view.totals));
    let columns = columns.map(|(place, _)| column_key(place));
    let kinds = AnnotationKind::ALL.map(AnnotationKind::name);
    let public = Public::ALL.map(|public| format!("public_{}", public.name()));
    let mut keys = [
        numbers("month", 12),
        numbers("weekday", 7),
        numbers("whole_weekday", 7),
        of("group", &Group::ALL.map(Group::word)),
        of("overview", &SORTS),
        of("shown", &SHOWN),
        of("report", &reports),
        of("counts", &reports),
        of("range", &PRESETS),
        of("window", &WINDOWS),
        of("interval", &INTERVALS.map(|(word, _)| word)),
        of("group", &GROUPINGS),
        of("compare", &COMPARISONS),
        of("annotations", &kinds),
        of("people", &Do::ALL.map(Do::word)),
        of("people", &Role::ALL.map(Role::name)),
        of("set_up", &RULES),
        of("set_up", &public.each_ref().map(String::as_str)),
        of("busy", &Level::ALL.map(Level::name)),
        of("column", &["coverage"]),
        of("problem", &REASONS.map(Reason::name)),
        of("entered_by", &["checkin", "equipment"]),
        of("ended_by", &["checkout", "assumed", "window", "next_visit", "erasure"]),
        of("erased_by", &["membership_delete", "manual", "restore"]),
    ]
    .concat();
    keys.extend(columns);
    keys
}

#[test]
fn every_message_is_there_and_every_one_is_said() {
    let mut texts = BTreeSet::new();
    for room in ["src/http", "src/app/notify"] {
        quoted(&Path::new(env!("CARGO_MANIFEST_DIR")).join(room), &mut texts);
    }
    // Columns of lists are named by their place in a row.
    let columns = texts.iter().filter(|text| text.starts_with('/')).map(|place| column_key(place));
    let written: BTreeSet<String> = texts.iter().cloned().chain(columns).collect();
    let made: BTreeSet<String> = made().into_iter().collect();
    for words in Words::all() {
        let keys: BTreeSet<&str> = words.keys().collect();
        let sections: BTreeSet<&str> =
            keys.iter().filter_map(|key| key.split('.').next()).collect();
        let is_key = |text: &&String| {
            text.split_once('.').is_some_and(|(section, key)| {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
                let is_key = !key.is_empty() && key.chars().all(is_plain);
                // A script may be named as a section is.
                sections.contains(section) && is_key && key != "js"
            })
        };
        let said = texts.iter().filter(is_key).chain(&made);
        let missing: Vec<_> = said.filter(|key| !keys.contains(key.as_str())).collect();
        assert!(missing.is_empty(), "{} lacks {missing:?}", words.code);
        let unused = keys.iter().filter(|key| !written.contains(**key) && !made.contains(**key));
        let unused: Vec<_> = unused.collect();
        assert!(unused.is_empty(), "{} has what nobody says: {unused:?}", words.code);
    }
}
