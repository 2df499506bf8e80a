//! Sockets that systemd hands over, with the real `systemd-socket-activate`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::eventually;
use crate::service::BINARY;

/// Killed when dropped.
struct Activated(Child);

impl Drop for Activated {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn free_address() -> String {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    taken.local_addr().expect("it has one").to_string()
}

/// What is answered on a connection that is made before anybody serves.
fn ask(address: &str) -> String {
    let mut line = TcpStream::connect(address).expect("systemd listens");
    line.set_read_timeout(Some(Duration::from_secs(60))).expect("it can be set");
    let request = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    line.write_all(request.as_bytes()).expect("it takes it");
    let mut answer = String::new();
    line.read_to_string(&mut answer).expect("an answer");
    answer
}

async fn activate(folder: &TempDir, args: &[&str], addresses: &[&str]) -> Activated {
    let mut systemd = Command::new("systemd-socket-activate");
    for address in addresses {
        systemd.args(["--listen", address]);
    }
    systemd.arg(format!("--setenv=FOOTFALL_DATA={}", folder.path().display()));
    let systemd = systemd.args(args).args([BINARY, "serve", "--listen", "127.0.0.1:1"]);
    let child = systemd.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let activated = Activated(child);
    for address in addresses {
        // A connection would start the service: what listens is told by the kernel.
        let port: u16 = address.rsplit_once(':').expect("a port").1.parse().expect("a number");
        let listens = format!(":{port:04X} 00000000:0000 0A");
        eventually("systemd listens", async || {
            let sockets = std::fs::read_to_string("/proc/net/tcp").expect("Linux has it");
            sockets.contains(&listens).then_some(())
        })
        .await;
    }
    activated
}

#[needs::tools("systemd")]
#[tokio::test]
async fn who_connects_before_there_is_a_service_is_served() {
    let (folder, address) = (TempDir::new().expect("a temporary folder"), free_address());
    let _activated = activate(&folder, &[], &[&address]).await;
    for _ in 0..2 {
        let answer = ask(&address);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[needs::tools("systemd")]
#[tokio::test]
async fn a_socket_that_nothing_is_configured_for_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let (one, other) = (free_address(), free_address());
    let mut activated = activate(&folder, &["--fdname=plain:listen"], &[&one, &other]).await;
    drop(TcpStream::connect(&other).expect("systemd listens"));
    let ended =
        eventually("it ends", async || activated.0.try_wait().expect("it can be asked")).await;
    assert_eq!(ended.code(), Some(1), "there is no HTTPS, so nobody reads from `plain`");
}
