//! tokio as the runtime of the event loop.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rserpool_core::base::Instant;
use rserpool_core::driver::{BoxFuture, Received, Runtime, Socket};
use rserpool_core::transport::Datagram;
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

    fn wrap_socket(&self, socket: std::net::UdpSocket) -> io::Result<Box<dyn Socket>> {
        let io = tokio::net::UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new((&io).into())?;
        let buffers = vec![0; RECEIVE_BATCH * BUFFER_OCTETS].into_boxed_slice();
        Ok(Box::new(UdpSocket { io, state, buffers }))
    }
}

/// Buffers filled by one system call; each may hold several datagrams of one sender.
const RECEIVE_BATCH: usize = 4;
/// The largest that UDP, or the kernel when it joins datagrams, can hand over.
const BUFFER_OCTETS: usize = 65_536;

struct UdpSocket {
    io: tokio::net::UdpSocket,
    state: UdpSocketState,
    buffers: Box<[u8]>,
}

impl Socket for UdpSocket {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        received: &mut Vec<Received>,
    ) -> Poll<io::Result<()>> {
        let mut meta = [RecvMeta::default(); RECEIVE_BATCH];
        let filled = loop {
            ready!(self.io.poll_recv_ready(context))?;
            let mut chunks = self.buffers.chunks_mut(BUFFER_OCTETS).map(IoSliceMut::new);
            let mut buffers: [IoSliceMut<'_>; RECEIVE_BATCH] =
                std::array::from_fn(|_| chunks.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            let result = self
                .io
                .try_io(Interest::READABLE, || self.state.recv((&self.io).into(), &mut buffers, &mut meta));
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => break result?,
            }
        };
        for (meta, buffer) in meta.iter().take(filled).zip(self.buffers.chunks(BUFFER_OCTETS)) {
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
        let mut sent = 0;
        for datagram in datagrams {
            let transmit = Transmit {
                destination: datagram.destination,
                ecn: None,
                contents: &datagram.bytes,
                segment_size: None,
                src_ip: None,
            };
            loop {
                match self.io.poll_send_ready(context)? {
                    Poll::Ready(()) => {}
                    Poll::Pending if sent == 0 => return Poll::Pending,
                    Poll::Pending => return Poll::Ready(Ok(sent)),
                }
                let result =
                    self.io.try_io(Interest::WRITABLE, || self.state.try_send((&self.io).into(), &transmit));
                match result {
                    Ok(()) => break,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) if sent > 0 => return Poll::Ready(Ok(sent)),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            sent += 1;
        }
        Poll::Ready(Ok(sent))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }
}
