//! Pebble, the ACME test authority, with a name server for which every name is this machine. Both
//! are real programs (Debian package `pebble`).

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::authority::{Authority, Term, trusting};
use crate::patience::Patience;
use crate::process::Program;

pub struct Pebble {
    _programs: [Program; 2],
    port: u16,
    management: u16,
    /// Where it will look for the proof that a domain is ours.
    pub tls_port: u16,
    pub http_port: u16,
    /// The root to trust for its directory, which is not the one that it issues under.
    pub root: PathBuf,
}

impl Pebble {
    pub fn start(folder: &Path) -> Pebble {
        Pebble::start_issuing(folder, 90 * 24 * 60 * 60)
    }

    /// As [`Pebble::start`], with certificates that are valid for so many seconds.
    pub fn start_issuing(folder: &Path, seconds: u64) -> Pebble {
        let [port, management, tls_port, http_port, dns] = [(); 5].map(|()| free_port());
        let authority = Authority::new();
        let files = authority.issue(folder, "pebble", Term::Now);
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": files.certificate, "privateKey": files.key,
            "httpPort": http_port, "tlsPort": tls_port,
            "ocspResponderURL": "", "externalAccountBindingRequired": false,
            "certificateValidityPeriod": seconds,
        }});
        let path = folder.join("pebble.json");
        std::fs::write(&path, config.to_string()).expect("it can be written");
        let names = format!("127.0.0.1:{dns}");
        let mut names_server = Command::new("pebble-challtestsrv");
        names_server.args(["-dns01", &names, "-defaultIPv6", "", "-http01", "", "-https01", ""]);
        names_server.args(["-tlsalpn01", "", "-management", &format!("127.0.0.1:{}", free_port())]);
        let mut pebble = Command::new("pebble");
        pebble.arg("-config").arg(path).args(["-dnsserver", &names]).env("PEBBLE_VA_NOSLEEP", "1");
        let names_server = start(&mut names_server, "Creating TCP and UDP DNS-01");
        let mut pebble = start(&mut pebble, "ACME directory available");
        // It says so before it listens there.
        for port in [port, management] {
            until_open(&mut pebble, port);
        }
        let programs = [names_server, pebble];
        let root = authority.write_root(folder);
        Pebble { _programs: programs, port, management, tls_port, http_port, root }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// The root under which it issues; made anew at each of its starts.
    pub async fn issuing_root(&self) -> Vec<u8> {
        let own = std::fs::read(&self.root).expect("it was written");
        let client = trusting(&own).build().expect("a client");
        let root = client.get(format!("https://localhost:{}/roots/0", self.management));
        let root = root.send().await.expect("it answers").bytes().await;
        root.expect("it comes whole").to_vec()
    }
}

/// Starts a program, and returns when it has said something.
fn start(command: &mut Command, ready: &str) -> Program {
    let mut program = Program::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
    program.lines().find(|line| line.contains(ready).then_some(()));
    program
}

/// Returns when the program takes connections on a port.
fn until_open(program: &mut Program, port: u16) {
    let patience = Patience::until("it listens");
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let runs = program.is_running();
        assert!(runs, "it ended without listening on port {port}: is it taken?");
        patience.again_blocking();
    }
}

/// A port that was free a moment ago, for programs that cannot choose one themselves.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
