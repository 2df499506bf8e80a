//! A real `footfall serve` on a free port, over a data folder of its own, with what a user does
//! around it.

use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::process::{self, Lines, Program};

pub const BINARY: &str = env!("CARGO_BIN_EXE_footfall");
/// A service that says nothing for so long hangs.
const SILENCE_SECONDS_MAX: u64 = 120;

/// A running service, killed when dropped.
pub struct Service {
    program: Program,
    /// What it prints after its first line.
    said: Mutex<Lines>,
    pub root: String,
    pub folder: Arc<TempDir>,
    pub client: reqwest::Client,
}

/// A webhook, with what a sender knows of it.
#[derive(Clone)]
pub struct Webhook {
    pub path: String,
    pub secret: String,
}

/// Runs a command on a data folder.
pub fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args).env("FOOTFALL_DATA", folder);
    process::output(&mut command)
}

/// Runs a command that must succeed and print JSON.
pub fn run_json(folder: &Path, args: &[&str]) -> Value {
    let output = run(folder, args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

/// Ends a process as a power cut would.
pub fn kill_process(id: u32) {
    process::signal(id, Signal::KILL);
}

/// What `verify` says.
pub fn verify(folder: &Path) -> Value {
    let output = run(folder, &["verify", "--json"]);
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

impl Service {
    /// Over a fresh data folder.
    pub fn start() -> Service {
        Service::start_on(Arc::new(TempDir::new().expect("a temporary folder")))
    }

    pub fn start_on(folder: Arc<TempDir>) -> Service {
        Service::start_with(folder, "127.0.0.1:0", &[])
    }

    /// On an address, with settings as variables.
    pub fn start_with(folder: Arc<TempDir>, listen: &str, env: &[(&str, &str)]) -> Service {
        Service::start_by(Command::new(BINARY), folder, listen, env)
    }

    /// Where the shell allows so many open files, unless more are asked for.
    pub fn start_with_files(folder: Arc<TempDir>, files: u32) -> Service {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -Sn {files}; exec \"$0\" \"$@\""), BINARY]);
        Service::start_by(shell, folder, "127.0.0.1:0", &[])
    }

    /// By a program that becomes the service.
    pub fn start_by(
        program: Command,
        folder: Arc<TempDir>,
        listen: &str,
        env: &[(&str, &str)],
    ) -> Service {
        // Among the data, so that who looks for traces of a member looks there too.
        let log = File::options().append(true).create(true).open(folder.path().join("service.log"));
        Service::start_logging(program, folder, listen, env, log.expect("a file").into())
    }

    /// With its log somewhere else.
    pub fn start_logging(
        mut program: Command,
        folder: Arc<TempDir>,
        listen: &str,
        env: &[(&str, &str)],
        log: Stdio,
    ) -> Service {
        program
            .args(["serve", "--listen", listen])
            .env("FOOTFALL_DATA", folder.path())
            .env("FOOTFALL_LOG_FILTER", "debug")
            .envs(env.iter().copied())
            .stderr(log)
            .stdout(Stdio::piped());
        let mut program = Program::start(&mut program);
        let said = program.lines();
        let line = said.next();
        let root = line.trim().strip_prefix("listening on ").expect("its first line").to_owned();
        let client = client().build().expect("a client");
        Service { program, said: Mutex::new(said), root, folder, client }
    }

    /// The link that makes the first admin, which it prints while there is no user: its path, and
    /// the secret behind `#`.
    pub fn first_admin_link(&self) -> (String, String) {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let link = said.find(|line| line.contains('#').then(|| line.to_owned()));
        let path = link.strip_prefix(&self.root).unwrap_or_else(|| panic!("{link} is not here"));
        let (path, secret) = path.split_once('#').expect("a secret");
        (path.to_owned(), secret.to_owned())
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    pub fn process_id(&self) -> u32 {
        self.program.id()
    }

    /// Ends it as an operator would; returns whether it ended well.
    pub fn stop(mut self) -> bool {
        process::signal(self.program.id(), Signal::TERM);
        self.program.wait().success()
    }

    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    pub fn add_gym(&self, slug: &str, zone: &str) -> Webhook {
        let args = ["gym", "add", slug, "--name", slug, "--time-zone", zone, "--capacity", "80"];
        // Events of a fixed date must be accepted whenever the test runs.
        run_json(self.data(), &[&args[..], &["--retain-events", "off", "--json"]].concat());
        self.add_webhook(slug)
    }

    /// Gives somebody a password.
    pub fn set_password(&self, name: &str, password: &str) {
        let mut command = Command::new(BINARY);
        command.args(["user", "password", name]).env("FOOTFALL_DATA", self.data());
        let set = process::output(command.env("FOOTFALL_USER_PASSWORD", password));
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    }

    pub fn add_webhook(&self, slug: &str) -> Webhook {
        let added = run_json(self.data(), &["webhook", "add", slug, "--json"]);
        let text = |name: &str| added[name].as_str().expect("a text").to_owned();
        Webhook { path: text("path"), secret: text("secret") }
    }

    pub fn add_token(&self, name: &str, role: &str, gyms: &[&str]) -> String {
        let mut args = vec!["token", "add", name, "--role", role, "--json"];
        for gym in gyms {
            args.extend(["--gym", gym]);
        }
        let added = run_json(self.data(), &args);
        added["token"].as_str().expect("a text").to_owned()
    }

    /// Posts a body to a webhook; answers status and JSON.
    pub async fn post(&self, webhook: &Webhook, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self.client.post(format!("{}{}", self.root, webhook.path));
        answer(request.header("x-api-key", &webhook.secret).body(body)).await
    }

    /// Asks with a token; answers status and JSON.
    pub async fn get(&self, token: &str, path: &str) -> (u16, Value) {
        answer(self.client.get(format!("{}{path}", self.root)).bearer_auth(token)).await
    }

    /// Asks for what must be there.
    pub async fn get_ok(&self, token: &str, path: &str) -> Value {
        let (status, body) = self.get(token, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

/// Of clients that do not wait for ever.
pub fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().read_timeout(Duration::from_secs(SILENCE_SECONDS_MAX))
}

/// A connection on which nobody waits for ever.
pub fn connect(address: &str) -> TcpStream {
    let line = TcpStream::connect(address).expect("it listens");
    let bound = Some(Duration::from_secs(SILENCE_SECONDS_MAX));
    line.set_read_timeout(bound).and(line.set_write_timeout(bound)).expect("a time-out");
    line
}

/// Sends a request; what is no JSON becomes its text.
pub async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("the service answers");
    let status = response.status().as_u16();
    let bytes = response.bytes().await.expect("the answer comes whole");
    let body =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    (status, body)
}

/// A delivery as EGYM writes it.
pub fn delivery(account: Uuid, at: i64, kind: &str) -> String {
    json!({ "accountId": account, "timestamp": at, "type": kind }).to_string()
}

pub fn now() -> i64 {
    footfall::clock::now()
}
