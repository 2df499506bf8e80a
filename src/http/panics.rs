//! A panic is a fault of ours and of nobody else: who asked gets a 500 `internal` on a connection
//! that goes on, and the log gets one line. What a panic says may quote what somebody sent, so that
//! none of it is answered.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError, rt};
use futures_util::FutureExt;

use super::problem::{Code, Problem};

/// What is told of any fault.
const DETAIL: &str = "a fault of footfall, and nothing that you did; its log says where, please \
                      report it";

pub fn fault() -> Problem {
    Problem::new(Code::Internal, DETAIL)
}

/// Runs work on a thread that may block.
pub async fn off_thread<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Problem> {
    rt::task::spawn_blocking(work).await.map_err(|ended| {
        if ended.is_panic() {
            fault()
        } else {
            Problem::new(Code::Unavailable, "the service is stopping")
        }
    })
}

/// Answers the panic of a route as a problem.
pub async fn as_problem(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    caught(request, next, |_| fault().error_response()).await
}

/// Goes on with a request; when that panics, says so in its place.
pub async fn caught(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    say: impl FnOnce(&HttpRequest) -> HttpResponse,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asked = request.request().clone();
    let answer = AssertUnwindSafe(async { next.call(request).await }).catch_unwind().await;
    if let Ok(answer) = answer {
        return answer.map(ServiceResponse::map_into_boxed_body);
    }
    let answer = say(&asked);
    Ok(ServiceResponse::new(asked, answer))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpServer, web};

    use super::*;

    async fn in_a_handler() -> HttpResponse {
        panic!("a handler")
    }

    async fn off_the_thread() -> Result<HttpResponse, Problem> {
        let text: String = off_thread(|| panic!("a closure")).await?;
        Ok(HttpResponse::Ok().body(text))
    }

    fn ask(line: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        line.write_all(request.as_bytes()).unwrap();
        let (mut told, mut some) = (String::new(), [0; 4_096]);
        while !told.contains('}') {
            let read = line.read(&mut some).unwrap();
            assert!(read > 0, "the connection was closed after {told:?}");
            told.push_str(&String::from_utf8_lossy(&some[..read]));
        }
        told
    }

    #[actix_web::test]
    async fn a_panic_is_a_500_and_the_connection_goes_on() {
        let server = HttpServer::new(|| {
            let at = |path: &str| web::resource(path.to_owned()).wrap(from_fn(as_problem));
            App::new()
                .service(at("/handler").route(web::get().to(in_a_handler)))
                .service(at("/closure").route(web::get().to(off_the_thread)))
                .service(at("/well").route(web::get().to(async || "{}")))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let (address, server) = (server.addrs()[0], server.run());
        let handle = server.handle();
        rt::spawn(server);
        let asked = rt::task::spawn_blocking(move || {
            let mut line = TcpStream::connect(address).unwrap();
            line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            for path in ["/handler", "/closure"] {
                let told = ask(&mut line, path);
                assert!(told.starts_with("HTTP/1.1 500 "), "{told}");
                assert!(told.contains("\"code\":\"internal\""), "{told}");
                assert!(!told.contains("a handler") && !told.contains("a closure"), "{told}");
                assert!(ask(&mut line, "/well").starts_with("HTTP/1.1 200 "));
            }
        });
        asked.await.unwrap();
        handle.stop(false).await;
    }
}
