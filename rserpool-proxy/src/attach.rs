//! A proxy pool element (RFC 5351 section 5.4): keeps a server that knows nothing of pools in its pool as long as it is
//! healthy. It is not in the path of the data: users connect to the server itself.
//!
//! The server is registered with its own address by an element that stands for it and is asked by its registrar whether
//! it lives. When the server fails its checks, the element leaves the pool, and the registrar tells all who follow the
//! pool. When the server is back, a new element with the same identifier registers it.

use std::sync::Arc;
use std::time::Duration;

use rserpool_core::base::{ElementId, PoolHandle, RegistrarId, SctpAddress, TransportAddress};
use rserpool_core::element::{ElementConfig, Notice};
use rserpool_core::wire::Policy;
use rserpool_tokio::{Builder, PoolElement, StartError, Tokio};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

use crate::backend::Backend;
use crate::check::{self, CheckError};
use crate::command;
use crate::connections::Connections;
use crate::health::{Health, Turn};
use crate::load::{LoadSource, read_load};

/// How long leaving the pool may take: a registrar that is there answers in milliseconds.
const LEAVE_WITHIN: Duration = Duration::from_millis(1_800);
/// After how long a registration that was refused is tried again; then twice as long, and so on.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const TRY_AGAIN_MAX: Duration = Duration::from_secs(30);
/// How often the connections of a server that is drained are counted.
const DRAIN_POLL: Duration = Duration::from_millis(200);

/// What a server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Be in its pool as long as it is healthy.
    Serve,
    /// Be out of its pool: it is known to be down.
    Suspend,
    /// Leave its pool; then its connections may end.
    Leave,
    /// Leave its pool; nobody waits for its connections.
    LeaveNow,
}

/// What has happened to a server that is attached.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Its checks say that it is healthy. It registers.
    Healthy,
    /// Its checks say that it has failed. It leaves its pool.
    Failed {
        /// What the last check said.
        reason: String,
    },
    /// It is in its pool. Told once for each registrar.
    #[non_exhaustive]
    Registered {
        /// The identifier of the element that stands for it.
        id: ElementId,
        /// Where the registrar is.
        registrar: TransportAddress,
        /// The identifier of the registrar, if it is known already.
        home: Option<RegistrarId>,
    },
    /// It is not in its pool, because a registrar refused or none answered. It is tried again.
    Refused {
        /// Why.
        reason: String,
        /// After how long it is tried again.
        again_in: Duration,
    },
    /// A round of the hunt has found no registrar. The hunt goes on. Told once until one is found.
    NoRegistrar {
        /// Those that were tried.
        tried: Vec<TransportAddress>,
    },
    /// It has left its pool.
    Left,
    /// Its load cannot be found out; the last one stays. Told once until it is known again.
    LoadUnknown {
        /// Why.
        reason: String,
    },
    /// It has left its pool, and has this many connections that may end. Told at first, and then for each change.
    Draining {
        /// TCP connections that are open.
        connections: usize,
    },
    /// Nobody waits for its connections any more.
    Drained {
        /// Those that are still open.
        connections: usize,
    },
}

/// A server that is to be kept in a pool.
#[non_exhaustive]
pub struct Attachment<P> {
    /// The pool.
    pub pool: PoolHandle,
    /// The server, and how it is watched.
    pub backend: Backend,
    /// The policy of the pool, with the values of this server.
    pub policy: Policy,
    /// The identifier of the element that stands for it (`None`: drawn at the first registration, and kept).
    pub id: Option<ElementId>,
    /// How long its connections may take to end when it leaves.
    pub drain: Duration,
    /// The registrars, which may change.
    pub registrars: watch::Receiver<Vec<SctpAddress>>,
    /// The connections of this host; all servers share one.
    pub connections: Arc<Connections>,
    /// Prepares an element, but for what is set above.
    pub prepare: P,
}

impl<P> Attachment<P>
where
    P: Fn() -> Builder<Tokio, ElementConfig>,
{
    /// A server with the policy round robin, which is not waited for when it leaves.
    pub fn new(
        pool: PoolHandle,
        backend: Backend,
        registrars: watch::Receiver<Vec<SctpAddress>>,
        prepare: P,
    ) -> Self {
        let (policy, drain, connections) = (Policy::RoundRobin, Duration::ZERO, Arc::default());
        Self { pool, backend, policy, id: None, drain, registrars, connections, prepare }
    }

    /// Keeps the server in its pool until it is to leave, and tells what happens.
    ///
    /// # Errors
    /// If an element cannot be started: a value cannot work, or its socket cannot be bound.
    pub async fn run(
        mut self,
        mut wish: watch::Receiver<Wish>,
        mut tell: impl FnMut(Event),
    ) -> Result<(), StartError> {
        let mut health = Health::new(self.backend.thresholds);
        let mut membership = Membership::Out;
        let mut told = Told::default();
        let mut findings = self.watch();
        let mut retry = Retry::default();
        loop {
            tokio::select! {
                changed = wish.changed() => {
                    let now = *wish.borrow_and_update();
                    match now {
                        // Nobody is there any more who could wish anything.
                        _ if changed.is_err() => break,
                        Wish::Leave | Wish::LeaveNow => break,
                        Wish::Suspend => {
                            findings.stop();
                            health.forget();
                            membership.leave();
                        }
                        Wish::Serve if findings.is_stopped() => findings = self.watch(),
                        Wish::Serve => {}
                    }
                }
                Some(finding) = findings.next() => {
                    let Finding { checked, load } = finding;
                    told.load(load, &mut tell);
                    match (health.note(checked.is_ok()), checked) {
                        (Some(Turn::Failed), Err(error)) => {
                            tell(Event::Failed { reason: error.to_string() });
                            membership.leave();
                        }
                        (Some(Turn::Healthy), _) => tell(Event::Healthy),
                        _ => {}
                    }
                    if health.is_healthy() && membership.is_out() {
                        membership = Membership::In(self.start().await?);
                        (retry, told.registrar) = (Retry::default(), None);
                        told.set = None;
                    }
                    told.set_load(&membership).await;
                }
                happened = membership.next() => match happened {
                    None => {
                        tell(Event::Left);
                        // It may be healthy again meanwhile.
                        if health.is_healthy() {
                            membership = Membership::In(self.start().await?);
                            (retry, told.registrar, told.set) = (Retry::default(), None, None);
                            told.set_load(&membership).await;
                        }
                    }
                    Some((element, notice)) => {
                        if let Notice::SessionOpened { session, .. } = notice {
                            // Somebody takes the element for the server.
                            let _ = element.close(session).await;
                        } else {
                            told.notice(&element, notice, &mut retry, &mut tell);
                        }
                    }
                },
                () = retry.due() => {
                    if let Membership::In(element) = &membership {
                        let (element, policy) = (element.clone(), self.policy.clone());
                        // Refused only if it has ended, which is noticed elsewhere.
                        tokio::spawn(async move { element.update_policy(policy).await });
                    }
                }
                changed = self.registrars.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let registrars = self.registrars.borrow_and_update().clone();
                    if let Membership::In(element) = &membership {
                        // Refused only if it has ended.
                        let _ = element.use_registrars(registrars).await;
                    }
                }
            }
        }
        drop(findings);
        let was_in = !membership.is_out();
        membership.leave();
        membership.left().await;
        if was_in {
            tell(Event::Left);
        }
        self.drain(&mut wish, &mut tell).await;
        Ok(())
    }

    /// An element that stands for the server.
    async fn start(&mut self) -> Result<PoolElement, StartError> {
        let (pool, policy, id, server) =
            (self.pool.clone(), self.policy.clone(), self.id, self.backend.address);
        let registrars = self.registrars.borrow_and_update().clone();
        let element = (self.prepare)().tcp_service(server).configure(move |config| {
            config.handle = pool;
            config.policy = policy;
            config.id = id.or(config.id);
            config.hunt.registrars = registrars;
        });
        let element = element.start().await?;
        // The registrar, and who has chosen the server before, are to know it again.
        self.id = Some(element.id());
        Ok(element)
    }

    /// Asks the server again and again.
    fn watch(&self) -> Findings {
        let (backend, connections) = (self.backend.clone(), Arc::clone(&self.connections));
        let (sender, receiver) = mpsc::channel(1);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut interval = tokio::time::interval(backend.interval);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                interval.tick().await;
                if sender.send(find(&backend, &connections).await).await.is_err() {
                    break;
                }
            }
        });
        Findings { task, receiver }
    }

    /// Waits until the server has no connections any more, or the time is over, or nobody is to be waited for.
    async fn drain(&self, wish: &mut watch::Receiver<Wish>, tell: &mut impl FnMut(Event)) {
        let until = Instant::now() + self.drain;
        let mut before = None;
        loop {
            // Where the system does not tell, there is nothing to wait for.
            let connections = self.connections.open_at(self.backend.address).unwrap_or_default();
            let over = connections == 0 || Instant::now() >= until || *wish.borrow() == Wish::LeaveNow;
            if over {
                return tell(Event::Drained { connections });
            }
            if before.replace(connections) != Some(connections) {
                tell(Event::Draining { connections });
            }
            tokio::select! {
                () = tokio::time::sleep(DRAIN_POLL) => {}
                Ok(()) = wish.changed() => {}
            }
        }
    }
}

/// What one look at a server has found.
struct Finding {
    checked: Result<(), CheckError>,
    /// Its load, or why it is not known; `None` if nobody wants to know.
    load: Option<Result<f64, String>>,
}

async fn find(backend: &Backend, connections: &Connections) -> Finding {
    let header = match &backend.load {
        Some(LoadSource::Header(name)) => Some(name.as_str()),
        _ => None,
    };
    let report = check::ask(&backend.check, backend.address, header, backend.timeout).await;
    let load = match (&backend.load, &report) {
        // Nobody is sent to a server that fails.
        (None, _) | (_, Err(_)) => None,
        (Some(LoadSource::Header(name)), Ok(report)) => {
            Some(report.load.ok_or_else(|| format!("its answer has no load in a field {name}")))
        }
        (Some(LoadSource::Connections(full)), Ok(_)) => {
            let open = connections.open_at(backend.address).map_err(|error| error.to_string());
            Some(open.map(|open| open as f64 / f64::from(*full)))
        }
        (Some(LoadSource::Command(text)), Ok(_)) => {
            let said = command::run(text, backend.address, backend.timeout).await;
            let wrong = |said: &str| format!("\"{}\" is no load: print a number from 0 to 1", said.trim());
            Some(match said {
                Ok(said) => read_load(&said).ok_or_else(|| wrong(said.get(..64).unwrap_or(&said))),
                Err(error) => Err(error.to_string()),
            })
        }
    };
    Finding { checked: report.map(drop), load }
}

/// The findings of a task that asks the server. It ends with this value.
struct Findings {
    task: JoinSet<()>,
    receiver: mpsc::Receiver<Finding>,
}

impl Findings {
    async fn next(&mut self) -> Option<Finding> {
        self.receiver.recv().await
    }

    fn stop(&mut self) {
        self.task.abort_all();
        self.receiver.close();
        while self.receiver.try_recv().is_ok() {}
    }

    fn is_stopped(&self) -> bool {
        self.receiver.is_closed()
    }
}

/// Whether the server is in its pool.
enum Membership {
    Out,
    In(PoolElement),
    /// Its element leaves: until it is done a new one with the same identifier would be taken for it.
    Leaving(JoinHandle<()>),
}

impl Membership {
    const fn is_out(&self) -> bool {
        matches!(self, Self::Out)
    }

    fn leave(&mut self) {
        if let Self::In(element) = self {
            let element = element.clone();
            *self = Self::Leaving(tokio::spawn(async move { element.shutdown(LEAVE_WITHIN).await }));
        }
    }

    async fn left(&mut self) {
        if let Self::Leaving(task) = self {
            let _ = task.await;
            *self = Self::Out;
        }
    }

    /// What its element is told, or `None` when it has left. Cancel safe.
    async fn next(&mut self) -> Option<(PoolElement, Notice)> {
        match self {
            Self::Out => std::future::pending().await,
            Self::In(element) => match element.next_event().await {
                Some(notice) => Some((element.clone(), notice)),
                // It has ended by itself, which only a fault of ours can cause.
                None => {
                    *self = Self::Out;
                    None
                }
            },
            Self::Leaving(_) => {
                self.left().await;
                None
            }
        }
    }
}

/// When a registration that has failed is tried again.
struct Retry {
    at: Option<Instant>,
    pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { at: None, pause: TRY_AGAIN }
    }
}

impl Retry {
    /// Plans the next try, and returns after how long it is.
    fn plan(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(TRY_AGAIN_MAX);
        self.at = Some(Instant::now() + pause);
        pause
    }

    async fn due(&mut self) {
        match self.at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
        self.at = None;
    }
}

/// What was told already, so that it is told once.
#[derive(Default)]
struct Told {
    registrar: Option<TransportAddress>,
    no_registrar: bool,
    load_unknown: bool,
    /// The load of the server.
    load: Option<f64>,
    /// The load that its element has been told.
    set: Option<f64>,
}

impl Told {
    fn notice(
        &mut self,
        element: &PoolElement,
        notice: Notice,
        retry: &mut Retry,
        tell: &mut impl FnMut(Event),
    ) {
        match notice {
            Notice::Registered { home, registrar, .. } => {
                self.no_registrar = false;
                *retry = Retry::default();
                if self.registrar.as_ref() != Some(&registrar) {
                    let home = (home != RegistrarId::NONE).then_some(home);
                    tell(Event::Registered { id: element.id(), registrar: registrar.clone(), home });
                    self.registrar = Some(registrar);
                }
            }
            Notice::Deregistered => self.registrar = None,
            Notice::RegistrationFailed(error) => {
                tell(Event::Refused { reason: error.to_string(), again_in: retry.plan() });
            }
            Notice::NoRegistrar { tried, .. } if !self.no_registrar => {
                self.no_registrar = true;
                tell(Event::NoRegistrar { tried });
            }
            _ => {}
        }
    }

    fn load(&mut self, found: Option<Result<f64, String>>, tell: &mut impl FnMut(Event)) {
        match found {
            Some(Ok(load)) => (self.load, self.load_unknown) = (Some(load), false),
            Some(Err(reason)) if !self.load_unknown => {
                self.load_unknown = true;
                tell(Event::LoadUnknown { reason });
            }
            _ => {}
        }
    }

    async fn set_load(&mut self, membership: &Membership) {
        if let (Membership::In(element), Some(load)) = (membership, self.load)
            && self.set != Some(load)
            && element.set_load(load).await.is_ok()
        {
            self.set = Some(load);
        }
    }
}
