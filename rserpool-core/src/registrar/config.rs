//! The configuration of a registrar, given before it starts.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::rights::Rights;
use crate::base::{
    ASAP_PORT, ENRP_PORT, PoolHandle, RegistrarId, SctpAddress, SctpPort, TcpAddress, UdpPort,
};
use crate::endpoint::ConfigError;
use crate::handlespace::Limits;
use crate::policy::Policies;
use crate::wire::{LifeUnit, Padding, SctpTransport, TransportUse};

/// How many peers can be configured: an operational scope has fewer than ten registrars.
pub const MAX_CONFIGURED_PEERS: usize = 32;

/// The longest duration that can be configured: multiples of it still fit into a duration.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Which of two registrars that want to take over the same peer goes on (reading B1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TakeoverWinner {
    /// The one with the larger identifier, as RFC 5353 section 3.5.1 has it.
    #[default]
    LargerId,
    /// The one with the smaller identifier, as RSPLIB has it. All registrars of a scope must agree.
    SmallerId,
}

/// How a registrar takes part in ENRP (RFC 5353).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnrpConfig {
    /// Where other registrars speak ENRP. The first that answers is the mentor, and the others are its
    /// backups; all are contacted for as long as the registrar runs. Without any, and without `announce`, a
    /// registrar serves at once (RFC 5353 section 3.2.2.1). At most [`MAX_CONFIGURED_PEERS`].
    pub peers: Vec<SctpAddress>,
    /// Whether to announce ENRP_PRESENCE by multicast and to find a mentor that way; an extension (reading
    /// B22; default off).
    pub announce: bool,
    /// How long to look for a mentor before serving alone (RSPLIB's default 5 s). A registrar that is there
    /// by then may still help: each is asked at most once more.
    pub mentor_timeout: Duration,
    /// How long a start may take in all, from the beginning to the first service, if a mentor has been found in
    /// time (default 60 s; the RFC gives none). A mentor that is slow, or endless, does not keep us from service
    /// for longer; the audits bring what is missing then.
    pub join_timeout: Duration,
    /// How long to wait before a mentor that refused is asked again ("a few seconds" in RFC 5353
    /// sections 3.2.2.2 and 3.2.3; default 2 s).
    pub mentor_retry: Duration,
    /// PEER-HEARTBEAT-CYCLE: the time between two heartbeats (RFC default 30 s).
    pub heartbeat_cycle: Duration,
    /// MAX-TIME-LAST-HEARD: after this silence a peer is asked for a sign of life (RFC default
    /// 61 s).
    pub max_time_last_heard: Duration,
    /// MAX-TIME-NO-RESPONSE: how long an answer of a peer may take (RFC default 5 s).
    pub max_time_no_response: Duration,
    /// Which of two takeovers goes on.
    pub takeover_winner: TakeoverWinner,
    /// Whether to say nothing of re-registrations that change nothing. RFC 5353 section 3.3.1
    /// demands an update of every one (default off).
    pub suppress_unchanged: bool,
    /// Whether to offer elements to peers that have clearly fewer (draft enrp-takeover; default
    /// on).
    pub balance: bool,
}

impl EnrpConfig {
    /// The values of RFC 5353 section 4.2, without peers.
    pub const fn rfc() -> Self {
        Self {
            peers: Vec::new(),
            announce: false,
            mentor_timeout: Duration::from_secs(5),
            join_timeout: Duration::from_secs(60),
            mentor_retry: Duration::from_secs(2),
            heartbeat_cycle: Duration::from_secs(30),
            max_time_last_heard: Duration::from_secs(61),
            max_time_no_response: Duration::from_secs(5),
            takeover_winner: TakeoverWinner::LargerId,
            suppress_unchanged: false,
            balance: true,
        }
    }

    /// For a LAN: a dead peer is noticed within 650 ms of its last sign of life.
    pub fn fast() -> Self {
        Self {
            mentor_timeout: Duration::from_millis(500),
            join_timeout: Duration::from_secs(10),
            mentor_retry: Duration::from_millis(100),
            heartbeat_cycle: Duration::from_millis(200),
            max_time_last_heard: Duration::from_millis(450),
            max_time_no_response: Duration::from_millis(200),
            ..Self::rfc()
        }
    }

    /// For one rack: a dead peer is noticed within 200 ms of its last sign of life.
    pub fn rack() -> Self {
        Self {
            heartbeat_cycle: Duration::from_millis(50),
            max_time_last_heard: Duration::from_millis(120),
            max_time_no_response: Duration::from_millis(80),
            ..Self::fast()
        }
    }
}

/// The configuration of a registrar.
///
/// Start from a preset and set the fields that differ; later versions add fields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistrarConfig {
    /// The ENRP server identifier; drawn from the seed if `None`.
    pub id: Option<RegistrarId>,
    /// Our addresses, for announcements and for peers.
    pub addresses: Vec<IpAddr>,
    /// The UDP port of our socket, told in announcements and to peers; 0 sends no parameter.
    pub udp_port: UdpPort,
    /// SCTP port of ASAP (default 3863).
    pub asap_port: SctpPort,
    /// Where users reach us by TCP, if they do; told in announcements.
    pub tcp: Option<TcpAddress>,
    /// SCTP port of ENRP (default 9901).
    pub enrp_port: SctpPort,
    /// The time between two keep-alives to one element, varied by half (default 5 s; the RFC gives none).
    pub keep_alive_interval: Duration,
    /// How long an element may take to answer one (default 5 s; the RFC gives none).
    pub keep_alive_timeout: Duration,
    /// The shortest time between two keep-alives to one element that others cause: users with reports, newcomers that
    /// want its identifier, and peers that claim it (default 1 s; RFC 5355 section 2.14.3). Those of our own keep-alive
    /// interval come beside it. 0: whoever says something makes us ask at once, so that one who lies makes us send as
    /// much as it does.
    pub prompt_interval: Duration,
    /// MAX-BAD-PE-REPORT: an element that cannot be reached, and of which more reports than this say the same
    /// since it last answered a keep-alive, gets no second attempt (default 3, reading B4).
    pub max_bad_pe_reports: u32,
    /// Whether keep-alives name their element, as RSPLIB's do (reading A13).
    pub name_element_in_keep_alive: bool,
    /// Elements in an answer to a user that does not say how many it wants (default 128).
    pub resolution_items: u32,
    /// Elements in an answer to a user that wants as many as possible (default 500).
    pub max_resolution_items: u32,
    /// The shortest time between two updates to a subscriber about one pool (default 1 s; the RFC gives none): the first
    /// change is told at once, and those that follow within this time are told together.
    pub subscription_interval: Duration,
    /// The most subscriptions of all users together (default 10,000); 0: none are granted.
    pub max_subscriptions: usize,
    /// Octets in one page of a downloaded handle table (default 8,192). Each page costs its receiver a round
    /// trip (RFC 5353 section 3.2.3).
    pub handle_table_octets: usize,
    /// Whether announcements say where users reach us by TCP (default yes). RSPLIB refuses announcements that do,
    /// although RFC 5352 section 2.2.10 permits it: leave it out in its multicast group.
    pub announce_tcp: bool,
    /// T6-Serverannounce: the time between two announcements if no other registrar announces (RFC default 1
    /// s).
    pub announce_interval: Duration,
    /// Whether to announce at all: only where multicast is in use (RFC 5352 section 3.6).
    pub announce: bool,
    /// How the registrar takes part in ENRP.
    pub enrp: EnrpConfig,
    /// Whether elements may register only addresses of their association, as RFC 5352 section 2.2.1 wants.
    /// Other addresses are left out, and a registration with none left is refused. An address counts once the
    /// transport has verified it. Off by default: an element with several addresses whose transport does not
    /// tell them, or behind a NAT, would lose them (reading B51).
    pub check_addresses: bool,
    /// Who may do what, by the identity that the transport has verified. `None`, the default: everybody everything,
    /// as in a scope without TLS.
    pub rights: Option<Rights>,
    /// Whether to answer questions for counters.
    pub management: bool,
    /// The policies by which pools can select.
    pub policies: Policies,
    /// How much the handlespace may hold.
    pub limits: Limits,
    /// The longest pool handle that is listed, 1 to 1,024 octets (default 1,024). With RSPLIB registrars in the
    /// scope at most 32: a longer one ends them.
    pub max_handle_octets: usize,
    /// The unit of registration lives; a whole scope uses the same.
    pub life_unit: LifeUnit,
    /// How messages are padded.
    pub padding: Padding,
    /// Seed of all random choices.
    pub seed: u64,
}

impl RegistrarConfig {
    /// Values for any network. The RFC names few; the others are RSPLIB's or ours.
    pub fn rfc(id: Option<RegistrarId>, seed: u64) -> Self {
        Self {
            id,
            addresses: Vec::new(),
            udp_port: UdpPort(0),
            asap_port: ASAP_PORT,
            tcp: None,
            enrp_port: ENRP_PORT,
            keep_alive_interval: Duration::from_secs(5),
            keep_alive_timeout: Duration::from_secs(5),
            prompt_interval: Duration::from_secs(1),
            max_bad_pe_reports: 3,
            name_element_in_keep_alive: true,
            resolution_items: 128,
            max_resolution_items: 500,
            subscription_interval: Duration::from_secs(1),
            max_subscriptions: 10_000,
            handle_table_octets: 8192,
            announce_tcp: true,
            announce_interval: Duration::from_secs(1),
            announce: false,
            enrp: EnrpConfig::rfc(),
            check_addresses: false,
            rights: None,
            management: true,
            policies: Policies::default(),
            limits: Limits::default(),
            max_handle_octets: PoolHandle::MAX_OCTETS,
            life_unit: LifeUnit::default(),
            padding: Padding::default(),
            seed,
        }
    }

    /// For a LAN: a dead element is out of the handlespace within 425 ms of its last sign of life (an
    /// interval of at most 225 ms, then 200 ms without an answer).
    pub fn fast(id: Option<RegistrarId>, seed: u64) -> Self {
        Self {
            keep_alive_interval: Duration::from_millis(150),
            keep_alive_timeout: Duration::from_millis(200),
            subscription_interval: Duration::from_millis(100),
            enrp: EnrpConfig::fast(),
            ..Self::rfc(id, seed)
        }
    }

    /// For one rack: a dead element is out of the handlespace within 200 ms of its last sign of life (an interval of at
    /// most 75 ms, then 125 ms without an answer).
    pub fn rack(id: Option<RegistrarId>, seed: u64) -> Self {
        Self {
            keep_alive_interval: Duration::from_millis(50),
            keep_alive_timeout: Duration::from_millis(125),
            subscription_interval: Duration::from_millis(10),
            enrp: EnrpConfig::rack(),
            ..Self::fast(id, seed)
        }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The first key whose value cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let not_zero = [
            ("id", self.id != Some(RegistrarId::NONE)),
            ("asap_port", self.asap_port.is_set()),
            ("enrp_port", self.enrp_port.is_set()),
            ("resolution_items", self.resolution_items != 0),
            ("max_resolution_items", self.max_resolution_items != 0),
            ("limits.pools", self.limits.pools != 0),
            ("limits.elements_per_pool", self.limits.elements_per_pool != 0),
            ("limits.elements", self.limits.elements != 0),
        ];
        for (key, holds) in not_zero {
            ConfigError::require(holds, key, "must not be zero")?;
        }
        let durations = [
            ("keep_alive_interval", self.keep_alive_interval),
            ("keep_alive_timeout", self.keep_alive_timeout),
            ("announce_interval", self.announce_interval),
            ("subscription_interval", self.subscription_interval),
            ("enrp.mentor_timeout", self.enrp.mentor_timeout),
            ("enrp.join_timeout", self.enrp.join_timeout),
            ("enrp.mentor_retry", self.enrp.mentor_retry),
            ("enrp.heartbeat_cycle", self.enrp.heartbeat_cycle),
            ("enrp.max_time_last_heard", self.enrp.max_time_last_heard),
            ("enrp.max_time_no_response", self.enrp.max_time_no_response),
        ];
        for (key, duration) in durations {
            let works = (Duration::from_millis(1)..=LONGEST).contains(&duration);
            ConfigError::require(works, key, "must be from 1 ms to 30 days")?;
        }
        let prompt = self.prompt_interval <= LONGEST;
        ConfigError::require(prompt, "prompt_interval", "must be at most 30 days")?;
        // Foreign peers tell the protocols apart by the ports.
        ConfigError::require(self.asap_port != self.enrp_port, "enrp_port", "must differ from asap_port")?;
        let few = self.enrp.peers.len() <= MAX_CONFIGURED_PEERS;
        ConfigError::require(few, "enrp.peers", "must be given at most 32 times")?;
        // A peer that asks must be told where we are (RFC 5353 section 2.1).
        let alone = self.enrp.peers.is_empty() && !self.enrp.announce;
        ConfigError::require(
            alone || !self.addresses.is_empty(),
            "addresses",
            "must be given to have peers",
        )?;
        // Otherwise every peer would be suspected between two of its heartbeats.
        let heard = self.enrp.max_time_last_heard > self.enrp.heartbeat_cycle;
        ConfigError::require(heard, "enrp.max_time_last_heard", "must be longer than enrp.heartbeat_cycle")?;
        let handle = (1..=PoolHandle::MAX_OCTETS).contains(&self.max_handle_octets);
        ConfigError::require(handle, "max_handle_octets", "must be from 1 to 1024")?;
        // A page must hold at least one element with several addresses and a short pool handle.
        let page = (512..=65_000).contains(&self.handle_table_octets);
        ConfigError::require(page, "handle_table_octets", "must be from 512 to 65000")
    }

    /// Where we speak ASAP with elements.
    pub(super) fn asap_transport(&self) -> SctpTransport {
        SctpTransport {
            port: self.asap_port.0,
            usage: TransportUse::DataOnly,
            addresses: self.addresses.as_slice().into(),
        }
    }
}
