//! The two traits that an adapter implements: how tasks, time and UDP sockets come to the event loop.
//!
//! Whatever else a runtime has, channels or files or signals, is not asked for here.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::base::Instant;
use crate::transport::Datagram;

/// A future that owns what it needs and may move to another thread.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An asynchronous runtime: it runs tasks, measures time, and watches sockets.
///
/// Every endpoint has one of its own: the builders make it with [`Default`], or take it with
/// [`Builder::runtime`](super::Builder::runtime), and use it from within the runtime's context. An
/// event loop calls it from its own task only, so nothing here must be fast to be called by many.
pub trait Runtime: Send + Sync + 'static {
    /// Runs a future to its end in the background.
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
}

/// A UDP socket that sends and receives datagrams in batches.
pub trait Socket: Send + 'static {
    /// Appends datagrams that have arrived; at least one if it is ready.
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
