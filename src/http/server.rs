//! A server that is open: where senders connect, and how it ends.

use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_web::dev::ServerHandle;
use tokio::task::JoinHandle;

use super::Measured;
use super::drain::Drain;

/// A socket that senders connect to.
pub struct Listening {
    pub listener: TcpListener,
    /// Whether it outlives this process: then what is not accepted waits for the next one.
    pub is_shared: bool,
}

/// A door that is open.
pub struct Door {
    /// Where it is; the port that was taken, if any would do.
    pub address: SocketAddr,
    /// What it measures; none where it only sends elsewhere.
    pub measured: Option<Measured>,
    pub(super) handle: ServerHandle,
    pub(super) task: JoinHandle<io::Result<()>>,
    pub(super) drain: Drain,
    pub(super) is_shared: bool,
}

impl Door {
    /// Returns when it serves no more although nobody closed it.
    pub async fn failed(&mut self) -> io::Error {
        match (&mut self.task).await {
            Ok(Ok(())) => io::Error::other("it ended"),
            Ok(Err(error)) => error,
            Err(error) => io::Error::other(error),
        }
    }

    /// Answers what has arrived, within a bound, ends streams, and closes every connection. What a
    /// shared socket has not accepted waits for the next process; of its own, the server goes on
    /// accepting as long as it answers, since whoever waits there then is refused.
    pub async fn close(self) -> io::Result<()> {
        if self.is_shared {
            self.handle.pause().await;
        }
        self.drain.run().await;
        // Nothing is under way any more, and the server's own patience is counted in seconds.
        self.handle.stop(false).await;
        self.task.await.map_err(io::Error::other)?
    }
}
