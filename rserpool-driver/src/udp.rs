//! UDP in batches, for runtimes that watch sockets: several datagrams come in with one system call.

use std::cell::Cell;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rserpool_transport::{Datagram, Undelivered};
use socket2::SockRef;

use crate::error_queue::ErrorQueue;
use crate::runtime::{Received, Socket};

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
        operation: &mut dyn FnMut(SocketRef<'_>) -> io::Result<()>,
    ) -> Poll<io::Result<()>>;

    /// The socket, for an attempt that waits for nothing.
    fn socket(&self) -> SocketRef<'_>;

    /// Ready, once each time, when the system has an error to report about a datagram that was sent. Pending, as by
    /// default, suits a runtime to which a socket with an error is ready to receive.
    fn poll_error(&mut self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// A borrowed UDP socket; made with `(&socket).into()`.
pub struct SocketRef<'a>(SockRef<'a>);

impl SocketRef<'_> {
    fn udp(&self) -> UdpSockRef<'_> {
        (&*self.0).into()
    }
}

#[cfg(not(windows))]
impl<'a, S: std::os::fd::AsFd> From<&'a S> for SocketRef<'a> {
    fn from(socket: &'a S) -> Self {
        Self(socket.into())
    }
}

#[cfg(windows)]
impl<'a, S: std::os::windows::io::AsSocket> From<&'a S> for SocketRef<'a> {
    fn from(socket: &'a S) -> Self {
        Self(socket.into())
    }
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
    busy_poll: Duration,
    /// When something was received last.
    received_at: Option<Instant>,
    /// How many times in a row the runtime has said that nothing is there, without having looked.
    unasked: u32,
    errors: ErrorQueue,
}

/// After so many times that the runtime has said that nothing is there, the operating system is asked. A runtime that is
/// kept busy by one task, as TCP users can do, looks only now and then for what has become ready: tokio after 61 turns,
/// which may be 0.6 s. Then keep-alives would wait so long. These are the rounds of one turn; an event loop that sleeps
/// between its rounds hardly notices the additional system call.
const ASK_AFTER: u32 = 16;

impl<W: Watched> BatchedSocket<W> {
    /// Prepares a bound socket for batches, and lets the runtime watch it.
    ///
    /// # Errors
    ///
    /// What the operating system or `watch` reports.
    pub fn new(socket: UdpSocket, watch: impl FnOnce(UdpSocket) -> io::Result<W>) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let local = socket.local_addr()?;
        let errors = ErrorQueue::of(&socket);
        let buffers = vec![0; RECEIVE_BATCH * BUFFER_OCTETS].into_boxed_slice();
        let watched = watch(socket)?;
        let (busy_poll, received_at, unasked) = (Duration::ZERO, None, 0);
        Ok(Self { watched, local, state, buffers, busy_poll, received_at, unasked, errors })
    }

    /// Reads errors that have come without anything to receive, and has the task woken by the next.
    fn poll_errors(&mut self, context: &mut Context<'_>) {
        let Self { watched, errors, .. } = self;
        if errors.has_more() {
            errors.read(&*watched.socket().0);
        }
        while !errors.has_more() && watched.poll_error(context).is_ready() {
            errors.read(&*watched.socket().0);
        }
        if errors.has_more() {
            context.waker().wake_by_ref();
        }
    }

    fn note_arrival(&mut self) {
        self.received_at = Some(Instant::now());
    }

    /// Whether the socket is to be asked again and again, although nothing is there.
    fn is_busy(&mut self) -> bool {
        let busy = self.received_at.is_some_and(|at| at.elapsed() < self.busy_poll);
        if !busy {
            self.received_at = None;
        }
        busy
    }
}

impl<W: Watched> Socket for BatchedSocket<W> {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        received: &mut Vec<Received>,
    ) -> Poll<io::Result<()>> {
        self.poll_errors(context);
        let busy = self.is_busy();
        let Self { watched, state, buffers, unasked, errors, .. } = self;
        let unasked = Cell::from_mut(unasked);
        let mut meta = [RecvMeta::default(); RECEIVE_BATCH];
        let mut filled = 0;
        let mut receive = |socket: SocketRef<'_>| -> io::Result<()> {
            unasked.set(0);
            let mut chunks = buffers.chunks_mut(BUFFER_OCTETS).map(IoSliceMut::new);
            let mut buffers: [IoSliceMut<'_>; RECEIVE_BATCH] =
                std::array::from_fn(|_| chunks.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            filled = errors.past(&*socket.0, || state.recv(socket.udp(), &mut buffers, &mut meta))?;
            Ok(())
        };
        if busy {
            match receive(watched.socket()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // The other tasks of the runtime have their turn before the next attempt.
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                received => received?,
            }
        } else if let Poll::Ready(outcome) = watched.poll_io(context, Direction::Receive, &mut receive) {
            outcome?;
        } else {
            unasked.set(unasked.get() + 1);
            if unasked.get() < ASK_AFTER {
                return Poll::Pending;
            }
            match receive(watched.socket()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                received => received?,
            }
        }
        if !self.busy_poll.is_zero() {
            self.note_arrival();
        }
        for (meta, buffer) in meta.iter().take(filled).zip(self.buffers.chunks(BUFFER_OCTETS)) {
            let octets = buffer.get(..meta.len).unwrap_or(buffer);
            for datagram in octets.chunks(meta.stride.max(1)) {
                received.push(Received { source: meta.addr, bytes: Bytes::copy_from_slice(datagram) });
            }
        }
        Poll::Ready(Ok(()))
    }

    fn next_undelivered(&mut self) -> Option<Undelivered> {
        self.errors.pop()
    }

    fn busy_poll(&mut self, span: Duration) {
        self.busy_poll = span;
    }

    /// One system call per datagram: with segmentation offload a capture would show several SCTP
    /// packets as one broken one.
    fn poll_send(&mut self, context: &mut Context<'_>, datagrams: &[Datagram]) -> Poll<io::Result<usize>> {
        let Self { watched, state, errors, .. } = self;
        for (sent, datagram) in datagrams.iter().enumerate() {
            let transmit = Transmit {
                destination: datagram.destination,
                ecn: None,
                contents: &datagram.bytes,
                segment_size: None,
                src_ip: None,
            };
            let outcome = watched.poll_io(context, Direction::Send, &mut |socket| {
                errors.past(&*socket.0, || state.try_send(socket.udp(), &transmit))
            });
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    /// A socket that never gets ready by itself, as that of a runtime that sleeps.
    struct Asleep(UdpSocket);

    impl Watched for Asleep {
        fn poll_io(
            &mut self,
            _: &mut Context<'_>,
            _: Direction,
            operation: &mut dyn FnMut(SocketRef<'_>) -> io::Result<()>,
        ) -> Poll<io::Result<()>> {
            match operation((&self.0).into()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                outcome => Poll::Ready(outcome),
            }
        }

        fn socket(&self) -> SocketRef<'_> {
            (&self.0).into()
        }
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Receives until nothing is left; says what came and how often the task was woken meanwhile.
    fn receive(socket: &mut BatchedSocket<Asleep>) -> (Vec<Received>, usize) {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut received = Vec::new();
        while socket.poll_receive(&mut Context::from_waker(&waker), &mut received).is_ready() {}
        (received, wakes.0.load(Ordering::Relaxed))
    }

    /// A runtime that has not noticed yet that something has arrived.
    struct Late(UdpSocket);

    impl Watched for Late {
        fn poll_io(
            &mut self,
            _: &mut Context<'_>,
            _: Direction,
            _: &mut dyn FnMut(SocketRef<'_>) -> io::Result<()>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn socket(&self) -> SocketRef<'_> {
            (&self.0).into()
        }
    }

    #[test]
    fn what_a_busy_runtime_has_not_noticed_is_received() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.send_to(b"one", socket.local_addr().unwrap()).unwrap();
        let mut socket = BatchedSocket::new(socket, |socket| Ok(Late(socket))).unwrap();
        let waker = Waker::from(Arc::new(Wakes::default()));
        let mut received = Vec::new();
        for _ in 1..ASK_AFTER {
            assert!(socket.poll_receive(&mut Context::from_waker(&waker), &mut received).is_pending());
        }
        assert!(socket.poll_receive(&mut Context::from_waker(&waker), &mut received).is_ready());
        assert_eq!(received[0].bytes.as_ref(), b"one");
        assert!(socket.poll_receive(&mut Context::from_waker(&waker), &mut received).is_pending());
    }

    #[test]
    fn a_busy_socket_asks_again_at_once_for_a_while_after_each_datagram() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = socket.local_addr().unwrap();
        let mut socket = BatchedSocket::new(socket, |socket| {
            socket.set_nonblocking(true)?;
            Ok(Asleep(socket))
        })
        .unwrap();
        // By default it sleeps.
        peer.send_to(b"one", to).unwrap();
        let (received, wakes) = receive(&mut socket);
        assert_eq!((received.len(), wakes), (1, 0));

        // Nothing has come yet since it was told to be busy.
        socket.busy_poll(Duration::from_secs(3600));
        assert_eq!(receive(&mut socket).1, 0);
        peer.send_to(b"two", to).unwrap();
        let (received, wakes) = receive(&mut socket);
        assert_eq!((received.len(), wakes), (1, 1));
        let (received, wakes) = receive(&mut socket);
        assert_eq!((received.len(), wakes), (0, 1));
        peer.send_to(b"three", to).unwrap();
        let (received, wakes) = receive(&mut socket);
        assert_eq!((received[0].bytes.as_ref(), wakes), (&b"three"[..], 1));

        // The while is over.
        socket.busy_poll(Duration::from_nanos(1));
        assert_eq!(receive(&mut socket).1, 0);
    }
}
