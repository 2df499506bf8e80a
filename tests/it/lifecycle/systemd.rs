//! What systemd hears, on a socket like its own; and what `footfall health` says where there is none.

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::service::{BINARY, Service, run};
use crate::tls::authority::{Authority, Term};

/// Reads what systemd is told, until it is told this.
fn hear(systemd: &UnixDatagram, wanted: &str) {
    let mut bytes = [0; 512];
    loop {
        let length = systemd.recv(&mut bytes).expect("it is told within a minute");
        if String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line == wanted) {
            return;
        }
    }
}

#[test]
fn systemd_hears_when_it_is_ready_that_it_lives_and_that_it_stops() {
    let place = TempDir::new().expect("a temporary folder");
    let path = place.path().join("notify");
    let systemd = UnixDatagram::bind(&path).expect("a socket");
    systemd.set_read_timeout(Some(Duration::from_secs(60))).expect("it can be set");
    let path = path.to_str().expect("text");
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let told = [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "40000")];
    let service = Service::start_with(folder, "127.0.0.1:0", &told);
    hear(&systemd, "READY=1");
    hear(&systemd, "WATCHDOG=1");
    hear(&systemd, "WATCHDOG=1");
    assert!(service.stop(), "it ends well");
    hear(&systemd, "STOPPING=1");
}

/// What the command says about a service at that address.
fn health(address: &str, env: &[(&str, &str)]) -> (bool, String) {
    let folder = TempDir::new().expect("a temporary folder");
    let mut command = std::process::Command::new(BINARY);
    command.args(["health", "--listen", address]).envs(env.iter().copied());
    let output = crate::process::output(command.env("FOOTFALL_DATA", folder.path()));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn health_asks_the_service_of_this_machine() {
    let service = Service::start();
    let address = service.root.strip_prefix("http://").expect("plain HTTP").to_owned();
    assert_eq!(health(&address, &[]), (true, "ready\n".to_owned()));
    let port = address.rsplit_once(':').expect("a port").1;
    assert_eq!(health(&format!("0.0.0.0:{port}"), &[]).1, "ready\n", "which is this machine too");
    let ledger = service.data().join("erasures.ledger");
    drop(std::fs::remove_file(&ledger));
    std::fs::create_dir(&ledger).expect("it is made");
    let (is_ready, said) = health(&address, &[]);
    assert!(!is_ready && said.contains("erasure ledger cannot be written"), "{said}");
    assert!(service.stop(), "it ends well");
    let (is_ready, said) = health(&address, &[]);
    assert!(!is_ready && said.contains("nobody answers"), "{said}");
}

#[test]
fn health_asks_by_https_whatever_name_the_certificate_is_for() {
    let place = TempDir::new().expect("a temporary folder");
    let files = Authority::new().issue(place.path(), "now", Term::Now);
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let service = Service::start_with(folder, "127.0.0.1:0", &files.env());
    let port = service.root.rsplit_once(':').expect("a port").1;
    assert_eq!(health(&format!("127.0.0.1:{port}"), &files.env()).1, "ready\n");
}

#[test]
fn the_version_says_which_sqlite_is_inside() {
    let folder = TempDir::new().expect("a temporary folder");
    let said = run(folder.path(), &["--version"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let start = concat!("footfall ", env!("CARGO_PKG_VERSION"), " (");
    assert!(
        said.starts_with(start) && said.ends_with(&format!("SQLite {})\n", rusqlite::version())),
        "{said}"
    );
}
