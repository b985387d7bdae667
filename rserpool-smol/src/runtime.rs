//! smol as the runtime of the event loop.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::task::{Context, Poll, ready};
use std::time;

use rserpool_core::base::Instant;
use rserpool_driver::{
    BatchedSocket, BoxFuture, ByteStream, Connecting, Direction, Listener, Runtime, Socket, SocketRef,
    Watched,
};
use smol::{Async, Timer};

/// smol's global executor, and the reactor of async-io, which async-std uses too. Both have threads
/// of their own, so endpoints run whatever executor the program has, or none.
#[derive(Clone, Copy)]
pub struct Smol {
    origin: time::Instant,
}

impl Default for Smol {
    fn default() -> Self {
        Self { origin: time::Instant::now() }
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Smol")
    }
}

impl Runtime for Smol {
    fn spawn(&self, future: BoxFuture) {
        smol::spawn(future).detach();
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture {
        let timer = Timer::after(at.since(self.now()));
        Box::pin(async {
            timer.await;
        })
    }

    fn wrap_socket(&self, socket: UdpSocket) -> io::Result<Box<dyn Socket>> {
        let watch = |socket| Ok(SmolSocket { io: Async::new(socket)?, blocked: [false; 2] });
        Ok(Box::new(BatchedSocket::new(socket, watch)?))
    }

    fn wrap_listener(&self, listener: TcpListener) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(SmolListener(Async::new(listener)?)))
    }

    fn connect(&self, address: SocketAddr) -> Connecting {
        Box::pin(async move { Async::<TcpStream>::connect(address).await.map(boxed) })
    }
}

fn boxed(stream: Async<TcpStream>) -> Box<dyn ByteStream> {
    // Messages are whole when they are written: to wait for more is to wait for nothing. If that fails
    // the connection has broken, which reading it will tell.
    let _ = stream.get_ref().set_nodelay(true);
    Box::new(stream)
}

struct SmolListener(Async<TcpListener>);

impl Listener for SmolListener {
    fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(Box<dyn ByteStream>, SocketAddr)>> {
        loop {
            match self.0.get_ref().accept() {
                Ok((stream, peer)) => return Poll::Ready(Ok((boxed(Async::new(stream)?), peer))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.0.poll_readable(context))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

struct SmolSocket {
    io: Async<UdpSocket>,
    /// Whether the last attempt in each direction found the socket not ready. async-io only says
    /// when that changes.
    blocked: [bool; 2],
}

impl Watched for SmolSocket {
    fn poll_io(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        operation: &mut dyn FnMut(SocketRef<'_>) -> io::Result<()>,
    ) -> Poll<io::Result<()>> {
        let [receive, send] = &mut self.blocked;
        let blocked = if direction == Direction::Receive { receive } else { send };
        loop {
            if *blocked {
                ready!(match direction {
                    Direction::Receive => self.io.poll_readable(context),
                    Direction::Send => self.io.poll_writable(context),
                })?;
            }
            let result = operation((&self.io).into());
            *blocked = matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
            if !*blocked {
                return Poll::Ready(result);
            }
        }
    }

    fn socket(&self) -> SocketRef<'_> {
        (&self.io).into()
    }
}
