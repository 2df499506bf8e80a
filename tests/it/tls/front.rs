//! A server before the authority that adds to the answer to `HEAD` how long that to `GET` would be,
//! as it may (RFC 9110, 8.6). No such body follows.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use super::authority::{Authority, Term};
use super::pebble::Pebble;

pub struct Front {
    port: u16,
    /// The root to trust for it.
    pub root: PathBuf,
}

impl Front {
    /// The folder is not the authority's.
    pub fn start(folder: &Path, pebble: &Pebble) -> Front {
        let authority = Authority::new();
        let files = authority.issue(folder, "front", Term::Now);
        let chain = vec![CertificateDer::from_pem_file(files.certificate).expect("PEM")];
        let key = PrivateKeyDer::from_pem_file(files.key).expect("PEM");
        let config = ServerConfig::builder().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(chain, key).expect("they fit"));
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&pebble.root).expect("PEM")).expect("a root");
        let behind = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let (behind, behind_port) = (Arc::new(behind), pebble.port());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || {
            for line in listener.incoming().map_while(Result::ok) {
                let (config, behind) = (config.clone(), behind.clone());
                thread::spawn(move || {
                    let session = ServerConnection::new(config).expect("a session");
                    let front = StreamOwned::new(session, line);
                    // Whoever asks may be gone before the answer.
                    pass_on(front, connect(behind, behind_port)).ok();
                });
            }
        });
        Front { port, root: authority.write_root(folder) }
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }
}

fn connect(config: Arc<ClientConfig>, port: u16) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(config, name).expect("a session");
    StreamOwned::new(session, TcpStream::connect(("127.0.0.1", port)).expect("it listens"))
}

/// One request and its answer.
fn pass_on(
    front: StreamOwned<ServerConnection, TcpStream>,
    mut behind: StreamOwned<ClientConnection, TcpStream>,
) -> io::Result<()> {
    let mut front = BufReader::new(front);
    let request = read_request(&mut front)?;
    behind.write_all(&with_line(&request, "Connection: close"))?;
    let mut answer = Vec::new();
    behind.read_to_end(&mut answer)?;
    let is_head = request.starts_with(b"HEAD ");
    let answer = if is_head { with_line(&answer, "Content-Length: 20") } else { answer };
    front.get_mut().write_all(&answer)?;
    if is_head {
        // Who waits for the body waits.
        return io::copy(&mut front, &mut io::sink()).map(|_| ());
    }
    front.get_mut().conn.send_close_notify();
    front.get_mut().flush()
}

fn read_request(front: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let begin = request.len();
        if front.read_line(&mut request)? <= "\r\n".len() {
            break;
        }
        let line = request[begin..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    front.read_exact(&mut body)?;
    Ok([request.into_bytes(), body].concat())
}

/// With one more line in the head, behind the first.
fn with_line(message: &[u8], line: &str) -> Vec<u8> {
    let end = message.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (first, others) = message.split_at(end);
    [first, line.as_bytes(), b"\r\n", others].concat()
}
