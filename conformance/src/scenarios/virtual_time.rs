//! A runtime of one thread, with a clock that jumps from deadline to deadline, and sockets in memory:
//! the scenarios in no time, and those that look at the clock. The driver of simulations with faults
//! is `rserpool-sim-driver`; this one runs the event loop as it is.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use rserpool_core::base::Instant;
use rserpool_driver::{BoxFuture, Received, Runtime, Socket};
use rserpool_transport::{Datagram, reaches};

/// The end of the world: who waits for longer waits in vain.
const END: Instant = Instant::from_nanos(600 * 1_000_000_000);

/// The runtime of the test that runs on this thread.
#[derive(Clone)]
pub struct World(Arc<Shared>);

#[derive(Default)]
struct Shared {
    now: AtomicU64,
    tasks: Mutex<Vec<BoxFuture>>,
    sleeps: Mutex<BTreeMap<Instant, u32>>,
    /// Of each socket, by its address and a number: a multicast group has several.
    inboxes: Mutex<BTreeMap<(SocketAddr, u64), Vec<Received>>>,
    last_socket: AtomicU64,
    /// Octets in datagrams that were sent.
    octets: AtomicU64,
}

thread_local! {
    static WORLD: World = World(Arc::default());
    /// Told apart from time-outs: whether anything happened in a round.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

impl Default for World {
    fn default() -> Self {
        WORLD.with(Clone::clone)
    }
}

impl Runtime for World {
    fn spawn(&self, future: BoxFuture) {
        lock(&self.0.tasks).push(future);
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture {
        let world = self.clone();
        *lock(&world.0.sleeps).entry(at).or_default() += 1;
        Box::pin(Sleep { world, at })
    }

    fn wrap_socket(&self, socket: UdpSocket) -> io::Result<Box<dyn Socket>> {
        let local = socket.local_addr()?;
        let number = self.0.last_socket.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.inboxes).insert((local, number), Vec::new());
        Ok(Box::new(MemorySocket { world: self.clone(), local, number, _port: socket }))
    }
}

struct Sleep {
    world: World,
    at: Instant,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        if self.world.now() >= self.at { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let mut sleeps = lock(&self.world.0.sleeps);
        if let Some(count) = sleeps.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                sleeps.remove(&self.at);
            }
        }
    }
}

struct MemorySocket {
    world: World,
    local: SocketAddr,
    number: u64,
    /// Keeps the port for this test.
    _port: UdpSocket,
}

impl Socket for MemorySocket {
    fn poll_receive(&mut self, _: &mut Context<'_>, received: &mut Vec<Received>) -> Poll<io::Result<()>> {
        let mut inboxes = lock(&self.world.0.inboxes);
        match inboxes.get_mut(&(self.local, self.number)) {
            Some(inbox) if !inbox.is_empty() => {
                BUSY.set(true);
                received.append(inbox);
                Poll::Ready(Ok(()))
            }
            _ => Poll::Pending,
        }
    }

    fn poll_send(&mut self, _: &mut Context<'_>, datagrams: &[Datagram]) -> Poll<io::Result<usize>> {
        let Some(Datagram { destination, bytes }) = datagrams.first() else { return Poll::Ready(Ok(0)) };
        BUSY.set(true);
        self.world.0.octets.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        // What is bound to all addresses sends from that of loopback, and hears what comes to any address.
        let to = SocketAddr::new(destination.ip().to_canonical(), destination.port());
        let loopback: IpAddr =
            if to.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        let ip = if self.local.ip().is_unspecified() { loopback } else { self.local.ip() };
        let source = SocketAddr::new(ip, self.local.port());
        let mut inboxes = lock(&self.world.0.inboxes);
        for ((local, _), inbox) in inboxes.iter_mut() {
            let all = local.ip().is_unspecified() && reaches(local.ip(), to.ip()) && to.ip().is_loopback();
            if local == destination || (local.port() == to.port() && (all || local.ip() == to.ip())) {
                inbox.push(Received { source, bytes: bytes.clone() });
            }
        }
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        lock(&self.world.0.inboxes).remove(&(self.local, self.number));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Runs everything on this thread until `future` is done. Nothing waits for real time.
    ///
    /// # Panics
    ///
    /// The future waits for something that does not happen.
    pub fn block_on<T>(future: impl Future<Output = T>) -> T {
        Self::default().run(future)
    }

    /// The octets of all datagrams that were sent so far in the world of this thread, without their headers.
    pub fn octets() -> u64 {
        Self::default().0.octets.load(Ordering::Relaxed)
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        // Rounds without anything to do; what one task does may take a round to reach the next.
        let mut idle = 0;
        while self.now() < END {
            BUSY.set(false);
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
            let mut tasks = std::mem::take(&mut *lock(&self.0.tasks));
            tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
            lock(&self.0.tasks).append(&mut tasks);
            idle = if BUSY.get() { 0 } else { idle + 1 };
            if idle > 3 {
                let next = lock(&self.0.sleeps).keys().next().copied();
                let next = next.expect("the test waits for something that never happens");
                self.0.now.fetch_max(next.as_nanos(), Ordering::Relaxed);
                idle = 0;
            }
        }
        panic!("the test waits for something that does not happen within ten minutes");
    }
}
