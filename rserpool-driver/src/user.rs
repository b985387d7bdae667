//! The handle of a pool user.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future;
use rserpool_core::base::{
    ASAP_PORT, ElementId, Instant, PoolHandle, SctpAddress, TransportAddress, UdpPort,
};
use rserpool_core::element::Refusal;
use rserpool_core::endpoint::ConfigError;
use rserpool_core::user::{
    self, Answer, Card, Command, Notice, Opened, Resolution, Resolve, SessionId, UserConfig, UserError,
};
use rserpool_transport::sctp::SctpConfig;

use crate::announce::Announcing;
use crate::builder::{Builder, Configure, Launched, Preset};
use crate::connect::Connect;
use crate::delivery::{EventReceiver, next_event};
use crate::error::{Panicked, StartError, Stopped};
use crate::handle::{Handle, Local, variant};
use crate::log::{Line, Log, brief, listed};
use crate::pairing::Pairs;
use crate::patience::Patience;
use crate::role::{Recipient, Remark, Role};
use crate::runtime::Runtime;
use crate::watch::{PoolState, Watch};

/// How a user is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserStatus {
    /// The registrar that it asks, while it has an association with one.
    pub registrar: Option<TransportAddress>,
    /// Its sessions, including those that look for an element.
    pub sessions: usize,
}

/// A pool user that runs in the background; clones are handles of the same one.
///
/// When the last handle and the last session are dropped, it closes its associations and ends.
pub struct PoolUser<R> {
    handle: Handle<user::User>,
    events: EventReceiver<user::User>,
    runtime: Arc<R>,
}

impl<R: Runtime + Default> PoolUser<R> {
    /// Prepares a pool user.
    pub fn builder() -> Builder<R, UserConfig> {
        Builder::new()
    }
}

impl<R: Runtime> Builder<R, UserConfig> {
    /// Adds a registrar: its IP address and the UDP port of its SCTP encapsulation.
    pub fn registrar(self, address: SocketAddr) -> Self {
        let registrar = SctpAddress::new(address.ip(), ASAP_PORT, UdpPort(address.port()));
        self.configure(move |config| config.hunt.registrars.push(registrar.into()))
    }

    /// Adds a registrar by the name of its host, with the UDP port of its SCTP encapsulation (default 9899). The name is
    /// looked up at the start, and again whenever no registrar answers.
    pub fn registrar_name(mut self, name: impl Into<String>) -> Self {
        self.names.add(name.into());
        self
    }

    /// Adds a registrar that is asked over TCP: its IP address and TCP port, which is 3863 as a rule.
    /// Sessions with elements use SCTP all the same.
    pub fn registrar_tcp(self, address: SocketAddr) -> Self {
        let registrar = TransportAddress::tcp(vec![address.ip()], address.port());
        self.configure(move |config| config.hunt.registrars.push(registrar))
    }

    /// How long the user tries what may fail, and how often. Later calls of
    /// [`configure`](Self::configure) may change single values.
    pub fn patience(self, patience: Patience) -> Self {
        self.configure(move |config| patience.apply(config))
    }

    /// Starts the pool user; it looks for a registrar when it needs one.
    ///
    /// # Errors
    ///
    /// If a value cannot work or the address cannot be bound.
    pub async fn start(mut self) -> Result<PoolUser<R>, StartError> {
        let (names, bind) = self.take_names();
        let found = if names.are_none() { Vec::new() } else { names.look_up(bind).await? };
        let known = found.clone();
        let builder = self.configure(move |config| {
            config.hunt.registrars.extend(known.into_iter().map(TransportAddress::Sctp));
        });
        let Launched { handle, events, runtime, config, silence } = builder.launch()?;
        if !names.are_none() {
            let mut fixed = config.hunt.registrars;
            fixed.truncate(fixed.len() - found.len());
            let use_registrars = move |found: Vec<SctpAddress>| {
                let found = found.into_iter().map(TransportAddress::Sctp);
                Command::UseRegistrars(fixed.iter().cloned().chain(found).collect())
            };
            let follow = names.follow(bind, silence, handle.downgrade(), found, use_registrars);
            runtime.spawn(Box::pin(follow));
        }
        Ok(PoolUser { handle, events, runtime })
    }
}

impl<R> PoolUser<R> {
    /// The address and UDP port to which it is bound.
    pub const fn local_addr(&self) -> SocketAddr {
        self.handle.local.udp
    }

    /// Asks for as many elements of a pool as the registrar likes to name; a recent answer may
    /// come from the cache.
    ///
    /// # Errors
    ///
    /// If the pool is unknown, the registrar refuses, or no registrar answers.
    pub async fn resolve(&self, pool: impl Into<PoolHandle>) -> Result<Resolution, UserError> {
        self.ask(Resolve::new(pool.into())).await
    }

    /// Asks a registrar, not the cache, for this many elements; `u32::MAX` means all.
    ///
    /// # Errors
    ///
    /// As for [`PoolUser::resolve`].
    pub async fn resolve_items(
        &self,
        pool: impl Into<PoolHandle>,
        items: Option<u32>,
    ) -> Result<Resolution, UserError> {
        self.ask(Resolve::new(pool.into()).items(items).past_cache()).await
    }

    /// Tells how a pool is, and of each change: at once, if the registrar grants a subscription (RFC 5352 section
    /// 2.2.5), and otherwise as often as the cache is renewed. The pool need not exist yet.
    ///
    /// ```
    /// use rserpool_driver::{PoolState, PoolUser};
    ///
    /// # async fn example<R>(user: PoolUser<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut pool = user.watch("EchoPool").await?;
    /// while let Some(state) = pool.changed().await {
    ///     match state {
    ///         PoolState::Elements(now) => println!("{} elements", now.elements.len()),
    ///         PoolState::Gone => println!("nobody"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`] beyond 64 pools at the same time; if the handle is not valid, or the user has ended.
    pub async fn watch(&self, pool: impl Into<PoolHandle>) -> Result<Watch, UserError> {
        Watch::begin(&self.handle, pool.into()).await
    }

    /// Opens a session with an element of a pool, within the time that
    /// [`UserConfig::open_timeout`] says. [`Connect`] says what else can be asked for.
    ///
    /// Cancel safe: a session that is opened after the future was dropped is closed again.
    ///
    /// # Errors
    ///
    /// If the pool cannot be resolved, or none of its elements can be reached in time.
    pub fn connect(&self, pool: impl Into<PoolHandle>) -> Connect<R> {
        Connect::new(self.clone(), pool.into())
    }

    /// Like [`PoolUser::connect`], within this time.
    ///
    /// # Errors
    ///
    /// Those of [`PoolUser::connect`].
    pub fn connect_within(&self, pool: impl Into<PoolHandle>, limit: Duration) -> Connect<R> {
        self.connect(pool).within(limit)
    }

    /// Waits until a pool has an element, for this time at the longest.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`UserError::UnknownPool`] if it has none in time, and [`UserError::NoRegistrar`] if no registrar has answered;
    /// [`UserError::TooMany`] if too many pools are watched; that the user has ended.
    pub async fn wait_for_pool(
        &self,
        pool: impl Into<PoolHandle>,
        limit: Duration,
    ) -> Result<Resolution, UserError>
    where
        R: Runtime,
    {
        self.wait_for_pool_until(&pool.into(), self.runtime.now() + limit).await
    }

    pub(super) async fn wait_for_pool_until(
        &self,
        pool: &PoolHandle,
        until: Instant,
    ) -> Result<Resolution, UserError>
    where
        R: Runtime,
    {
        let mut watch = self.watch(pool.clone()).await?;
        let there = async {
            loop {
                match watch.changed().await {
                    Some(PoolState::Elements(now)) if !now.elements.is_empty() => return Some(Ok(now)),
                    Some(_) => {}
                    None => return Some(Err(self.handle.outlook.reason().into())),
                }
            }
        };
        let over = async {
            self.runtime.sleep_until(until).await;
            None
        };
        if let Some(end) = future::or(there, over).await {
            return end;
        }
        let (registrar, tried) = self.handle.look(|user| (user.registrar().cloned(), user.tried())).await?;
        Err(if registrar.is_some() { UserError::UnknownPool } else { UserError::NoRegistrar { tried } })
    }

    /// How the user is.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub async fn status(&self) -> Result<UserStatus, Stopped> {
        let status = |user: &user::User| UserStatus {
            registrar: user.registrar().cloned(),
            sessions: user.sessions(),
        };
        self.handle.look(status).await
    }

    /// What the user has done so far.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub async fn counters(&self) -> Result<user::Counters, Stopped> {
        self.handle.look(|user| *user.counters()).await
    }

    pub(super) const fn handle(&self) -> &Handle<user::User> {
        &self.handle
    }

    pub(super) fn now(&self) -> Instant
    where
        R: Runtime,
    {
        self.runtime.now()
    }

    /// Waits for the next event of the user itself: [`RegistrarFound`](Notice::RegistrarFound),
    /// [`RegistrarLost`](Notice::RegistrarLost), [`NoRegistrar`](Notice::NoRegistrar), and
    /// [`Opening`](Notice::Opening), when a session takes long to open. `None` once the user has ended; [`PoolUser::ended`] says how.
    ///
    /// Events need not be taken: those that find no room are dropped. Cancel safe. Of several callers each event goes
    /// to one.
    pub async fn next_event(&self) -> Option<Notice> {
        next_event(&self.events).await
    }

    /// Waits until the user has ended.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// If it has panicked.
    pub async fn ended(&self) -> Result<(), Panicked> {
        self.handle.outlook.end().await
    }

    /// Tells the registrar that an element could not be reached.
    ///
    /// # Errors
    ///
    /// If the user is shutting down.
    pub async fn report_unreachable(
        &self,
        pool: impl Into<PoolHandle>,
        element: ElementId,
    ) -> Result<(), UserError> {
        let handle = pool.into();
        self.note(Command::ReportUnreachable { handle, element }).await
    }

    /// Tells the elements of all sessions, present and future, to which pool the application belongs as an element
    /// itself, and which elements of that pool are to be preferred when it fails. `None` says nothing to them.
    ///
    /// # Errors
    ///
    /// [`Refusal::Card`] if the card lists no element, more than 64, or too many for one message; that the user is
    /// shutting down.
    pub async fn set_card(&self, card: Option<Card>) -> Result<(), Refusal> {
        let done = self.handle.ask(Command::SetCard(card), variant!(Answer::Done)).await;
        done.unwrap_or_else(|stopped| Err(stopped.into()))
    }

    /// Forgets what the cache knows of a pool.
    ///
    /// # Errors
    ///
    /// If the user is shutting down.
    pub async fn purge(&self, pool: impl Into<PoolHandle>) -> Result<(), UserError> {
        self.note(Command::Purge { handle: pool.into() }).await
    }

    /// Looks for these registrars from now on, instead of those it was started with.
    ///
    /// # Errors
    ///
    /// If the user is shutting down.
    pub async fn use_registrars(&self, registrars: Vec<TransportAddress>) -> Result<(), UserError> {
        self.note(Command::UseRegistrars(registrars)).await
    }

    /// Closes all sessions and ends, after `within` at the latest.
    pub async fn shutdown(&self, within: Duration) {
        self.handle.shutdown(within).await;
    }

    async fn ask(&self, question: Resolve) -> Result<Resolution, UserError> {
        self.handle.ask(Command::Resolve(question), variant!(Answer::Resolved)).await?
    }

    async fn note(&self, command: Command) -> Result<(), UserError> {
        let noted = |answer| matches!(answer, Answer::Noted).then_some(());
        Ok(self.handle.ask(command, noted).await?)
    }
}

impl<R> Clone for PoolUser<R> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), events: self.events.clone(), runtime: Arc::clone(&self.runtime) }
    }
}

impl<R> fmt::Debug for PoolUser<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolUser").field("local", &self.handle.local.udp).finish()
    }
}

impl Configure for UserConfig {
    type Endpoint = user::User;

    fn preset(preset: Preset, seed: u64) -> Self {
        match preset {
            Preset::Rfc => Self::rfc(seed),
            Preset::Fast => Self::fast(seed),
            Preset::Rack => Self::rack(seed),
        }
    }

    fn sctp(preset: Preset, seed: u64) -> SctpConfig {
        match preset {
            Preset::Rfc => SctpConfig::rfc_user(seed),
            Preset::Fast => SctpConfig::fast_user(seed),
            Preset::Rack => SctpConfig::rack_user(seed),
        }
    }

    #[cfg(feature = "tls")]
    fn secure(&mut self) {
        crate::secure::secure_all(&mut self.hunt.registrars);
    }

    fn peers(&self) -> Vec<TransportAddress> {
        self.hunt.registrars.clone()
    }

    fn complete(&mut self, _local: Local, announcing: &Announcing) -> Result<(), StartError> {
        if self.hunt.registrars.is_empty() && announcing.asap.is_none() {
            return Err(StartError::NoRegistrar);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ConfigError> {
        Self::check(self)
    }

    fn span(&self) -> tracing::Span {
        tracing::error_span!("user")
    }

    fn endpoint(self, _now: Instant) -> Self::Endpoint {
        user::User::new(self)
    }
}

impl Role for user::User {
    fn recipient(notice: &Notice) -> Recipient {
        match notice {
            Notice::ElementFailed { session, .. }
            | Notice::FailedOver { session, .. }
            | Notice::CookieKept { session, .. }
            | Notice::PeerCard { session, .. }
            | Notice::Received { session, .. }
            | Notice::Unanswered { session, .. } => Recipient::Session(*session),
            Notice::Closed { session, .. } => Recipient::EndOfSession(*session),
            Notice::Writable { session, .. } => Recipient::Writable(*session),
            Notice::PoolChanged(Resolution { handle, .. }) | Notice::PoolGone { handle, .. } => {
                Recipient::Watchers(handle.clone())
            }
            Notice::Opening { .. }
            | Notice::RegistrarFound { .. }
            | Notice::RegistrarLost { .. }
            | Notice::NoRegistrar { .. } => Recipient::Onlooker,
            _ => Recipient::None,
        }
    }

    fn repeats(notice: &Notice) -> bool {
        matches!(notice, Notice::CookieKept { .. })
    }

    fn opened(answer: &Answer) -> Option<SessionId> {
        if let Answer::Opened(Ok(opened)) = answer { Some(opened.session) } else { None }
    }

    fn tells_silence(notice: &Notice) -> bool {
        matches!(notice, Notice::NoRegistrar { .. })
    }

    fn is_done(answer: &Answer) -> bool {
        matches!(answer, Answer::Done(Ok(())))
    }

    fn pair(pairs: &Pairs, notice: Notice) -> (Option<Notice>, Option<Remark>) {
        pairs.handle(notice)
    }

    fn watches(answer: &Answer) -> bool {
        matches!(answer, Answer::Watching(Ok(())))
    }

    fn note(remark: Remark) -> Option<Command> {
        Some(match remark {
            Remark::Session(session) => Command::Close { session },
            Remark::Stuck(session) => Command::Failover { session, unreachable: false },
            Remark::Full(session) => Command::Hold { session },
            Remark::Room(session) => Command::Release { session },
            Remark::Unwatched(handle) => Command::Unwatch { handle },
            Remark::Request(session, request) => Command::Answered { session, request },
            Remark::Hold(_) | Remark::Release(_) | Remark::Visitor(_) => return None,
        })
    }

    fn needs_caller(command: &Command) -> bool {
        matches!(command, Command::Send(_) | Command::Call(_) | Command::Watch { .. })
    }

    fn octets(notice: &Notice) -> usize {
        if let Notice::Received { bytes, .. } = notice { bytes.len() } else { 0 }
    }

    fn log(notice: &Notice, log: &mut Log) {
        match notice {
            Notice::ElementFailed { session, element, reason, .. } => {
                if let Some(Line { suppressed }) = log.allow("element failed") {
                    tracing::warn!(session = session.0, %element, %reason, suppressed, "element failed");
                }
            }
            Notice::FailedOver { session, from, to, resent, cookie_echoed, .. } => {
                if let Some(Line { suppressed }) = log.allow("failed over") {
                    let resent = resent.len();
                    tracing::info!(
                        session = session.0, %from, %to, cookie_echoed, resent, suppressed, "failed over"
                    );
                }
            }
            Notice::Unanswered { session, request, reason, .. } => {
                if let Some(Line { suppressed }) = log.allow("unanswered") {
                    tracing::warn!(session = session.0, request = request.0, %reason, suppressed, "request given up");
                }
            }
            Notice::Closed { session, error, .. } => {
                tracing::debug!(session = session.0, ?error, "session closed");
            }
            Notice::ErrorReported { registrar, error, .. } => {
                if log.is_first(format!("{registrar}: {error}"))
                    && let Some(Line { suppressed }) = log.allow("error reported")
                {
                    tracing::warn!(%registrar, causes = brief(&error.to_string()), suppressed, "the registrar reports an error");
                }
            }
            Notice::RegistrarFound { registrar, .. } => tracing::debug!(%registrar, "registrar found"),
            Notice::RegistrarLost { registrar, .. } => tracing::debug!(%registrar, "registrar lost"),
            Notice::NoRegistrar { tried, .. } => {
                if let Some(Line { suppressed }) = log.allow("no registrar") {
                    tracing::warn!(tried = listed(tried), suppressed, "no registrar answers");
                }
            }
            _ => {}
        }
    }

    fn log_answer(answer: &Answer, _log: &mut Log) {
        if let Answer::Opened(Ok(Opened { session, element, peer, .. })) = answer {
            tracing::debug!(session = session.0, %element, %peer, "session opened");
        }
    }
}
