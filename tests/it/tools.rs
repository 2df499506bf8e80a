//! What is said of a test whose tool is missing, shown on a package with one such test, which is
//! built where there is nothing but a compiler.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process;

const MANIFEST: &str = r#"
    [package]
    name = "one"
    version = "0.1.0"
    edition = "2024"

    [dev-dependencies]
    needs = { path = "NEEDS" }

    [workspace]
"#;

/// It passes only where both are there.
const TEST: &str = r#"
    #[needs::tools("faketime", "systemd")]
    #[test]
    fn is_done() {
        let path = std::env::var("PATH").expect("it is set");
        assert!(std::path::Path::new(&path).join("faketime").exists(), "it ran without");
    }
"#;

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(TempDir::new().expect("a temporary folder"));
        let needs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/needs");
        fs::create_dir(place.at("bin")).expect("it is made");
        fs::create_dir(place.at("src")).expect("it is made");
        let manifest = MANIFEST.replace("NEEDS", needs.to_str().expect("text"));
        fs::write(place.at("Cargo.toml"), manifest).expect("it is written");
        fs::write(place.at("src/lib.rs"), TEST).expect("it is written");
        let path = std::env::var_os("PATH").expect("it is set");
        // What a compiler calls to link.
        for program in ["cc", "ld"] {
            let mut all = std::env::split_paths(&path).map(|folder| folder.join(program));
            let found = all.find(|path| path.exists()).expect("a C compiler is there");
            symlink(found, place.at("bin").join(program)).expect("it is made");
        }
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What `cargo test` says.
    fn test(&self, ci: bool) -> String {
        let cargo = PathBuf::from(std::env::var_os("CARGO").expect("cargo runs this test"));
        let mut command = Command::new(&cargo);
        command.args(["test", "--offline", "--lib"]).current_dir(self.0.path());
        command.env("RUSTC", cargo.with_file_name("rustc")).env("PATH", self.at("bin"));
        command.env("CARGO_TARGET_DIR", self.at("target")).env_remove("CI");
        if ci {
            command.env("CI", "true");
        }
        let run = process::output(&mut command);
        String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned()
    }
}

#[test]
fn a_test_whose_tool_is_missing_is_counted_as_ignored_and_says_how_to_get_it() {
    let place = Place::new();
    let why = "faketime is missing: apt install faketime; and systemd is missing: \
               apt install systemd";
    let said = place.test(false);
    assert!(said.contains(&format!("test is_done ... ignored, {why}\n")), "{said}");
    assert!(said.contains("0 passed; 0 failed; 1 ignored"), "{said}");
    let said = place.test(true);
    assert!(said.contains("0 passed; 1 failed; 0 ignored") && said.contains(why), "{said}");
    // As soon as they are installed, it runs: nothing is kept from before.
    for name in ["faketime", "systemd-socket-activate"] {
        fs::write(place.at("bin").join(name), "").expect("it is written");
    }
    let said = place.test(false);
    assert!(said.contains("1 passed; 0 failed; 0 ignored"), "{said}");
}
