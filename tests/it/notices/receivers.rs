//! Where notices go in tests: a real SMTP server (aiosmtpd), and a server that takes webhooks.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, web};
use serde_json::Value;

use crate::patience::Patience;
use crate::process::{Lines, Program};
use crate::tls::authority::Files;

const START: Duration = Duration::from_secs(60);

/// A mail server, stopped when dropped.
pub struct MailServer {
    _program: Program,
    mails: Lines,
    pub port: String,
}

impl MailServer {
    /// With a certificate it wants STARTTLS and a login.
    pub fn start(files: Option<&Files>) -> MailServer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/notices/mail.py");
        let mut command = Command::new("python3");
        // It says on standard error what clients do wrong, and a test has them do that.
        command.arg(script).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(files) = files {
            command.args([&files.certificate, &files.key]);
        }
        let mut program = Program::start(&mut command);
        let mails = program.lines();
        let mut server = MailServer { _program: program, mails, port: String::new() };
        server.port = server.next()["port"].to_string();
        server
    }

    /// The next mail; waits for it.
    pub fn next(&mut self) -> Value {
        serde_json::from_str(&self.mails.next()).expect("a line of JSON")
    }
}

/// What came to a webhook.
type Bodies = Arc<Mutex<Vec<Value>>>;

/// Takes webhooks, as Slack does.
pub struct Hook {
    pub url: String,
    bodies: Bodies,
    handle: ServerHandle,
}

impl Hook {
    pub fn start() -> Hook {
        let bodies = Bodies::default();
        let data = web::Data::from(bodies.clone());
        let take = async |bodies: web::Data<Mutex<Vec<Value>>>, body: web::Json<Value>| {
            bodies.lock().expect("nobody panicked").push(body.into_inner());
            HttpResponse::Ok().body("ok")
        };
        let (say, said) = std::sync::mpsc::channel();
        // On a thread of its own, so that it answers while a test waits for a command.
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let app = move || {
                    App::new()
                        .app_data(data.clone())
                        .route("/services/secret", web::post().to(take))
                };
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.bind("127.0.0.1:0").expect("a port");
                let url = format!("http://{}/services/secret", server.addrs()[0]);
                let server = server.run();
                say.send((url, server.handle())).expect("somebody listens");
                server.await.expect("it serves");
            });
        });
        let (url, handle) = said.recv_timeout(START).expect("it starts");
        Hook { url, bodies, handle }
    }

    /// What came so far.
    pub fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().expect("nobody panicked").clone()
    }

    /// The titles of what came so far, sorted.
    pub fn titles(&self) -> Vec<String> {
        titles_of(&self.bodies())
    }

    /// Waits until so many came; answers them.
    pub async fn wait_for(&self, count: usize) -> Vec<String> {
        let patience = Patience::until("so many notices came");
        while self.titles().len() < count {
            patience.again().await;
        }
        self.titles()
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

fn titles_of(bodies: &[Value]) -> Vec<String> {
    let title = |body: &Value| body["text"].as_str().expect("a text").to_owned();
    let mut titles: Vec<_> = bodies.iter().map(title).collect();
    titles.sort();
    titles
}

/// Takes webhooks and breaks off without an answer, so that the sender cannot know.
pub struct Mute {
    pub url: String,
    bodies: Bodies,
}

impl Mute {
    pub fn start() -> Mute {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
        let bodies = Bodies::default();
        let taken = bodies.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let body = body_of(BufReader::new(stream.expect("a connection")));
                taken.lock().expect("nobody panicked").push(body);
            }
        });
        Mute { url, bodies }
    }

    /// The titles of what came so far.
    pub fn titles(&self) -> Vec<String> {
        titles_of(&self.bodies.lock().expect("nobody panicked"))
    }
}

/// The JSON of a request.
fn body_of(mut request: impl BufRead) -> Value {
    let mut length = 0;
    loop {
        let mut line = String::new();
        request.read_line(&mut line).expect("a line");
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(bytes) = line.strip_prefix("content-length: ") {
            length = bytes.parse().expect("a number");
        }
        if line.is_empty() {
            let mut body = vec![0; length];
            request.read_exact(&mut body).expect("a body");
            return serde_json::from_slice(&body).expect("JSON");
        }
    }
}
