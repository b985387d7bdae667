//! Two ends in two threads, over UDP on loopback, with the sockets of `rserpool-tokio`.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rserpool_core::base::{SctpAddress, SctpPort, UdpPort};
use rserpool_driver::{BoxFuture, Received, Runtime, Socket};
use rserpool_tokio::Tokio;
use rserpool_transport::Datagram;

use super::player::{Role, Side};
use super::{Figures, PORT, Subject};

/// As the event loop has it.
const SEND_BATCH: usize = 32;
const ROUNDS_PER_TURN: usize = 16;

/// Octets of the kernel's receive buffer. With the usual 208 KiB a receiver that does not get the
/// processor for some milliseconds loses packets, and what is measured is the retransmission.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Both measurements of a subject.
pub(super) fn measure(subject: Subject, busy_poll: Duration) -> io::Result<Figures> {
    let (_, rate) = play(subject, busy_poll, || Role::Source, Role::sink, |side| side.rate())?;
    let (round_trip, _) =
        play(subject, busy_poll, Role::ping, || Role::Echo, |side| side.round_trip().as_secs_f64())?;
    Ok(Figures { rate, round_trip: Duration::from_secs_f64(round_trip) })
}

/// Runs both ends, and reads a figure off each.
fn play(
    subject: Subject,
    busy_poll: Duration,
    caller: impl Fn() -> Role + Sync,
    listener: impl Fn() -> Role + Sync,
    figure: impl Fn(&mut Side) -> f64 + Sync,
) -> io::Result<(f64, f64)> {
    let sockets = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    let listening = sockets[1].local_addr()?;
    for socket in &sockets {
        socket2::SockRef::from(socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    let [here, there] = sockets;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let listener = scope.spawn(|| run(subject, busy_poll, there, None, listener(), &over, &figure));
        let caller = run(subject, busy_poll, here, Some(listening), caller(), &over, &figure);
        let listener = listener.join().map_err(|_| io::Error::other("a thread has panicked"))?;
        Ok((caller?, listener?))
    })
}

fn run(
    subject: Subject,
    busy_poll: Duration,
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    role: Role,
    over: &AtomicBool,
    figure: impl Fn(&mut Side) -> f64,
) -> io::Result<f64> {
    socket.set_nonblocking(true)?;
    let local = socket.local_addr()?;
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    executor.block_on(async {
        let runtime = Tokio::default();
        let mut side = Side::new(subject.stack(local), role);
        match peer {
            Some(peer) => {
                side.connect(
                    runtime.now(),
                    SctpAddress::new(peer.ip(), SctpPort(PORT), UdpPort(peer.port())).into(),
                );
            }
            None => side.stack.listen(SctpPort(PORT)),
        }
        let mut socket = runtime.wrap_socket(socket)?;
        socket.busy_poll(busy_poll);
        let mut end =
            End { runtime, side, socket, outgoing: VecDeque::new(), received: Vec::new(), sleep: None };
        std::future::poll_fn(|context| end.poll(context, over)).await;
        Ok(figure(&mut end.side))
    })
}

/// An end on its socket.
struct End {
    runtime: Tokio,
    side: Side,
    socket: Box<dyn Socket>,
    outgoing: VecDeque<Datagram>,
    received: Vec<Received>,
    sleep: Option<BoxFuture>,
}

impl End {
    fn poll(&mut self, context: &mut Context<'_>, over: &AtomicBool) -> Poll<()> {
        for _ in 0..ROUNDS_PER_TURN {
            let now = self.runtime.now();
            let mut busy = self.outgoing.is_empty() && self.side.play(now);
            self.flush(context);
            if let Poll::Ready(Ok(())) = self.socket.poll_receive(context, &mut self.received) {
                busy = true;
                let now = self.runtime.now();
                for Received { source, bytes } in self.received.drain(..) {
                    self.side.stack.handle_datagram(now, source, bytes);
                }
            }
            if self.side.is_done() {
                over.store(true, Ordering::Relaxed);
            }
            if over.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            let now = self.runtime.now();
            if self.side.stack.poll_timeout().is_some_and(|at| at <= now) {
                self.side.stack.handle_timeout(now);
                busy = true;
            }
            if !busy {
                // Often enough to notice that the other end is done.
                let soon = now + Duration::from_millis(20);
                let due = self.side.stack.poll_timeout().map_or(soon, |at| at.min(soon));
                let sleep = self.sleep.insert(self.runtime.sleep_until(due));
                if sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn flush(&mut self, context: &mut Context<'_>) {
        loop {
            while self.outgoing.len() < SEND_BATCH
                && let Some(datagram) = self.side.stack.poll_datagram()
            {
                self.outgoing.push_back(datagram);
            }
            if self.outgoing.is_empty() {
                return;
            }
            match self.socket.poll_send(context, self.outgoing.make_contiguous()) {
                Poll::Ready(Ok(sent)) => drop(self.outgoing.drain(..sent)),
                Poll::Ready(Err(_)) => drop(self.outgoing.pop_front()),
                Poll::Pending => return,
            }
        }
    }
}
