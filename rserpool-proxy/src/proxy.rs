//! A proxy pool user (RFC 5351 section 5.4) for TCP: takes connections of clients that know nothing of pools, and connects
//! each to an element of a pool.
//!
//! It follows the pool (a subscription, RFC 5352 section 2.2.5), so that a new or a dead element is known without asking.
//! If no registrar is reachable, the last list serves on.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rserpool_core::base::{self, PoolHandle, TransportAddress};
use rserpool_core::user::{Notice, UserError};
use rserpool_tokio::{PoolState, PoolUser};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::choice::{Choice, Target};
use crate::proxy_protocol::{self, Version};
use crate::race::{Pace, race};
use crate::relay::{End, Passed, relay};

/// The pause after a connection could not be accepted, because the process has too many files, for example.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How often that is worth a line in the log.
const ACCEPT_WARNING: Duration = Duration::from_secs(10);

/// What a proxy does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProxyConfig {
    /// The pool.
    pub pool: PoolHandle,
    /// How elements are tried, one after the other (default: 5 s for each, the next one after 1 s without an answer).
    pub pace: Pace,
    /// How long an element that could not be reached comes last (default 10 s).
    pub exclusion: Duration,
    /// How long a client waits for an element that can be reached, at most (default 30 s).
    pub patience: Duration,
    /// The pause before all elements are tried again (default 250 ms).
    pub retry: Duration,
    /// After how long without an octet in either direction a connection is reset (default 1 h).
    pub idle: Duration,
    /// Whether clients with the same IP address come to the same element (default no).
    pub sticky: bool,
    /// The header of the PROXY protocol that elements get (default none).
    pub header: Option<Version>,
    /// The most connections at the same time (default 10,000); others wait until they are accepted.
    pub connections: usize,
    /// The most connections of one IP address (default: as many as of all); others are reset.
    pub connections_per_source: usize,
    /// Seed of random choices.
    pub seed: u64,
}

impl ProxyConfig {
    /// A proxy for this pool with the default values.
    pub fn new(pool: PoolHandle, seed: u64) -> Self {
        Self {
            pool,
            pace: Pace { limit: Duration::from_secs(5), stagger: Some(Duration::from_secs(1)) },
            exclusion: Duration::from_secs(10),
            patience: Duration::from_secs(30),
            retry: Duration::from_millis(250),
            idle: Duration::from_secs(3_600),
            sticky: false,
            header: None,
            connections: 10_000,
            connections_per_source: usize::MAX,
            seed,
        }
    }
}

/// What a proxy tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The pool has other elements now.
    #[non_exhaustive]
    Pool {
        /// How many of them serve by TCP.
        elements: usize,
        /// How many do not, and are left out.
        left_out: usize,
    },
    /// No registrar is reachable: the last list is used. Told once until one is found.
    Stale {
        /// Those that were tried, if a whole round of the hunt was in vain.
        tried: Vec<TransportAddress>,
    },
    /// A registrar is reachable again.
    Fresh,
    /// An element could not be reached. Told once for each time during which it is avoided.
    ElementFailed {
        /// The element.
        target: Target,
        /// Why.
        reason: String,
    },
    /// A connection has ended.
    Ended(Access),
}

/// What is known of a connection when it has ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Access {
    /// The client.
    pub client: SocketAddr,
    /// The element that it was connected to; `None` if none could be reached.
    pub target: Option<Target>,
    /// How many attempts at other elements had failed before.
    pub failed: usize,
    /// How long it took to reach the element, or to give up.
    pub connected: Duration,
    /// How long it has lasted in all.
    pub lasted: Duration,
    /// How it has ended.
    pub outcome: Outcome,
    /// Octets from the client to the element.
    pub sent: u64,
    /// Octets from the element to the client.
    pub received: u64,
}

/// How a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Both sides have ended it.
    Closed,
    /// One side has reset it.
    Reset,
    /// Nothing has passed for too long.
    Idle,
    /// The pool had no element.
    EmptyPool,
    /// No element of the pool could be reached.
    Unreachable,
    /// Its source has too many connections.
    TooMany,
}

/// A proxy; clones are the same one.
#[derive(Clone)]
pub struct Proxy(Arc<Shared>);

struct Shared {
    config: ProxyConfig,
    user: PoolUser,
    origin: Instant,
    choice: Mutex<Choice>,
    /// Counts the changes of the pool.
    changes: watch::Sender<u64>,
    room: Arc<Semaphore>,
    sources: Mutex<HashMap<IpAddr, usize>>,
    tell: Box<dyn Fn(Event) + Send + Sync>,
}

impl Proxy {
    /// A proxy that tells what happens.
    pub fn new(user: PoolUser, config: ProxyConfig, tell: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            choice: Mutex::new(Choice::new(config.exclusion, config.seed)),
            room: Arc::new(Semaphore::new(config.connections.min(Semaphore::MAX_PERMITS))),
            config,
            user,
            origin: Instant::now(),
            changes: watch::channel(0).0,
            sources: Mutex::default(),
            tell: Box::new(tell),
        }))
    }

    /// Follows the pool. Ends only with the user.
    ///
    /// # Errors
    /// If the pool cannot be followed.
    pub async fn follow(&self) -> Result<(), UserError> {
        let shared = &self.0;
        let mut pool = shared.user.watch(shared.config.pool.clone()).await?;
        let mut stale = false;
        loop {
            tokio::select! {
                state = pool.changed() => match state {
                    Some(state) => {
                        if std::mem::take(&mut stale) {
                            (shared.tell)(Event::Fresh);
                        }
                        shared.update(&state);
                    }
                    None => return Ok(()),
                },
                Some(notice) = shared.user.next_event() => match notice {
                    Notice::NoRegistrar { tried, .. } if !std::mem::replace(&mut stale, true) => {
                        (shared.tell)(Event::Stale { tried });
                    }
                    Notice::RegistrarFound { .. } if std::mem::take(&mut stale) => (shared.tell)(Event::Fresh),
                    _ => {}
                },
            }
        }
    }

    /// Takes connections of clients until `stop` is true, which leaves those that are there alone: they are served by
    /// `connections`.
    pub async fn accept(
        &self,
        listener: TcpListener,
        mut stop: watch::Receiver<bool>,
        connections: &mut JoinSet<()>,
    ) {
        let mut warned: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = self.next(&listener) => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((permit, client, peer)) => {
                    let shared = Arc::clone(&self.0);
                    connections.spawn(async move {
                        shared.serve(client, peer).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    if warned.is_none_or(|warned| warned.elapsed() >= ACCEPT_WARNING) {
                        warned = Some(Instant::now());
                        tracing::warn!(%error, "a connection cannot be accepted; it is tried again");
                    }
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// The next connection, as soon as there is room for one. Cancel safe.
    async fn next(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr)> {
        let permit = Arc::clone(&self.0.room).acquire_owned().await.map_err(io::Error::other)?;
        let (client, peer) = listener.accept().await?;
        Ok((permit, client, peer))
    }
}

impl Shared {
    fn update(&self, state: &PoolState) {
        let mut choice = self.choice();
        let left_out = match state {
            PoolState::Elements(now) => choice.update(&now.policy, &now.elements),
            _ => {
                choice.clear();
                0
            }
        };
        let elements = choice.len();
        drop(choice);
        self.changes.send_modify(|changes| *changes += 1);
        (self.tell)(Event::Pool { elements, left_out });
    }

    fn choice(&self) -> MutexGuard<'_, Choice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> base::Instant {
        base::Instant::from_nanos(self.origin.elapsed().as_nanos() as u64)
    }

    async fn serve(self: Arc<Self>, client: TcpStream, peer: SocketAddr) {
        let begin = Instant::now();
        let ended = |target, failed, connected, passed: Passed, outcome| {
            (self.tell)(Event::Ended(Access {
                client: peer,
                target,
                failed,
                connected,
                lasted: begin.elapsed(),
                outcome,
                sent: passed.sent,
                received: passed.received,
            }));
        };
        let nothing = Passed { end: End::Reset, sent: 0, received: 0 };
        let Some(_source) = Source::enter(&self, peer.ip()) else {
            let _ = client.set_zero_linger();
            return ended(None, 0, Duration::ZERO, nothing, Outcome::TooMany);
        };
        let mut failed = 0;
        let reached = self.reach(begin, peer, &mut failed).await;
        let connected = begin.elapsed();
        let (target, mut server) = match reached {
            Ok(reached) => reached,
            Err(outcome) => {
                let _ = client.set_zero_linger();
                return ended(None, failed, connected, nothing, outcome);
            }
        };
        // What is passed on was gathered already by whoever has sent it.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        if let (Some(version), Ok(own)) = (self.config.header, client.local_addr()) {
            let header = proxy_protocol::header(version, peer, own);
            if server.write_all(&header).await.is_err() {
                let _ = client.set_zero_linger();
                return ended(Some(target), failed, connected, nothing, Outcome::Reset);
            }
        }
        let passed = relay(client, server, self.config.idle).await;
        let outcome = match passed.end {
            End::Closed => Outcome::Closed,
            End::Reset => Outcome::Reset,
            End::Idle => Outcome::Idle,
        };
        ended(Some(target), failed, connected, passed, outcome);
    }

    /// A connection to an element; waits for one that can be reached as long as a client is to wait.
    async fn reach(
        &self,
        begin: Instant,
        client: SocketAddr,
        failed: &mut usize,
    ) -> Result<(Target, TcpStream), Outcome> {
        let until = begin + self.config.patience;
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let (order, ranked) = {
                let mut choice = self.choice();
                let sticky = self.config.sticky.then_some(client.ip());
                (choice.order(self.now(), sticky), choice.is_ranked())
            };
            let mut pace = self.config.pace;
            if ranked || self.config.sticky {
                // The first is to be used as long as it lives, and not another one that is quicker.
                pace.stagger = None;
            }
            let connect = |target: Target| TcpStream::connect(target.address);
            let note = |target, reason| {
                *failed += 1;
                self.note_failure(target, reason);
            };
            let Ok(won) = tokio::time::timeout_at(until, race(&order, pace, connect, note)).await else {
                return Err(Outcome::Unreachable);
            };
            if let Some((target, server)) = won {
                self.choice().reached(target);
                return Ok((target, server));
            }
            let pause = if order.is_empty() { self.config.patience } else { self.config.retry };
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep_until((Instant::now() + pause).min(until)) => {}
            }
            if Instant::now() >= until {
                return Err(if order.is_empty() { Outcome::EmptyPool } else { Outcome::Unreachable });
            }
        }
    }

    fn note_failure(&self, target: Target, reason: String) {
        let now = self.now();
        if !self.choice().failed(now, target) {
            return;
        }
        (self.tell)(Event::ElementFailed { target, reason });
        let (user, pool) = (self.user.clone(), self.config.pool.clone());
        // Refused only if the user ends.
        tokio::spawn(async move { user.report_unreachable(pool, target.element).await });
    }
}

/// The place of a connection among those of its source.
struct Source<'a>(&'a Shared, IpAddr);

impl<'a> Source<'a> {
    fn enter(shared: &'a Shared, source: IpAddr) -> Option<Self> {
        if shared.config.connections_per_source >= shared.config.connections {
            return Some(Self(shared, source));
        }
        let mut sources = shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let open = sources.entry(source).or_default();
        if *open >= shared.config.connections_per_source {
            return None;
        }
        *open += 1;
        drop(sources);
        Some(Self(shared, source))
    }
}

impl Drop for Source<'_> {
    fn drop(&mut self) {
        let mut sources = self.0.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = sources.get_mut(&self.1) {
            *open -= 1;
            if *open == 0 {
                sources.remove(&self.1);
            }
        }
    }
}
