//! Programs that tests start. None is waited for without an end, and none outlives the tests,
//! however they end.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::patience::{self, Patience};

/// A command that has not ended by then hangs; a scan or a fuzzer takes some minutes.
const COMMAND_SECONDS_MAX: u64 = 300;
/// What was asked to end, and did not by then, hangs.
const END_SECONDS_MAX: u64 = 60;
/// A program that has not said by then what it says when it is ready does not start.
const LINE_SECONDS_MAX: u64 = 60;
/// So often is a program asked whether it has ended.
const STEP: Duration = Duration::from_millis(2);

/// A program in a process group of its own, killed with all that it started when dropped.
pub struct Program {
    child: Child,
    what: String,
    ended: Option<ExitStatus>,
}

/// Runs a command to its end, with nothing to read; what it said is kept.
pub fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Program::start(command);
    let stdout = read(program.child.stdout.take());
    let stderr = read(program.child.stderr.take());
    let status = program.wait_for(Duration::from_secs(COMMAND_SECONDS_MAX));
    let whole = |bytes: JoinHandle<Vec<u8>>| bytes.join().expect("it is read");
    Output { status, stdout: whole(stdout), stderr: whole(stderr) }
}

/// Sends a signal to a process.
pub fn signal(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).expect("the id of a process");
    kill_process(id, signal).expect("it is running");
}

fn read(from: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.expect("it is piped").read_to_end(&mut bytes).expect("it can be read");
        bytes
    })
}

impl Program {
    pub fn start(command: &mut Command) -> Program {
        patience::watch_this_test();
        let mut what = command.get_program().to_string_lossy().into_owned();
        for argument in command.get_args() {
            write!(what, " {}", argument.to_string_lossy()).expect("a text grows");
        }
        let child = command.process_group(0).spawn();
        let child = child.unwrap_or_else(|error| panic!("{what} does not start: {error}"));
        tell_reaper('+', child.id());
        Program { child, what, ended: None }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("it is piped")
    }

    /// What it says from now on. It is read to its end, whether or not somebody asks.
    pub fn lines(&mut self) -> Lines {
        let output = self.child.stdout.take().expect("it is piped");
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(tell.send(line));
            }
        });
        Lines { told, of: self.what.clone() }
    }

    pub fn is_running(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("it can be asked");
            if self.ended.is_some() {
                tell_reaper('-', self.id());
            }
        }
        self.ended.is_none()
    }

    /// Waits for the end of what was asked to end.
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_for(Duration::from_secs(END_SECONDS_MAX))
    }

    fn wait_for(&mut self, time: Duration) -> ExitStatus {
        let began = Instant::now();
        while self.is_running() {
            assert!(began.elapsed() < time, "{} did not end within {time:?}", self.what);
            std::thread::sleep(STEP);
        }
        self.ended.expect("it ended")
    }

    /// Ends it, and what it started, as a power cut would.
    pub fn kill(&mut self) {
        if self.is_running() {
            let id = Pid::from_child(&self.child);
            kill_process_group(id, Signal::KILL).expect("it was running");
            self.wait();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // To panic here would hide why the test has failed.
        if self.ended.is_none() {
            let killed = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            killed.unwrap_or_default();
            drop(self.child.wait());
            tell_reaper('-', self.id());
        }
    }
}

/// What a program says on standard output, line by line.
pub struct Lines {
    told: Receiver<String>,
    of: String,
}

impl Lines {
    pub fn next(&self) -> String {
        let line = self.told.recv_timeout(Duration::from_secs(LINE_SECONDS_MAX));
        line.unwrap_or_else(|error| panic!("{} says nothing more: {error}", self.of))
    }

    /// The first line in which something is found.
    pub fn find<T>(&self, found: impl Fn(&str) -> Option<T>) -> T {
        loop {
            if let Some(found) = found(&self.next()) {
                return found;
            }
        }
    }
}

/// Kills, when its input ends, the process groups that it was told of. Its input ends with this
/// process, also when that is killed.
const REAPER: &str = r#"
    trap '' HUP INT TERM
    while read -r sign id; do
        case $sign in
            +) set -- "$@" "-$id" ;;
            -) for one do shift; [ "$one" = "-$id" ] || set -- "$@" "$one"; done ;;
        esac
    done
    for one do kill -s KILL -- "$one"; done
"#;

fn tell_reaper(sign: char, id: u32) {
    static SHELL: LazyLock<Mutex<Child>> = LazyLock::new(|| {
        let mut shell = Command::new("sh");
        shell.args(["-c", REAPER]).process_group(0).stdin(Stdio::piped());
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        Mutex::new(shell.spawn().expect("sh runs"))
    });
    let mut shell = SHELL.lock().unwrap_or_else(PoisonError::into_inner);
    let input = shell.stdin.as_mut().expect("it is piped");
    writeln!(input, "{sign} {id}").expect("it reads");
}

/// The test below, started again, with the file in which it is to say what it has started.
const AGAIN: &str = "process::a_test_that_hangs_fails_by_its_name_and_leaves_no_program";
const FILE: &str = "HANG_AND_SAY_IN";

fn hang(file: &Path) {
    let program = Program::start(Command::new("sleep").arg("1000"));
    std::fs::write(file, program.id().to_string()).expect("it is written");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_test_that_hangs_fails_by_its_name_and_leaves_no_program() {
    if let Some(file) = std::env::var_os(FILE) {
        hang(Path::new(&file));
    }
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("id");
    let mut tests = Command::new(std::env::current_exe().expect("this binary"));
    tests.args([AGAIN, "--exact", "--test-threads", "2"]);
    let ended = output(tests.env(FILE, &file).env(patience::VARIABLE, "1"));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(101), "{said}");
    assert!(said.contains(&format!("{AGAIN} FAILED: it did not end within 1 s")), "{said}");
    let id = std::fs::read_to_string(&file).expect("it was written");
    let patience = Patience::until("what it started is gone");
    while Path::new("/proc").join(&id).exists() {
        patience.again_blocking();
    }
}
