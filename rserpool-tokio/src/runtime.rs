//! tokio as the runtime of the event loop.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rserpool_core::base::Instant;
use rserpool_driver::{
    AsyncRead, AsyncWrite, BatchedSocket, BoxFuture, ByteStream, Connecting, Direction, Listener, Runtime,
    Socket, SocketRef, Watched,
};
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
    /// Whether there is a runtime with both drivers. It has no functions that tell, only ones that panic, so these
    /// are tried.
    fn check(&self) -> io::Result<()> {
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let watched = catch_unwind(|| tokio::net::UdpSocket::from_std(socket).map(drop));
        watched.map_err(|_| io::Error::other("I/O is not enabled"))??;
        let timer = catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO)));
        timer.map_err(|_| io::Error::other("time is not enabled"))
    }

    fn spawn(&self, future: BoxFuture) {
        // The event loop has budgets of its own, one for each source of work. That of tokio is one for all: busy
        // connections use it up, and then the UDP socket is said not to be ready.
        tokio::spawn(tokio::task::unconstrained(future));
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
        let watch = |socket| tokio::net::UdpSocket::from_std(socket).map(TokioSocket::new);
        Ok(Box::new(BatchedSocket::new(socket, watch)?))
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

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write_vectored(Pin::new(&mut self.0), context, slices)
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

struct TokioSocket {
    io: Arc<tokio::net::UdpSocket>,
    /// Ends when the system has an error to report.
    error: Option<BoxFuture>,
}

impl TokioSocket {
    fn new(socket: tokio::net::UdpSocket) -> Self {
        Self { io: Arc::new(socket), error: None }
    }
}

impl Watched for TokioSocket {
    fn poll_io(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        operation: &mut dyn FnMut(SocketRef<'_>) -> io::Result<()>,
    ) -> Poll<io::Result<()>> {
        let io = &self.io;
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
            match io.try_io(interest, || operation((&**io).into())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn socket(&self) -> SocketRef<'_> {
        (&*self.io).into()
    }

    /// To tokio, a socket with an error is not ready to receive.
    fn poll_error(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Self { io, error } = self;
        let waiting = error.get_or_insert_with(|| {
            let io = Arc::clone(io);
            Box::pin(async move {
                if io.ready(Interest::ERROR).await.is_err() {
                    // The runtime ends.
                    std::future::pending::<()>().await;
                }
            })
        });
        ready!(waiting.as_mut().poll(context));
        *error = None;
        // What is reported from here on makes it ready again.
        let _ = io.try_io(Interest::ERROR, || io::Result::<()>::Err(io::ErrorKind::WouldBlock.into()));
        Poll::Ready(())
    }
}
