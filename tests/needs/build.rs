//! What tests need beside Rust and a C compiler: looks what is there, and has cargo look again when
//! that may have changed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How a tool is found.
enum Found {
    /// Programs, all of them in `PATH`.
    Programs(&'static [&'static str]),
    /// A module that the `python3` of `PATH` can import.
    Python(&'static str),
    /// A file in a folder of `NODE_PATH`.
    Node(&'static str),
}

use Found::{Node, Programs, Python};

/// Each tool by its name in `#[needs::tools(…)]`, and how to get it. `.ci/run` installs all.
const TOOLS: [(&str, Found, &str); 10] = [
    ("aiosmtpd", Python("aiosmtpd"), "pip install aiosmtpd"),
    (
        "axe-core",
        Node("axe-core/axe.min.js"),
        "npm install --prefix target/tools axe-core; \
         export NODE_PATH=$PWD/target/tools/node_modules",
    ),
    ("chromium", Programs(&["chromium", "chromedriver"]), "apt install chromium chromium-driver"),
    ("faketime", Programs(&["faketime"]), "apt install faketime"),
    (
        "grafana-foundation-sdk",
        Python("grafana_foundation_sdk"),
        "pip install grafana-foundation-sdk",
    ),
    ("pebble", Programs(&["pebble", "pebble-challtestsrv"]), "apt install pebble"),
    ("prometheus", Programs(&["prometheus", "promtool"]), "apt install prometheus"),
    ("schemathesis", Programs(&["schemathesis"]), "pip install schemathesis"),
    ("systemd", Programs(&["systemd-socket-activate"]), "apt install systemd"),
    ("testssl", Programs(&["testssl"]), "apt install testssl.sh"),
];

fn main() {
    for variable in ["PATH", "PYTHONPATH", "NODE_PATH", "CI"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    // With `CI=true` they fail, and say the same.
    let becomes = if std::env::var("CI").as_deref() == Ok("true") { "fail" } else { "are ignored" };
    let told = TOOLS.map(|(name, found, get)| {
        if is_there(&found) {
            return format!("{name}=");
        }
        println!("cargo::warning={name} is missing, the tests that need it {becomes}: {get}");
        format!("{name}={get}")
    });
    println!("cargo::rustc-env=TOOLS={}", told.join("|"));
}

fn is_there(tool: &Found) -> bool {
    match tool {
        Programs(names) => {
            let folders = folders("PATH");
            names.iter().all(|name| is_in(&folders, name))
        }
        Node(file) => is_in(&folders("NODE_PATH"), file),
        Python(module) => has_module(module),
    }
}

fn folders(variable: &str) -> Vec<PathBuf> {
    let all = std::env::var_os(variable).unwrap_or_default();
    std::env::split_paths(&all).filter(|folder| folder.is_dir()).collect()
}

/// Whether a file is in one of the folders: cargo watches it, or the folders that it may come to.
fn is_in(folders: &[PathBuf], name: &str) -> bool {
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    match &found {
        Some(path) => watch(path),
        None => folders.iter().for_each(|folder| watch(folder)),
    }
    found.is_some()
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// As [`is_in`], of the folders from which Python imports what does not come with it.
fn has_module(name: &str) -> bool {
    let script = "import importlib.util, sys\n\
        found = importlib.util.find_spec(sys.argv[1])\n\
        print(found.origin or '-' if found else '')\n\
        print(*[path for path in sys.path if path.endswith('-packages')], sep='\\n')";
    let asked = Command::new("python3").args(["-c", script, name]).output();
    let said = asked.map(|run| String::from_utf8_lossy(&run.stdout).into_owned());
    let said = said.unwrap_or_default();
    let mut lines = said.lines();
    let origin = lines.next().unwrap_or_default();
    if origin.is_empty() {
        lines.map(Path::new).filter(|folder| folder.is_dir()).for_each(watch);
        return false;
    }
    // A package need not have a file of its own.
    let file = Path::new(origin);
    if file.is_file() {
        watch(file);
    }
    true
}
