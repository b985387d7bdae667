//! The traits that an adapter implements: how tasks, time, UDP sockets and, for ASAP over TCP, connections
//! come to the event loop.
//!
//! Whatever else a runtime has, channels or files or signals, is not asked for here.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

/// The traits of the futures crates, by which a TCP connection is read and written.
pub use futures_lite::{AsyncRead, AsyncWrite};

use rserpool_core::base::Instant;
use rserpool_transport::{Datagram, Undelivered};

/// A future that owns what it needs and may move to another thread.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An asynchronous runtime: it runs tasks, measures time, and watches sockets.
///
/// Every endpoint has one of its own: the builders make it with [`Default`], or take it with
/// [`Builder::runtime`](super::Builder::runtime), and use it from within the runtime's context. An
/// event loop calls it from its own task only, so nothing here has to be fast for many callers at once.
pub trait Runtime: Send + Sync + 'static {
    /// Whether an endpoint can be started here and now; by default it can.
    ///
    /// # Errors
    ///
    /// If the runtime is not there, or lacks what an event loop needs.
    fn check(&self) -> io::Result<()> {
        Ok(())
    }

    /// Runs a future to its end in the background. It bounds its own work and yields: a runtime that counts
    /// the operations of a task and then says that nothing is ready must not do that here, or a carrier that is
    /// served first could keep the others from ever being ready.
    fn spawn(&self, future: BoxFuture);

    /// The present moment; it never goes backwards. The runtime chooses the origin.
    fn now(&self) -> Instant;

    /// Completes at this moment or soon after it.
    fn sleep_until(&self, at: Instant) -> BoxFuture;

    /// Takes over a bound UDP socket.
    ///
    /// # Errors
    ///
    /// If the runtime cannot watch the socket, for example outside its context.
    fn wrap_socket(&self, socket: UdpSocket) -> io::Result<Box<dyn Socket>>;

    /// Takes over a TCP socket that listens and does not block.
    ///
    /// # Errors
    ///
    /// As for [`Runtime::wrap_socket`]; [`io::ErrorKind::Unsupported`], as by default, if this runtime
    /// has no TCP.
    fn wrap_listener(&self, _listener: TcpListener) -> io::Result<Box<dyn Listener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens a TCP connection. The caller drops the future when it has waited for long enough.
    fn connect(&self, _address: SocketAddr) -> Connecting {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }
}

/// A TCP connection that is being opened.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send>>;

/// A TCP connection: dropped, it is closed; closed by [`AsyncWrite::poll_close`], it can still be read.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> ByteStream for S {}

/// A TCP socket that listens.
pub trait Listener: Send + 'static {
    /// The next connection, and the address of the client.
    ///
    /// # Errors
    ///
    /// What the operating system reports; the caller tries again after a while.
    fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(Box<dyn ByteStream>, SocketAddr)>>;
}

/// A UDP socket that sends and receives datagrams in batches.
pub trait Socket: Send + 'static {
    /// Appends datagrams that have arrived; at least one if it is ready, or else there is something in
    /// [`Self::next_undelivered`].
    ///
    /// # Errors
    ///
    /// What the operating system reports; the caller tries again.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        received: &mut Vec<Received>,
    ) -> Poll<io::Result<()>>;

    /// Sends datagrams from the front of the slice and says how many, at least one.
    ///
    /// # Errors
    ///
    /// The first datagram could not be sent; the caller drops it and goes on with the second.
    fn poll_send(&mut self, context: &mut Context<'_>, datagrams: &[Datagram]) -> Poll<io::Result<usize>>;

    /// The next datagram that the network has returned, among those that [`Self::poll_receive`] and
    /// [`Self::poll_send`] have heard of; the task is woken when there is one. By default nothing is heard, and a
    /// peer that has died is noticed by its silence. See [`ErrorQueue`](crate::ErrorQueue).
    fn next_undelivered(&mut self) -> Option<Undelivered> {
        None
    }

    /// For this long after each datagram, [`Self::poll_receive`] polls again at once instead of waiting. By
    /// default the span is ignored: the socket waits.
    fn busy_poll(&mut self, _span: Duration) {}

    /// The address to which the socket is bound.
    ///
    /// # Errors
    ///
    /// What the operating system reports.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A datagram that has arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where it came from.
    pub source: SocketAddr,
    /// Its content.
    pub bytes: Bytes,
}
