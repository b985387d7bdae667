//! A runtime of nothing but the standard library: a thread for each task, one for each socket, and
//! one for all timers. It is the least that an adapter needs, therefore without TCP.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{self, Duration};

use rserpool_core::base::Instant;
use rserpool_driver::{BoxFuture, ErrorQueue, Received, Runtime, Socket};
use rserpool_transport::{Datagram, Undelivered};

use crate::wait::block_on;

/// Datagrams that a reader puts aside before it leaves the rest to the kernel's buffer.
const INBOX: usize = 64;
/// How often a reader looks whether its socket is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// Threads that block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

impl Runtime for Threads {
    fn spawn(&self, future: BoxFuture) {
        thread::spawn(|| block_on(future));
    }

    fn now(&self) -> Instant {
        static ORIGIN: OnceLock<time::Instant> = OnceLock::new();
        Instant::ORIGIN + ORIGIN.get_or_init(time::Instant::now).elapsed()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Box::pin(Sleep { alarm: (at, LAST.fetch_add(1, Ordering::Relaxed)) })
    }

    fn wrap_socket(&self, socket: UdpSocket) -> io::Result<Box<dyn Socket>> {
        Ok(Box::new(ThreadSocket::new(socket)?))
    }
}

/// When to wake whom; the number tells sleeps apart that end at the same moment.
type Alarm = (Instant, u64);

#[derive(Default)]
struct Clock {
    alarms: Mutex<BTreeMap<Alarm, Waker>>,
    changed: Condvar,
}

impl Clock {
    /// The one of this process, whose thread starts when it is first needed.
    fn get() -> &'static Self {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        CLOCK.get_or_init(|| {
            thread::spawn(|| Self::get().run());
            Self::default()
        })
    }

    fn run(&self) {
        let mut alarms = lock(&self.alarms);
        loop {
            let now = Threads.now();
            while let Some(first) = alarms.first_entry().filter(|first| first.key().0 <= now) {
                first.remove().wake();
            }
            let pause = alarms.keys().next().map_or(Duration::MAX, |(at, _)| at.since(now));
            alarms = self.changed.wait_timeout(alarms, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

struct Sleep {
    alarm: Alarm,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Threads.now() >= self.alarm.0 {
            return Poll::Ready(());
        }
        lock(&Clock::get().alarms).insert(self.alarm, context.waker().clone());
        Clock::get().changed.notify_one();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        lock(&Clock::get().alarms).remove(&self.alarm);
    }
}

/// A blocking socket, and a thread that waits for what arrives there.
struct ThreadSocket {
    socket: Arc<UdpSocket>,
    inbox: Option<Receiver<io::Result<Received>>>,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Who waits for a datagram.
    waker: Mutex<Option<Waker>>,
    closed: AtomicBool,
    errors: Mutex<ErrorQueue>,
}

impl Shared {
    fn wake(&self) {
        if let Some(waker) = lock(&self.waker).take() {
            waker.wake();
        }
    }
}

impl ThreadSocket {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(LOOK))?;
        let shared = Shared { errors: Mutex::new(ErrorQueue::of(&socket)), ..Shared::default() };
        let (socket, shared) = (Arc::new(socket), Arc::new(shared));
        let (sender, inbox) = sync_channel(INBOX);
        let (own, told) = (Arc::clone(&socket), Arc::clone(&shared));
        let reader = thread::spawn(move || read(&own, &told, &sender));
        Ok(Self { socket, inbox: Some(inbox), shared, reader: Some(reader) })
    }
}

fn read(socket: &UdpSocket, shared: &Shared, inbox: &SyncSender<io::Result<Received>>) {
    let mut buffer = vec![0; 65_536];
    while !shared.closed.load(Ordering::Relaxed) {
        let received = match socket.recv_from(&mut buffer) {
            Ok((octets, source)) => Ok(Received { source, bytes: buffer[..octets].to_vec().into() }),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                continue;
            }
            // An earlier datagram was returned: no error of this call.
            Err(error) if lock(&shared.errors).explains(socket, &error) => {
                shared.wake();
                continue;
            }
            Err(error) => Err(error),
        };
        if inbox.send(received).is_err() {
            return;
        }
        shared.wake();
    }
}

impl Socket for ThreadSocket {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        received: &mut Vec<Received>,
    ) -> Poll<io::Result<()>> {
        // Before the look, or a datagram that comes behind it would wake nobody.
        *lock(&self.shared.waker) = Some(context.waker().clone());
        match self.inbox.as_ref().map(Receiver::try_recv) {
            Some(Ok(result)) => Poll::Ready(result.map(|datagram| received.push(datagram))),
            Some(Err(TryRecvError::Empty)) => Poll::Pending,
            Some(Err(TryRecvError::Disconnected)) | None => {
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
        }
    }

    /// Blocks while the kernel's buffer is full, which on UDP is never long.
    fn poll_send(&mut self, _: &mut Context<'_>, datagrams: &[Datagram]) -> Poll<io::Result<usize>> {
        let Self { socket, shared, .. } = self;
        let sent = datagrams.first().map_or(Ok(0), |datagram| {
            let send = || socket.send_to(&datagram.bytes, datagram.destination).map(|_| 1);
            lock(&shared.errors).past(&**socket, send)
        });
        Poll::Ready(sent)
    }

    fn next_undelivered(&mut self) -> Option<Undelivered> {
        let mut errors = lock(&self.shared.errors);
        if errors.has_more() {
            errors.read(&*self.socket);
        }
        errors.pop()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Drop for ThreadSocket {
    /// Waits for the reader, so that the port is free at once.
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        self.inbox = None;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Nothing is left half done under these locks, therefore a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
