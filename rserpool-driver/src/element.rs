//! The handle of a pool element.

mod calls;
mod role;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_channel::Sender;
use bytes::Bytes;
use rserpool_core::base::{
    ASAP_PORT, AssociationId, ElementId, PoolHandle, ProtocolId, SctpAddress, SctpPort, UdpPort,
};
use rserpool_core::element::{
    self, Answer, Command, CookieSeal, DeregistrationError, ElementConfig, Message, Notice, Refusal, Status,
    UpdateError,
};
use rserpool_core::endpoint::pieces::Allowance;
use rserpool_core::wire::{Policy, PoolElement as ListedElement};

use crate::builder::{Builder, Launched};
use crate::delivery::{EventReceiver, next_event};
use crate::error::{Panicked, StartError, Stopped};
use crate::handle::{Handle, variant};
use crate::long_calls::{LongCalls, Taken};
use crate::memory::{Memory, Remembering};
use crate::role::Remark;
use crate::router::Router;
use crate::runtime::Runtime;
use crate::seal::CookieKeys;

/// A pool element that runs in the background; clones are handles of the same one.
///
/// Take its events with [`PoolElement::next_event`] all the time: an element whose application
/// does not listen counts as dead (see [`crate`]). When the last handle is dropped, the
/// element deregisters and ends.
pub struct PoolElement<R> {
    handle: Handle<element::Element>,
    pub(super) events: EventReceiver<element::Element>,
    id: ElementId,
    /// Its calls that are to be carried out at most once.
    memory: Arc<Memory>,
    pub(super) router: Router,
    /// What it has of long messages.
    pub(super) incomplete: Allowance,
    long_calls: Arc<LongCalls>,
    runtime: Arc<R>,
}

impl<R: Runtime + Default> PoolElement<R> {
    /// Prepares an element of this pool.
    pub fn builder(pool: impl Into<PoolHandle>) -> Builder<R, ElementConfig> {
        let pool = pool.into();
        Builder::new().configure(move |config: &mut ElementConfig| config.handle = pool)
    }
}

impl<R: Runtime> Builder<R, ElementConfig> {
    /// Adds a registrar: its IP address and the UDP port of its SCTP encapsulation.
    pub fn registrar(self, address: SocketAddr) -> Self {
        let registrar = SctpAddress::new(address.ip(), ASAP_PORT, UdpPort(address.port()));
        self.configure(move |config| config.hunt.registrars.push(registrar))
    }

    /// Adds a registrar by the name of its host, with the UDP port of its SCTP encapsulation (default 9899). The name is
    /// looked up at the start, and again whenever no registrar answers.
    pub fn registrar_name(mut self, name: impl Into<String>) -> Self {
        self.names.add(name.into());
        self
    }

    /// The PE identifier (default: drawn at random).
    pub fn id(self, id: ElementId) -> Self {
        self.configure(move |config| config.id = Some(id))
    }

    /// The policy by which the pool's elements are selected, with this element's values (default
    /// round robin). All elements of a pool must have the same policy.
    pub fn policy(self, policy: Policy) -> Self {
        self.configure(move |config| config.policy = policy)
    }

    /// Seals the cookies of the element with these keys, and takes only sealed ones from users. All elements of a pool
    /// need the same keys.
    pub fn cookie_keys(self, keys: CookieKeys) -> Self {
        let seal = CookieSeal::new(keys);
        self.configure(move |config| config.cookie_seal = Some(seal))
    }

    /// The SCTP port on which users reach the element (default 7, echo).
    pub fn port(self, port: SctpPort) -> Self {
        self.configure(move |config| config.port = port)
    }

    /// Where a server serves the users over plain TCP, which need not know anything of pools: an address of this element,
    /// and the server's port. The element registers it, and is asked whether it lives in its place. Users connect to
    /// the server; they have no cookies and no calls with it.
    pub fn tcp_service(self, server: SocketAddr) -> Self {
        self.configure(move |config| {
            config.tcp_service = Some((server.ip(), server.port()));
            config.control = false;
        })
    }

    /// How much the element remembers of the calls that are to be carried out at most once (default: see
    /// [`Remembering`]).
    pub fn remember_calls(mut self, remembering: Remembering) -> Self {
        self.remembering = remembering;
        self
    }

    /// Starts the element; it registers as soon as it has found a registrar.
    ///
    /// Bound to the unspecified address, it registers the address by which it reaches its
    /// registrars.
    ///
    /// # Errors
    ///
    /// If a value cannot work or the address cannot be bound.
    pub async fn start(mut self) -> Result<PoolElement<R>, StartError> {
        let (names, bind) = self.take_names();
        let found = if names.are_none() { Vec::new() } else { names.look_up(bind).await? };
        let memory = Arc::new(Memory::new(self.remembering));
        let known = found.clone();
        let builder = self.configure(move |config| config.hunt.registrars.extend(known));
        let Launched { handle, events, config, runtime, silence } = builder.launch()?;
        if !names.are_none() {
            let mut fixed = config.hunt.registrars.clone();
            fixed.truncate(fixed.len() - found.len());
            let use_registrars = move |found: Vec<SctpAddress>| {
                Command::UseRegistrars(fixed.iter().cloned().chain(found).collect())
            };
            let follow = names.follow(bind, silence, handle.downgrade(), found, use_registrars);
            runtime.spawn(Box::pin(follow));
        }
        let (id, router) = (config.id.unwrap_or_default(), Router::default());
        let (incomplete, long_calls) = (Allowance::default(), Arc::default());
        Ok(PoolElement { handle, events, id, memory, router, incomplete, long_calls, runtime })
    }
}

impl<R> PoolElement<R> {
    /// Its PE identifier.
    pub const fn id(&self) -> ElementId {
        self.id
    }

    /// The address and UDP port to which it is bound.
    pub const fn local_addr(&self) -> SocketAddr {
        self.handle.local.udp
    }

    /// Waits for the next event; `None` once the element has ended; [`PoolElement::ended`] says how.
    ///
    /// A call that is to be carried out at most once, and comes again, is no event: it is dealt with here.
    ///
    /// Cancel safe: no event is lost. Of several callers each event goes to one.
    pub async fn next_event(&self) -> Option<Notice>
    where
        R: Runtime,
    {
        if let Some(rest) = self.router.rest() {
            return self.wait_for(rest.recv()).await.ok();
        }
        loop {
            self.pay_debts().await;
            let event = match self.long_calls.take(next_event(&self.events).await?, &self.incomplete) {
                Taken::Event(event) | Taken::Whole(event) => event,
                Taken::Piece => continue,
                Taken::NoRoom(session) => {
                    let _ = self.remarks().try_send(Remark::Visitor(session));
                    continue;
                }
            };
            if self.is_new(&event) {
                return Some(event);
            }
        }
    }

    pub(super) const fn remarks(&self) -> &Sender<Remark> {
        &self.handle.remarks
    }

    /// What the element has done so far.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub async fn counters(&self) -> Result<element::Counters, Stopped> {
        self.handle.look(|element| *element.counters()).await
    }

    /// Sends a message to a user, on stream 0.
    ///
    /// # Errors
    ///
    /// [`Refusal::Congested`] while the queue to this user is full: keep the message until
    /// [`Notice::Writable`], or close the session.
    pub async fn send(
        &self,
        session: AssociationId,
        protocol: ProtocolId,
        bytes: impl Into<Bytes>,
    ) -> Result<(), Refusal> {
        self.ask(Command::Send(Message::new(session, protocol, bytes))).await
    }

    /// Sends a message to a user. Waits while the queue to it is full.
    pub(super) async fn send_in_turn(&self, message: Message) -> Result<(), Refusal> {
        loop {
            let room = self.handle.room.listen();
            match self.ask(Command::Send(message.clone())).await {
                Err(Refusal::Congested) => {
                    // Closed if the loop has ended, which the next attempt says.
                    let _ = room.recv().await;
                }
                result => return result,
            }
        }
    }

    /// Leaves the state of a session with its user, who hands it to the element that replaces this one, if this one
    /// fails: there it is [`Notice::CookieEcho`], before any message of the session. The newest cookie counts, so
    /// send one whenever the state has changed, after the answer that it covers. See also
    /// [`Notice::CookieWanted`].
    ///
    /// Does not wait: if the user takes nothing at present, the cookie is sent later, unless a newer one has taken its
    /// place.
    ///
    /// # Errors
    ///
    /// [`Refusal::CookieLength`] if it has more than 65,524 octets, 33 less if it is sealed; that the session has ended;
    /// [`Refusal::NoControlChannel`] if the element is configured so.
    pub async fn send_cookie(&self, session: AssociationId, cookie: impl Into<Bytes>) -> Result<(), Refusal> {
        self.ask(Command::SendCookie { session, cookie: cookie.into() }).await
    }

    /// Tells the users of all sessions, present and future, which elements of the pool they are to prefer when this one
    /// fails, the best one first: those that hold a copy of its data, for example. None says nothing to them.
    ///
    /// # Errors
    ///
    /// [`Refusal::Card`] if there are more than 64, or too many for one message;
    /// [`Refusal::NoControlChannel`] if the element is configured so.
    pub async fn set_card(&self, elements: Vec<ListedElement>) -> Result<(), Refusal> {
        self.ask(Command::SetCard(elements)).await
    }

    /// Closes the session with a user, after what is queued has been delivered.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownSession`] if it has ended already.
    pub async fn close(&self, session: AssociationId) -> Result<(), Refusal> {
        self.ask(Command::Close { session }).await
    }

    /// Registers anew with these policy values, for example the present load. Returns at once, unless the
    /// policy is of another type than the one registered: then the registrar decides, and the last policy that
    /// it has granted stays if it refuses.
    ///
    /// # Errors
    ///
    /// If the element is leaving, or if the pool does not take a policy of this type.
    pub async fn update_policy(&self, policy: Policy) -> Result<(), UpdateError> {
        let stopped = Err(UpdateError::Refused(Refusal::ShuttingDown));
        self.handle.ask(Command::UpdatePolicy(policy), variant!(Answer::Updated)).await.unwrap_or(stopped)
    }

    /// Tells how much the element is loaded now, from 0 (idle) to 1 (fully loaded; what is beyond counts as that), so that
    /// pools whose policy goes by loads select it accordingly. The registrar hears of it at once, but not more often
    /// than [`ElementConfig::load_interval`] says. Any other policy ignores it.
    ///
    /// # Errors
    ///
    /// [`Refusal::ShuttingDown`] if the element has ended.
    pub async fn set_load(&self, load: f64) -> Result<(), Refusal> {
        self.ask(Command::SetLoad(as_fraction(load))).await
    }

    /// Waits until the element is registered.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Refusal::ShuttingDown`] if the element has ended.
    pub async fn registered(&self) -> Result<(), Refusal> {
        loop {
            let news = self.handle.room.listen();
            match self.status().await {
                Some(status) if status.registered => return Ok(()),
                Some(_) => {
                    let _ = news.recv().await;
                }
                None => return Err(Refusal::ShuttingDown),
            }
        }
    }

    /// From now on `load` is asked every `interval` how much the element is loaded, from 0 to 1, and the registrar is told,
    /// as by [`PoolElement::set_load`]: once at the beginning of an interval in which it has changed, and not more often than
    /// [`ElementConfig::load_interval`] says. It is asked as long as the element has not ended, in a task of its own; a
    /// closure that panics ends that task.
    pub fn load_from(&self, interval: Duration, load: impl Fn() -> f64 + Send + Sync + 'static)
    where
        R: Runtime,
    {
        // It must not keep the element in its pool.
        let (handle, runtime) = (self.handle.downgrade(), Arc::clone(&self.runtime));
        let ask = async move {
            let mut told = None;
            while let Some(handle) = handle.upgrade() {
                let load = as_fraction(load());
                if told != Some(load) {
                    let set = handle.ask(Command::SetLoad(load), variant!(Answer::Done)).await;
                    told = matches!(set, Ok(Ok(()))).then_some(load);
                }
                drop(handle);
                runtime.sleep_until(runtime.now() + interval.max(MIN_LOAD_INTERVAL)).await;
            }
        };
        self.runtime.spawn(Box::pin(ask));
    }

    /// How the element is: its home registrar, its sessions and the requests in work; `None` if it has ended.
    pub async fn status(&self) -> Option<Status> {
        self.handle.ask(Command::Status, variant!(Answer::Status)).await.ok()
    }

    /// Looks for these registrars from now on, instead of those it was started with.
    ///
    /// # Errors
    ///
    /// [`Refusal::ShuttingDown`] if the element has ended.
    pub async fn use_registrars(&self, registrars: Vec<SctpAddress>) -> Result<(), Refusal> {
        self.ask(Command::UseRegistrars(registrars)).await
    }

    /// Leaves the pool; sessions go on.
    ///
    /// # Errors
    ///
    /// If the element has ended, or if no registrar has confirmed that it has left.
    pub async fn deregister(&self) -> Result<(), DeregistrationError> {
        let answer = self.handle.ask(Command::Deregister, variant!(Answer::Deregistered)).await;
        answer.unwrap_or_else(|stopped| Err(DeregistrationError::Refused(stopped.into())))
    }

    /// Waits until the element has ended.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// If it has panicked.
    pub async fn ended(&self) -> Result<(), Panicked> {
        self.handle.outlook.end().await
    }

    /// Deregisters, lets the requests in work be answered, and ends, after `within` at the latest.
    ///
    /// New users are refused from now on. When no registrar lists the element any more, the sessions without
    /// open requests are closed in order, so that their users move to other elements at once; every other
    /// session is closed when its requests are answered. If the state of a session has moved on since its last cookie,
    /// [`Notice::CookieWanted`] asks for one first. Therefore go on taking events and answering them
    /// while this waits. Each message that is sent counts as the answer to one that was received in the same
    /// session: an application that does not answer every message waits for the whole of `within`, unless it
    /// closes its sessions itself.
    pub async fn shutdown(&self, within: Duration) {
        self.handle.shutdown(within).await;
    }

    async fn ask(&self, command: Command) -> Result<(), Refusal> {
        self.handle.ask(command, variant!(Answer::Done)).await.unwrap_or_else(|stopped| Err(stopped.into()))
    }
}

/// [`PoolElement::load_from`] asks no more often.
const MIN_LOAD_INTERVAL: Duration = Duration::from_millis(10);

/// A load as a fraction of `u32::MAX`; what is no number counts as 0.
fn as_fraction(load: f64) -> u32 {
    (load.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32
}

impl<R> Clone for PoolElement<R> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            events: self.events.clone(),
            id: self.id,
            memory: Arc::clone(&self.memory),
            router: self.router.clone(),
            incomplete: self.incomplete.clone(),
            long_calls: Arc::clone(&self.long_calls),
            runtime: Arc::clone(&self.runtime),
        }
    }
}

impl<R> fmt::Debug for PoolElement<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolElement").field("id", &self.id).field("local", &self.handle.local.udp).finish()
    }
}
