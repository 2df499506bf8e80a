//! EGYM: `footfall egym` against a stand-in that is true to its contract, and deliveries from it.

mod commands;
mod day;
mod doctor;
mod half_done;
mod location;
mod page;
mod scene;
mod stand_in;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::process;
use crate::service::BINARY;

/// Runs commands of `footfall egym` as an operator does.
pub struct Operator {
    pub data: PathBuf,
    pub env: Vec<(&'static str, String)>,
}

impl Operator {
    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.arg("egym").args(args).env("FOOTFALL_DATA", &self.data);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        process::output(&mut command)
    }

    /// What a command that succeeds prints.
    pub fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {error}");
        serde_json::from_slice(&output.stdout).expect("JSON on standard output")
    }

    /// What a command that fails says.
    pub fn refusal(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "{args:?} was to fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// As another person, with another key.
    pub fn with_key(&self, key: &str) -> Operator {
        let mut env = self.env.clone();
        env.push(("FOOTFALL_EGYM_API_KEY", key.to_owned()));
        Operator { data: self.data.clone(), env }
    }
}
