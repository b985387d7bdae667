//! A runtime on which an endpoint can be killed as a process can: at once, and without a goodbye.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::ops::Deref;
use std::sync::Mutex;

use async_channel::{Receiver, Sender, bounded};
use futures_lite::future;
use rserpool_core::base::Instant;
use rserpool_driver::{BoxFuture, Connecting, Listener, Runtime, Socket};

/// The runtime `R` for one endpoint, whose task ends when it is killed.
///
/// What is left of a process after SIGKILL is what is left here: the task is never polled again, so
/// no datagram goes out any more, and its sockets are closed. All that others notice is silence.
pub struct Mortal<R> {
    runtime: R,
    kill: Sender<()>,
    killed: Receiver<()>,
    /// The task of the endpoint takes it along: handles keep the runtime for longer.
    alive: Mutex<Option<Sender<Infallible>>>,
}

impl<R: Default> Default for Mortal<R> {
    /// One that nobody can kill.
    fn default() -> Self {
        Self::new().0
    }
}

impl<R: Default> Mortal<R> {
    /// A runtime, and what ends it.
    pub(super) fn new() -> (Self, Life) {
        let (kill, killed) = bounded(1);
        let (alive, ended) = bounded(1);
        (
            Self { runtime: R::default(), kill: kill.clone(), killed, alive: Mutex::new(Some(alive)) },
            Life { kill, ended },
        )
    }
}

impl<R: Runtime> Runtime for Mortal<R> {
    fn spawn(&self, task: BoxFuture) {
        let alive = self.alive.lock().unwrap().take();
        let (kill, killed) = (self.kill.clone(), self.killed.clone());
        self.runtime.spawn(Box::pin(async move {
            let death = async {
                let _ = killed.recv().await;
                // The other tasks of the endpoint die, too.
                let _ = kill.try_send(());
            };
            // Death comes first: it leaves the task no turn.
            future::or(death, task).await;
            drop(alive);
        }));
    }

    fn now(&self) -> Instant {
        self.runtime.now()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture {
        self.runtime.sleep_until(at)
    }

    fn wrap_socket(&self, socket: UdpSocket) -> io::Result<Box<dyn Socket>> {
        self.runtime.wrap_socket(socket)
    }

    fn wrap_listener(&self, listener: TcpListener) -> io::Result<Box<dyn Listener>> {
        self.runtime.wrap_listener(listener)
    }

    fn connect(&self, address: SocketAddr) -> Connecting {
        self.runtime.connect(address)
    }
}

/// The life of what runs on one [`Mortal`].
pub(super) struct Life {
    kill: Sender<()>,
    ended: Receiver<Infallible>,
}

/// A handle, and the life of the endpoint behind it.
pub(super) struct Process<T> {
    handle: T,
    life: Life,
}

impl<T> Process<T> {
    pub(super) const fn new(handle: T, life: Life) -> Self {
        Self { handle, life }
    }

    /// Kills the endpoint, and waits until nothing of it is left.
    pub(super) async fn kill(&self) {
        // Refused only if it was killed before.
        let _ = self.life.kill.try_send(());
        let Err(_) = self.life.ended.recv().await;
    }
}

impl<T> Deref for Process<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.handle
    }
}
