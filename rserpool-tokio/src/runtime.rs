//! tokio as the runtime of the event loop.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rserpool_core::base::Instant;
use rserpool_core::driver::{
    AsyncRead, AsyncWrite, BoxFuture, ByteStream, Connecting, Listener, Received, Runtime, Socket,
};
use rserpool_core::transport::Datagram;
use tokio::io::{Interest, ReadBuf};
use tokio::net::TcpStream;

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

    fn wrap_listener(&self, listener: std::net::TcpListener) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(TcpListener(tokio::net::TcpListener::from_std(listener)?)))
    }

    fn connect(&self, address: SocketAddr) -> Connecting {
        Box::pin(async move { TcpStream::connect(address).await.map(Stream::boxed) })
    }
}

/// A TCP connection, by the traits that know no runtime.
struct Stream(TcpStream);

impl Stream {
    fn boxed(stream: TcpStream) -> Box<dyn ByteStream> {
        // Messages are whole when they are written: to wait for more is to wait for nothing. If that
        // fails the connection has broken, which reading it will tell.
        let _ = stream.set_nodelay(true);
        Box::new(Self(stream))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(octets);
        ready!(tokio::io::AsyncRead::poll_read(Pin::new(&mut self.0), context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(Pin::new(&mut self.0), context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_flush(Pin::new(&mut self.0), context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_shutdown(Pin::new(&mut self.0), context)
    }
}

struct TcpListener(tokio::net::TcpListener);

impl Listener for TcpListener {
    fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(Box<dyn ByteStream>, SocketAddr)>> {
        let (stream, peer) = ready!(self.0.poll_accept(context))?;
        Poll::Ready(Ok((Stream::boxed(stream), peer)))
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
