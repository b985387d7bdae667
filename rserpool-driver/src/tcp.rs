//! The TCP connections of one endpoint: accepts, opens, reads and writes as the node wants it.
//!
//! Connections are many and mostly silent, so each has a waker of its own, which notes that it has
//! something to do: a wakeup costs what is to be done, however many connections there are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use rserpool_core::base::{ASAP_TCP_PORT, DEFAULT_ENCAPSULATION_PORT, Instant};
use rserpool_core::endpoint::{ConnectError, Endpoint};
use rserpool_transport::node::Node;
use rserpool_transport::{ConnectionAction, ConnectionEvent, ConnectionId, Stack, Streams};

use crate::error::StartError;
use crate::families;
use crate::io::{Intake, Io};
use crate::log::{Line, Log};
use crate::runtime::{AsyncRead, AsyncWrite};
use crate::runtime::{ByteStream, Connecting, Listener, Runtime};

/// Octets read from a connection in one round; then the others have their turn.
const READ_OCTETS: usize = 16 * 1024;
/// Connections served in one round; then the other carriers have their turn, and in the next round the next
/// connections. What is read from one may be a thousand questions, up to a millisecond of work.
const CONNECTIONS_PER_ROUND: usize = 4;
/// Messages written with one system call.
const SLICES: usize = 64;
/// Connections accepted in one round.
const ACCEPTS_PER_ROUND: usize = 16;
/// How long no connection is accepted after that has failed, for lack of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait for us to accept them; the operating system turns further ones away.
const BACKLOG: i32 = 128;

/// Where a registrar accepts users over TCP (RFC 5352 section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TcpListening {
    /// On port 3863 of the address that is bound for SCTP, if the UDP port of that is the standard one,
    /// 9899. A registrar with another port shares the host with other registrars.
    #[default]
    Standard,
    /// Nowhere.
    No,
    /// Here; without an address, at the one that is bound for SCTP.
    At(Option<IpAddr>, u16),
}

impl TcpListening {
    /// The address and port to bind, for a registrar whose SCTP is bound to `udp`.
    pub(super) fn address(self, udp: SocketAddr) -> Option<SocketAddr> {
        match self {
            Self::No => None,
            Self::Standard => {
                (udp.port() == DEFAULT_ENCAPSULATION_PORT.0).then(|| SocketAddr::new(udp.ip(), ASAP_TCP_PORT))
            }
            Self::At(address, port) => Some(SocketAddr::new(address.unwrap_or_else(|| udp.ip()), port)),
        }
    }

    /// Listens. A runtime without TCP is an error only if TCP was asked for.
    pub(super) fn listen<R: Runtime>(
        self,
        runtime: &R,
        udp: SocketAddr,
    ) -> Result<Option<Bound>, StartError> {
        let Some(address) = self.address(udp) else { return Ok(None) };
        let bind = |source| StartError::Listen { address, source };
        let socket = open(address).map_err(bind)?;
        let local = socket.local_addr().map_err(bind)?;
        match runtime.wrap_listener(socket) {
            Ok(listener) => Ok(Some((listener, local))),
            Err(error) if error.kind() == io::ErrorKind::Unsupported && self == Self::Standard => Ok(None),
            Err(error) => Err(StartError::Runtime(error)),
        }
    }
}

/// A socket that listens, and where.
pub(super) type Bound = (Box<dyn Listener>, SocketAddr);

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    // Connections of an earlier life may linger; a second listener fails all the same. (On Windows this
    // would let it share the port.)
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The connections, and the socket that accepts them.
pub(super) struct StreamIo<R> {
    runtime: Arc<R>,
    listener: Option<Box<dyn Listener>>,
    /// Until when no connection is accepted.
    pause: Option<Instant>,
    open: BTreeMap<ConnectionId, Connection>,
    ready: Arc<Ready>,
    /// Connections that may have something to do once reading is wanted again.
    held: BTreeSet<ConnectionId>,
    buffer: Box<[u8]>,
    log: Log,
}

struct Connection {
    state: State,
    waker: Waker,
}

enum State {
    Opening(Connecting),
    Open {
        stream: Box<dyn ByteStream>,
        outgoing: VecDeque<Bytes>,
        /// We write no more, and the peer is to be told so.
        finishing: bool,
    },
}

impl<R: Runtime> StreamIo<R> {
    pub(super) fn new(runtime: Arc<R>, listener: Option<Box<dyn Listener>>) -> Self {
        Self {
            runtime,
            listener,
            pause: None,
            open: BTreeMap::new(),
            ready: Arc::default(),
            held: BTreeSet::new(),
            buffer: vec![0; READ_OCTETS].into(),
            log: Log::default(),
        }
    }

    fn accept<E: Endpoint, S: Stack + Streams>(
        &mut self,
        node: &mut Node<E, S>,
        now: Instant,
        context: &mut Context<'_>,
    ) -> bool {
        let Some(listener) = self.listener.as_mut().filter(|_| self.pause.is_none()) else {
            return false;
        };
        for turn in 0..ACCEPTS_PER_ROUND {
            match listener.poll_accept(context) {
                Poll::Ready(Ok((stream, peer))) => {
                    // A client that is refused is hung up on here, where its stream is dropped.
                    if let Some(id) = node.accept(now, families::from_system(peer)) {
                        let state = State::Open { stream, outgoing: VecDeque::new(), finishing: false };
                        let waker = self.ready.waker(id);
                        self.open.insert(id, Connection { state, waker });
                        self.ready.note(id);
                    }
                }
                // It has gone already; the next one may be there.
                Poll::Ready(Err(error)) if is_of_peer(&error) => {}
                Poll::Ready(Err(error)) => {
                    self.pause = Some(now + ACCEPT_PAUSE);
                    if let Some(Line { suppressed }) = self.log.at(now).allow("accept") {
                        tracing::warn!(%error, suppressed, "no TCP connection accepted");
                    }
                    return turn > 0;
                }
                Poll::Pending => return turn > 0,
            }
        }
        true
    }

    /// Does what the node has decided.
    fn carry_out<E: Endpoint, S: Stack + Streams>(&mut self, node: &mut Node<E, S>) -> bool {
        let mut any = false;
        while let Some(action) = node.poll_connection() {
            any = true;
            let id = match action {
                ConnectionAction::Open { connection, address } => {
                    let state = State::Opening(self.runtime.connect(address));
                    self.open.insert(connection, Connection { state, waker: self.ready.waker(connection) });
                    connection
                }
                ConnectionAction::Write { connection, bytes } => {
                    if let Some(State::Open { outgoing, .. }) = self.state(connection) {
                        outgoing.push_back(bytes);
                    }
                    connection
                }
                ConnectionAction::Finish { connection } => {
                    if let Some(State::Open { finishing, .. }) = self.state(connection) {
                        *finishing = true;
                    }
                    connection
                }
                // It may have octets that nothing has tried to read since it was held.
                ConnectionAction::Resume { connection } => connection,
                ConnectionAction::Drop { connection } => {
                    self.open.remove(&connection);
                    continue;
                }
            };
            self.ready.note(id);
        }
        any
    }

    fn state(&mut self, id: ConnectionId) -> Option<&mut State> {
        self.open.get_mut(&id).map(|connection| &mut connection.state)
    }
}

impl<R: Runtime, S: Stack + Streams> Io<S> for StreamIo<R> {
    /// What is to be written waits for [`Io::receive`], which looks at each connection once.
    fn flush<E: Endpoint>(&mut self, _: &mut Node<E, S>, _: Instant, _: &mut Context<'_>) {}

    /// Each connection has a bound for what waits in it, so none holds the others up.
    fn is_flushed(&self) -> bool {
        true
    }

    fn receive<E: Endpoint>(
        &mut self,
        node: &mut Node<E, S>,
        intake: Intake,
        now: Instant,
        context: &mut Context<'_>,
    ) -> bool {
        let reads = intake == Intake::Open;
        let begun = self.carry_out(node);
        if self.listener.is_none() && self.open.is_empty() {
            return begun;
        }
        self.ready.wake_by(context.waker());
        self.pause = self.pause.filter(|until| now < *until);
        let mut progress = reads && self.accept(node, now, context);
        progress |= begun | self.carry_out(node);
        if reads {
            std::mem::take(&mut self.held).into_iter().for_each(|id| self.ready.note(id));
        }
        let turn = self.ready.take(CONNECTIONS_PER_ROUND);
        for id in turn {
            let Some(connection) = self.open.get_mut(&id) else { continue };
            let event = connection.look(reads && node.reads(id), &mut self.buffer);
            if !reads {
                // Its waker will not be called for what can be read: nothing has tried to read.
                self.held.insert(id);
            }
            let Some(event) = event else { continue };
            match event {
                ConnectionEvent::Failed(_) | ConnectionEvent::Lost => drop(self.open.remove(&id)),
                _ => self.ready.note(id),
            }
            node.handle_connection(now, id, event);
            progress = true;
        }
        self.carry_out(node) | progress | !self.ready.is_empty()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.pause
    }
}

impl Connection {
    /// Does one thing: opens, writes, or reads. If there is nothing to tell, its waker will be called
    /// when there is.
    fn look(&mut self, reads: bool, buffer: &mut [u8]) -> Option<ConnectionEvent> {
        let context = &mut Context::from_waker(&self.waker);
        match &mut self.state {
            State::Opening(opening) => match opening.as_mut().poll(context) {
                Poll::Pending => None,
                Poll::Ready(Ok(stream)) => {
                    self.state = State::Open { stream, outgoing: VecDeque::new(), finishing: false };
                    Some(ConnectionEvent::Opened)
                }
                Poll::Ready(Err(error)) => Some(ConnectionEvent::Failed(connect_error(&error))),
            },
            State::Open { stream, outgoing, finishing } => {
                match write(stream, outgoing, context) {
                    Ok(0) => {}
                    Ok(written) => return Some(ConnectionEvent::Written(written)),
                    Err(_) => return Some(ConnectionEvent::Lost),
                }
                if *finishing && Pin::new(&mut *stream).poll_close(context).is_ready() {
                    *finishing = false;
                }
                if !reads {
                    return None;
                }
                match Pin::new(stream).poll_read(context, buffer) {
                    Poll::Pending => None,
                    // Told once: the node reads no more after it.
                    Poll::Ready(Ok(0)) => Some(ConnectionEvent::Ended),
                    Poll::Ready(Ok(octets)) => {
                        let octets = buffer.get(..octets).unwrap_or_default();
                        Some(ConnectionEvent::Received(Bytes::copy_from_slice(octets)))
                    }
                    Poll::Ready(Err(_)) => Some(ConnectionEvent::Lost),
                }
            }
        }
    }
}

/// Writes what it can, many messages with one system call, and tells how much.
fn write(
    stream: &mut Box<dyn ByteStream>,
    outgoing: &mut VecDeque<Bytes>,
    context: &mut Context<'_>,
) -> io::Result<usize> {
    let mut written = 0;
    while !outgoing.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        for (slice, message) in slices.iter_mut().zip(&*outgoing) {
            *slice = IoSlice::new(message);
        }
        let slices = slices.get(..outgoing.len()).unwrap_or(&slices);
        match Pin::new(&mut *stream).poll_write_vectored(context, slices) {
            Poll::Pending => break,
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(octets)) => {
                written += octets;
                consume(outgoing, octets);
            }
            Poll::Ready(Err(error)) => return Err(error),
        }
    }
    Ok(written)
}

/// Takes octets that have been written from the front of what waits.
fn consume(outgoing: &mut VecDeque<Bytes>, mut octets: usize) {
    while let Some(first) = outgoing.front_mut() {
        if octets < first.len() {
            return first.advance(octets);
        }
        octets -= first.len();
        outgoing.pop_front();
    }
}

/// Whether it is the peer's doing that a connection could not be accepted.
fn is_of_peer(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

fn connect_error(error: &io::Error) -> ConnectError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => ConnectError::Refused,
        io::ErrorKind::TimedOut => ConnectError::TimedOut,
        _ => ConnectError::NoRoute,
    }
}

/// The connections that have something to do, in the order of their turns.
#[derive(Default)]
struct Ready(Mutex<ReadyState>);

#[derive(Default)]
struct ReadyState {
    turns: VecDeque<ConnectionId>,
    /// The same, so that each has one turn.
    noted: BTreeSet<ConnectionId>,
    /// The waker of the event loop; used once, when there is another connection.
    event_loop: Option<Waker>,
}

impl ReadyState {
    fn note(&mut self, id: ConnectionId) {
        if self.noted.insert(id) {
            self.turns.push_back(id);
        }
    }
}

impl Ready {
    fn state(&self) -> std::sync::MutexGuard<'_, ReadyState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_by(&self, event_loop: &Waker) {
        self.state().event_loop = Some(event_loop.clone());
    }

    fn note(&self, id: ConnectionId) {
        self.state().note(id);
    }

    fn is_empty(&self) -> bool {
        self.state().turns.is_empty()
    }

    /// Those whose turn it is, at most so many.
    fn take(&self, most: usize) -> Vec<ConnectionId> {
        let mut state = self.state();
        let count = most.min(state.turns.len());
        let turn: Vec<_> = state.turns.drain(..count).collect();
        for id in &turn {
            state.noted.remove(id);
        }
        turn
    }

    fn waker(self: &Arc<Self>, id: ConnectionId) -> Waker {
        Arc::new(ConnectionWaker { id, ready: Arc::clone(self) }).into()
    }
}

struct ConnectionWaker {
    id: ConnectionId,
    ready: Arc<Ready>,
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        let event_loop = {
            let mut state = self.ready.state();
            state.note(self.id);
            state.event_loop.take()
        };
        if let Some(event_loop) = event_loop {
            event_loop.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ASAP-3.3-10, ASAP-8.2-01: the well-known port, where SCTP has its own.
    #[test]
    fn tcp_has_its_standard_port_where_sctp_has() {
        let address = |listening: TcpListening, udp: &str| {
            listening.address(udp.parse().unwrap()).map(|address| address.to_string())
        };
        let standard = TcpListening::Standard;
        assert_eq!(address(standard, "192.0.2.1:9899").as_deref(), Some("192.0.2.1:3863"));
        assert_eq!(address(standard, "[::]:9899").as_deref(), Some("[::]:3863"));
        assert_eq!(address(standard, "192.0.2.1:20001"), None);
        assert_eq!(address(TcpListening::No, "192.0.2.1:9899"), None);
        assert_eq!(address(TcpListening::At(None, 4000), "127.0.0.1:1").as_deref(), Some("127.0.0.1:4000"));
        let elsewhere = TcpListening::At("192.0.2.9".parse().ok(), 4000);
        assert_eq!(address(elsewhere, "127.0.0.1:1").as_deref(), Some("192.0.2.9:4000"));
    }

    /// A wakeup of any connection wakes the event loop, but only once until it has looked.
    #[test]
    fn a_wakeup_names_its_connection() {
        let ready = Arc::new(Ready::default());
        let event_loop = Arc::new(Ready::default());
        let wakers = [1, 2].map(|id| ready.waker(ConnectionId(id)));
        ready.wake_by(&event_loop.waker(ConnectionId(9)));
        wakers[1].wake_by_ref();
        assert_eq!(event_loop.take(9), [ConnectionId(9)]);
        wakers[0].wake_by_ref();
        wakers[1].wake_by_ref();
        assert_eq!(event_loop.take(9), []);
        assert_eq!(ready.take(9), [2, 1].map(ConnectionId));
    }

    /// Of many busy connections each has its turn, and none has two before the others had one.
    #[test]
    fn connections_take_turns() {
        let ready = Ready::default();
        (1..=5).for_each(|id| ready.note(ConnectionId(id)));
        let mut turns = Vec::new();
        for _ in 0..5 {
            for id in ready.take(2) {
                turns.push(id.0);
                ready.note(id);
            }
        }
        assert_eq!(turns, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
        assert!(!ready.is_empty());
    }

    /// A stream that takes so many octets at a time, and counts the system calls.
    struct Narrow {
        room: Vec<usize>,
        taken: Arc<Mutex<Vec<Vec<u8>>>>,
    }

    impl AsyncRead for Narrow {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Narrow {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            unreachable!("many messages are written at once")
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let Some(room) = self.room.pop() else { return Poll::Pending };
            let octets: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).take(room).collect();
            let count = octets.len();
            self.taken.lock().unwrap().push(octets);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// However the operating system cuts what it takes, the octets stay in order; 64 messages go at once.
    #[test]
    fn many_messages_are_written_with_one_call() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        // Taken from the end.
        let room = vec![1000, 1, 5, 1000];
        let mut stream: Box<dyn ByteStream> = Box::new(Narrow { room, taken: Arc::clone(&taken) });
        let mut outgoing: VecDeque<Bytes> = (0..70u8).map(|n| Bytes::from(vec![n; 3])).collect();
        let context = &mut Context::from_waker(Waker::noop());
        assert_eq!(write(&mut stream, &mut outgoing, context).unwrap(), 210);
        assert!(outgoing.is_empty());
        let taken = taken.lock().unwrap();
        assert_eq!(taken.iter().map(Vec::len).collect::<Vec<_>>(), [192, 5, 1, 12]);
        assert_eq!(taken.concat(), (0..70u8).flat_map(|n| [n; 3]).collect::<Vec<_>>());
    }
}
