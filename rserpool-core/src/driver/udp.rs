//! UDP in batches, for runtimes that watch sockets: several datagrams come in with one system call.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};

use super::{Received, Socket};
use crate::transport::Datagram;

pub use quinn_udp::UdpSockRef;

/// Buffers filled by one system call; each may hold several datagrams of one sender.
const RECEIVE_BATCH: usize = 4;
/// The largest that UDP, or the kernel when it joins datagrams, can hand over.
const BUFFER_OCTETS: usize = 65_536;

/// A non-blocking UDP socket that a runtime watches: all that [`BatchedSocket`] needs of it.
pub trait Watched: Send + 'static {
    /// Attempts an operation on the socket when it is ready, again and again until it no longer
    /// says [`io::ErrorKind::WouldBlock`]. Pending means that the task will be woken.
    ///
    /// # Errors
    ///
    /// That of the operation, or that the runtime does not watch any more.
    fn poll_io(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        operation: &mut dyn FnMut(UdpSockRef<'_>) -> io::Result<()>,
    ) -> Poll<io::Result<()>>;
}

/// What a socket must be ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A datagram has arrived, or an error.
    Receive,
    /// There is room for a datagram.
    Send,
}

/// The [`Socket`] of an adapter whose runtime watches sockets.
pub struct BatchedSocket<W> {
    watched: W,
    local: SocketAddr,
    state: UdpSocketState,
    buffers: Box<[u8]>,
}

impl<W: Watched> BatchedSocket<W> {
    /// Prepares a bound socket for batches, and lets the runtime watch it.
    ///
    /// # Errors
    ///
    /// What the operating system or `watch` reports.
    pub fn new(socket: UdpSocket, watch: impl FnOnce(UdpSocket) -> io::Result<W>) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let local = socket.local_addr()?;
        let buffers = vec![0; RECEIVE_BATCH * BUFFER_OCTETS].into_boxed_slice();
        Ok(Self { watched: watch(socket)?, local, state, buffers })
    }
}

impl<W: Watched> Socket for BatchedSocket<W> {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        received: &mut Vec<Received>,
    ) -> Poll<io::Result<()>> {
        let Self { watched, state, buffers, .. } = self;
        let mut meta = [RecvMeta::default(); RECEIVE_BATCH];
        let mut filled = 0;
        ready!(watched.poll_io(context, Direction::Receive, &mut |socket| {
            let mut chunks = buffers.chunks_mut(BUFFER_OCTETS).map(IoSliceMut::new);
            let mut buffers: [IoSliceMut<'_>; RECEIVE_BATCH] =
                std::array::from_fn(|_| chunks.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            filled = state.recv(socket, &mut buffers, &mut meta)?;
            Ok(())
        }))?;
        for (meta, buffer) in meta.iter().take(filled).zip(buffers.chunks(BUFFER_OCTETS)) {
            let octets = buffer.get(..meta.len).unwrap_or(buffer);
            for datagram in octets.chunks(meta.stride.max(1)) {
                received.push(Received { source: meta.addr, bytes: Bytes::copy_from_slice(datagram) });
            }
        }
        Poll::Ready(Ok(()))
    }

    /// One system call per datagram: with segmentation offload a capture would show several SCTP
    /// packets as one broken one.
    fn poll_send(&mut self, context: &mut Context<'_>, datagrams: &[Datagram]) -> Poll<io::Result<usize>> {
        let Self { watched, state, .. } = self;
        for (sent, datagram) in datagrams.iter().enumerate() {
            let transmit = Transmit {
                destination: datagram.destination,
                ecn: None,
                contents: &datagram.bytes,
                segment_size: None,
                src_ip: None,
            };
            let outcome =
                watched.poll_io(context, Direction::Send, &mut |socket| state.try_send(socket, &transmit));
            match outcome {
                Poll::Ready(Ok(())) => {}
                // What hinders this datagram comes up again when it is the first.
                _ if sent > 0 => return Poll::Ready(Ok(sent)),
                outcome => return outcome.map_ok(|()| 0),
            }
        }
        Poll::Ready(Ok(datagrams.len()))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
