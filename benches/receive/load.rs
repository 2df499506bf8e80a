//! Posts deliveries over so many connections, the next on each when the last was answered. It
//! shares the machine with the server, so it does as little as it can: one thread, plain HTTP/1.1.

use std::cell::RefCell;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use footfall::app::simulate::Delivery;
use footfall::store::Secret;
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::history::{micros, rate};

/// Where to post.
pub struct Load {
    address: SocketAddr,
    /// The request up to its length.
    head: String,
}

/// What was answered, over all turns.
pub struct Measured {
    pub answers: u32,
    /// How long each took, in microseconds.
    pub took: Histogram<u64>,
    lasted: Duration,
}

impl Measured {
    pub fn new() -> anyhow::Result<Measured> {
        Ok(Measured { answers: 0, took: Histogram::new(3)?, lasted: Duration::ZERO })
    }

    /// Answers in a second.
    pub fn rate(&self) -> f64 {
        rate(self.answers, self.lasted)
    }
}

impl Load {
    pub fn to(address: SocketAddr, path: &str, secret: &Secret) -> Load {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nx-api-key: {}\r\n\
             content-type: application/json\r\ncontent-length: ",
            secret.reveal()
        );
        Load { address, head }
    }

    /// Posts for so long. Every delivery must be accepted.
    pub fn post(
        &self,
        deliveries: &mut dyn Iterator<Item = &Delivery>,
        connections: u32,
        lasting: Duration,
        measured: &mut Measured,
    ) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let connect = (0..connections).map(|_| Connection::open(self.address));
            let open = try_join_all(connect).await.context("cannot connect")?;
            let began = Instant::now();
            let turn = Turn { deliveries, until: began + lasting, measured };
            let turn = RefCell::new(turn);
            let all = open.into_iter().map(|connection| self.post_over(connection, &turn));
            try_join_all(all).await?;
            measured.lasted += began.elapsed();
            Ok(())
        })
    }

    async fn post_over(
        &self,
        mut connection: Connection,
        turn: &RefCell<Turn<'_, '_>>,
    ) -> anyhow::Result<()> {
        while Instant::now() < turn.borrow().until {
            let next = turn.borrow_mut().deliveries.next();
            let delivery = next.context("the server is faster than there is traffic")?;
            let began = Instant::now();
            connection.exchange(&self.head, delivery).await?;
            let measured = &mut *turn.borrow_mut().measured;
            measured.took.record(micros(began.elapsed()))?;
            measured.answers += 1;
        }
        Ok(())
    }
}

/// What the connections share.
struct Turn<'t, 'a> {
    deliveries: &'t mut dyn Iterator<Item = &'a Delivery>,
    until: Instant,
    measured: &'t mut Measured,
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, request: Vec::new(), answer: Vec::new() })
    }

    async fn exchange(&mut self, head: &str, delivery: &Delivery) -> anyhow::Result<()> {
        let body = delivery.body();
        self.request.clear();
        write!(self.request, "{head}{}\r\n\r\n{body}", body.len())?;
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        while !is_whole(&self.answer)? {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(read > 0, "the server closed a connection");
        }
        let answer = String::from_utf8_lossy(&self.answer);
        if !(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""accepted""#)) {
            bail!("a delivery was not accepted: {answer}");
        }
        Ok(())
    }
}

/// Whether an answer is there up to the length that it names.
fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = std::str::from_utf8(&answer[..end])?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.context("the answer does not say its length")?.parse()?;
    Ok(answer.len() >= end + 4 + length)
}
