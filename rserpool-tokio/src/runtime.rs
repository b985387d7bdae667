//! tokio as the runtime of the event loop.

use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rserpool_core::base::Instant;
use rserpool_core::driver::{BatchedSocket, BoxFuture, Direction, Runtime, Socket, UdpSockRef, Watched};
use tokio::io::Interest;

/// The tokio runtime in whose context it is used; it needs the drivers for I/O and time.
#[derive(Clone, Copy)]
pub struct Tokio {
    origin: tokio::time::Instant,
}

impl Default for Tokio {
    fn default() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

impl fmt::Debug for Tokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokio")
    }
}

impl Runtime for Tokio {
    fn spawn(&self, future: BoxFuture) {
        tokio::spawn(future);
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture {
        // "Never" would overflow tokio's clock; a day later the event loop looks again.
        const LONGEST: Duration = Duration::from_secs(86_400);
        Box::pin(tokio::time::sleep(at.since(self.now()).min(LONGEST)))
    }

    fn wrap_socket(&self, socket: UdpSocket) -> io::Result<Box<dyn Socket>> {
        let watch = |socket| tokio::net::UdpSocket::from_std(socket).map(TokioSocket);
        Ok(Box::new(BatchedSocket::new(socket, watch)?))
    }
}

struct TokioSocket(tokio::net::UdpSocket);

impl Watched for TokioSocket {
    fn poll_io(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        operation: &mut dyn FnMut(UdpSockRef<'_>) -> io::Result<()>,
    ) -> Poll<io::Result<()>> {
        let io = &self.0;
        loop {
            let interest = match direction {
                Direction::Receive => {
                    ready!(io.poll_recv_ready(context))?;
                    Interest::READABLE
                }
                Direction::Send => {
                    ready!(io.poll_send_ready(context))?;
                    Interest::WRITABLE
                }
            };
            match io.try_io(interest, || operation(io.into())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}
