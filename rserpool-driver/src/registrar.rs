//! The handle of a registrar.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rserpool_core::base::{
    DEFAULT_ENCAPSULATION_PORT, ENRP_PORT, Instant, RegistrarId, SctpAddress, SctpPort, TcpAddress,
    TransportAddress, UdpPort,
};
use rserpool_core::endpoint::{ConfigError, HangUp};
use rserpool_core::registrar::{
    self, Answer, Command, Figures, Notice, PeerStatus, RegistrarConfig, RegistrarStatus, RemovalReason,
};
use rserpool_core::wire::PoolEntry;

use crate::announce::{AnnounceGroup, Announcing};
use crate::builder::{Builder, Configure, Preset, own_addresses};
use crate::delivery::{EventReceiver, next_event};
use crate::error::{Ended, IdentifierTaken, StartError, Stopped};
use crate::handle::{Handle, Local, variant};
use crate::log::{Line, Log, name};
use crate::role::{Recipient, Role};
use crate::runtime::Runtime;
use crate::tcp::TcpListening;

/// A registrar that runs in the background; clones are handles of the same one.
///
/// Its events need not be taken: what happens is logged. When the last handle is dropped, the
/// registrar closes its associations and ends.
pub struct Registrar<R> {
    handle: Handle<registrar::Registrar>,
    events: EventReceiver<registrar::Registrar>,
    id: RegistrarId,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime + Default> Registrar<R> {
    /// Prepares a registrar.
    pub fn builder() -> Builder<R, RegistrarConfig> {
        Builder::new().tcp(TcpListening::default())
    }
}

impl<R: Runtime> Builder<R, RegistrarConfig> {
    /// The ENRP server identifier (default: drawn at random). Give every registrar of a scope its
    /// own, and keep it over restarts.
    pub fn id(self, id: RegistrarId) -> Self {
        self.configure(move |config| config.id = Some(id))
    }

    /// Adds another registrar of the operational scope: its IP address and the UDP port of its SCTP
    /// encapsulation. The first that answers is the mentor (RFC 5353 section 3.2.2).
    pub fn peer(self, address: SocketAddr) -> Self {
        let peer = SctpAddress::new(address.ip(), ENRP_PORT, UdpPort(address.port()));
        self.configure(move |config| config.enrp.peers.push(peer))
    }

    /// Finds other registrars by multicast, and lets them find this one; an extension of RFC 5353
    /// (reading B22), off by default.
    pub fn enrp_announce_group(mut self, group: impl Into<AnnounceGroup>) -> Self {
        self.announcing.enrp = Some(group.into());
        self
    }

    /// Where to accept users over TCP (default: [`TcpListening::Standard`]). Elements and other
    /// registrars come by SCTP.
    pub fn tcp(mut self, listening: TcpListening) -> Self {
        self.listening = listening;
        self
    }

    /// Starts the registrar.
    ///
    /// # Errors
    ///
    /// If a value cannot work or the address cannot be bound.
    pub async fn start(self) -> Result<Registrar<R>, StartError> {
        let launched = self.launch()?;
        let id = launched.config.id.unwrap_or(RegistrarId::NONE);
        Ok(Registrar { handle: launched.handle, events: launched.events, id, runtime: PhantomData })
    }
}

impl<R> Registrar<R> {
    /// Its ENRP server identifier.
    pub const fn id(&self) -> RegistrarId {
        self.id
    }

    /// The address and UDP port to which it is bound.
    pub const fn local_addr(&self) -> SocketAddr {
        self.handle.local.udp
    }

    /// The address and TCP port on which it accepts users, if it does.
    pub const fn tcp_addr(&self) -> Option<SocketAddr> {
        self.handle.local.tcp
    }

    /// The whole handlespace: every pool with its elements.
    ///
    /// # Errors
    ///
    /// If the registrar has ended.
    pub async fn pools(&self) -> Result<Vec<PoolEntry>, Stopped> {
        self.handle.ask(Command::Pools, variant!(Answer::Pools)).await
    }

    /// How the registrar is: whether it serves, and what may be wrong.
    ///
    /// # Errors
    ///
    /// If the registrar has ended.
    pub async fn status(&self) -> Result<RegistrarStatus, Stopped> {
        self.handle.look(registrar::Registrar::status).await
    }

    /// What the registrar has done so far, and how much it keeps.
    ///
    /// # Errors
    ///
    /// If the registrar has ended.
    pub async fn counters(&self) -> Result<Figures, Stopped> {
        self.handle.ask(Command::Counters, variant!(Answer::Counters)).await.map(|figures| *figures)
    }

    /// The other registrars, in the order of their identifiers.
    ///
    /// # Errors
    ///
    /// If the registrar has ended.
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, Stopped> {
        self.handle.ask(Command::Peers, variant!(Answer::Peers)).await
    }

    /// Looks for other registrars at these addresses from now on, instead of those it was started with.
    ///
    /// # Errors
    ///
    /// If the registrar has been shut down.
    pub async fn use_peers(&self, addresses: Vec<SctpAddress>) -> Result<(), Stopped> {
        let done = |answer| matches!(answer, Answer::Done).then_some(());
        self.handle.ask(Command::UsePeers(addresses), done).await
    }

    /// Says how many lines of the log were lost since the start of the process, so that its
    /// [`counters`](Self::counters) tell.
    ///
    /// # Errors
    ///
    /// If the registrar has been shut down.
    pub async fn note_lines_lost(&self, lines: u64) -> Result<(), Stopped> {
        let done = |answer| matches!(answer, Answer::Done).then_some(());
        self.handle.ask(Command::NoteLinesLost(lines), done).await
    }

    /// Waits until the registrar has ended. Of several callers one learns the reason.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// If it had to stop because another registrar has its identifier, or if it has panicked.
    pub async fn ended(&self) -> Result<(), Ended> {
        match next_event(&self.events).await {
            Some(Notice::IdentifierTaken { id, peer, .. }) => Err(IdentifierTaken { id, peer }.into()),
            _ => Ok(self.handle.outlook.end().await?),
        }
    }

    /// Hands its elements over to other registrars, closes all associations and ends, after `within` at
    /// the latest.
    pub async fn shutdown(&self, within: Duration) {
        self.handle.shutdown(within).await;
    }
}

impl<R> Clone for Registrar<R> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), events: self.events.clone(), id: self.id, runtime: PhantomData }
    }
}

impl<R> fmt::Debug for Registrar<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar").field("id", &self.id).field("local", &self.handle.local.udp).finish()
    }
}

impl Configure for RegistrarConfig {
    type Endpoint = registrar::Registrar;

    const DEFAULT_UDP_PORT: UdpPort = DEFAULT_ENCAPSULATION_PORT;

    fn preset(preset: Preset, seed: u64) -> Self {
        let id = RegistrarId(rserpool_core::base::Random::new(!seed).identifier());
        match preset {
            Preset::Rfc => Self::rfc(Some(id), seed),
            Preset::Fast => Self::fast(Some(id), seed),
            Preset::Rack => Self::rack(Some(id), seed),
        }
    }

    #[cfg(feature = "tls")]
    fn secure(&mut self) {
        crate::secure::secure_port(&mut self.asap_port);
        crate::secure::secure_port(&mut self.enrp_port);
        crate::secure::secure_sctp(&mut self.enrp.peers);
        self.check_addresses = true;
    }

    fn peers(&self) -> Vec<TransportAddress> {
        self.enrp.peers.iter().cloned().map(Into::into).collect()
    }

    fn complete(&mut self, local: Local, announcing: &Announcing) -> Result<(), StartError> {
        self.udp_port = UdpPort(local.udp.port());
        self.announce = announcing.asap.is_some();
        // RSPLIB, whose group that is, refuses announcements that name TCP.
        self.announce_tcp &= announcing.asap != Some(AnnounceGroup::Rsplib);
        self.enrp.announce = announcing.enrp.is_some();
        // Peers may come whether or not any are configured.
        if self.addresses.is_empty() {
            self.addresses = own_addresses(local.udp, &self.peers())?;
        }
        self.tcp = local.tcp.map(|tcp| {
            let all = tcp.ip().is_unspecified();
            let addresses = if all { self.addresses.clone() } else { vec![tcp.ip()] };
            TcpAddress::new(addresses, tcp.port())
        });
        Ok(())
    }

    fn check(&self) -> Result<(), ConfigError> {
        Self::check(self)
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.clone()
    }

    fn ports(&self) -> Vec<SctpPort> {
        vec![self.asap_port, self.enrp_port]
    }

    fn span(&self) -> tracing::Span {
        let id = self.id.map(|id| id.to_string()).unwrap_or_default();
        tracing::error_span!("registrar", id)
    }

    fn endpoint(self, now: Instant) -> Self::Endpoint {
        registrar::Registrar::new(self, now)
    }
}

/// The kind of its line in the log: each reason has its own, so that one does not suppress another.
const fn hang_up_line(reason: HangUp) -> &'static str {
    match reason {
        HangUp::TooMany => "hung up: too many",
        HangUp::Malformed => "hung up: malformed",
        HangUp::Slow => "hung up: slow",
        HangUp::Unread => "hung up: unread",
        HangUp::Silent => "hung up: silent",
        HangUp::Flooding => "hung up: flooding",
        HangUp::Insecure => "hung up: no TLS",
        _ => "hung up",
    }
}

impl Role for registrar::Registrar {
    fn recipient(notice: &Notice) -> Recipient {
        match notice {
            Notice::IdentifierTaken { .. } => Recipient::Application,
            _ => Recipient::None,
        }
    }

    fn log(notice: &Notice, log: &mut Log) {
        match notice {
            Notice::Registered { pe, peer, .. } => {
                if let Some(Line { suppressed }) = log.allow("registered") {
                    tracing::info!(pe = name(pe), %peer, suppressed, "element registered");
                }
            }
            Notice::Rejected { pe, peer, cause, .. } => {
                if let Some(Line { suppressed }) = log.allow("rejected") {
                    tracing::warn!(pe = name(pe), %peer, ?cause, suppressed, "registration refused");
                }
            }
            Notice::Removed { pe, reason, .. } => {
                // That an element has died is what an operator waits to hear; that it has left is not.
                if *reason == RemovalReason::Deregistered {
                    if let Some(Line { suppressed }) = log.allow("left") {
                        tracing::info!(pe = name(pe), %reason, suppressed, "element removed");
                    }
                } else if let Some(Line { suppressed }) = log.allow("removed") {
                    tracing::warn!(pe = name(pe), %reason, suppressed, "element removed");
                }
            }
            Notice::Moved { pe, home, .. } => {
                if let Some(Line { suppressed }) = log.allow("moved") {
                    tracing::info!(pe = name(pe), %home, suppressed, "element has another home");
                }
            }
            Notice::Malformed { peer, error, .. } => {
                if let Some(Line { suppressed }) = log.allow("malformed") {
                    tracing::warn!(%peer, %error, suppressed, "malformed message");
                }
            }
            Notice::ErrorReceived { peer, protocol, cause, .. } => {
                if log.is_first(format!("{peer} {protocol:?}: {cause}"))
                    && let Some(Line { suppressed }) = log.allow("error received")
                {
                    tracing::warn!(%peer, ?protocol, ?cause, suppressed, "a receiver finds fault with a message of ours");
                }
            }
            Notice::Serving { mentor, .. } => match mentor {
                Some(mentor) => tracing::info!(%mentor, "serving; handlespace downloaded"),
                None => tracing::info!("serving; no other registrar has answered yet"),
            },
            Notice::PeerFound { peer, address, .. } => {
                if let Some(Line { suppressed }) = log.allow("peer found") {
                    tracing::info!(%peer, %address, suppressed, "registrar found");
                }
            }
            Notice::PeerUnanswered { address, reason, attempts, .. } => {
                if let Some(Line { suppressed }) = log.allow("peer unanswered") {
                    tracing::warn!(%address, %reason, attempts, suppressed, "peer does not answer");
                }
            }
            Notice::PeerLost { peer, .. } => {
                // Whether that matters is told when its elements are taken over: one that was stopped has none.
                if let Some(Line { suppressed }) = log.allow("peer lost") {
                    tracing::info!(%peer, suppressed, "registrar does not answer any more");
                }
            }
            Notice::TakenOver { target, by, elements, .. } => {
                // One that was stopped has handed its elements over before, and has left none.
                if *elements == 0 {
                    tracing::debug!(%target, %by, "a registrar is gone; it had no elements");
                } else if let Some(Line { suppressed }) = log.allow("taken over") {
                    tracing::warn!(%target, %by, elements, suppressed, "elements of a dead registrar taken over");
                }
            }
            Notice::IdentifierTaken { id, peer, .. } => {
                tracing::error!(%id, %peer, "another registrar has our identifier, and this one stops: give each its own id");
            }
            Notice::IdentifierDoubted { id, peer, .. } => {
                if let Some(Line { suppressed }) = log.allow("identifier doubted") {
                    tracing::warn!(%id, %peer, suppressed, "a registrar that is not configured claims our identifier; it is not believed");
                }
            }
            Notice::HungUp { peer, reason, .. } => {
                if let Some(Line { suppressed }) = log.allow(hang_up_line(*reason)) {
                    tracing::warn!(%peer, %reason, suppressed, "hung up on a client");
                }
            }
            Notice::Forbidden { peer, security, what, element, rule, .. } => {
                let element = element.as_ref().map(name);
                let rule = rule.as_deref().unwrap_or("none");
                if log.is_first(format!("{security} may not {what}"))
                    && let Some(Line { suppressed }) = log.allow("forbidden")
                {
                    tracing::warn!(identity = %security, rule, %peer, element, suppressed, "refused: it may not {what}");
                }
            }
            Notice::Stopped => tracing::info!("registrar stopped"),
            _ => {}
        }
    }
}
