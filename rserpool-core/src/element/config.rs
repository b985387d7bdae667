//! The configuration of a pool element.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::seal::CookieSeal;
use crate::base::{ElementId, PoolHandle, SctpAddress, SctpPort, UdpPort, is_usable_address};
use crate::endpoint::ConfigError;
use crate::endpoint::hunt::HuntConfig;
use crate::wire::{LifeUnit, Padding, Policy, RegistrationLife};

/// The longest T4, also used if the registration never expires (RFC 5352 section 7.1).
const LONGEST_REREGISTRATION: Duration = Duration::from_secs(600);

/// T4 expires so long before the end of the registration (RFC 5352 section 7.1).
const REREGISTRATION_MARGIN: Duration = Duration::from_secs(20);

/// The port of the echo service (RFC 862), with which one begins.
const ECHO_PORT: SctpPort = SctpPort(7);

/// The configuration of a pool element.
///
/// Start from a preset and set the fields that differ; later versions add fields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ElementConfig {
    /// The handle of the pool, 1 to 1,024 octets.
    pub handle: PoolHandle,
    /// The PE identifier, not 0; `None`: it is drawn from the seed.
    pub id: Option<ElementId>,
    /// The policy of the pool, with the values of this element.
    pub policy: Policy,
    /// The addresses at which users reach the element; at least one.
    pub addresses: Vec<IpAddr>,
    /// Whether the addresses may be those of a translator (NAT) before the element, and not its own (default
    /// false). Drivers refuse addresses to which the element is not bound (RFC 5352 sections 2.2.1 and 3.1).
    pub foreign_addresses: bool,
    /// The SCTP port on which users, and registrars, reach the element (default 7, echo).
    pub port: SctpPort,
    /// The UDP port of our socket, told in the encapsulation parameter; 0, the default, sends no parameter.
    pub udp_port: UdpPort,
    /// Where somebody else serves the users over plain TCP, at one of [`addresses`](Self::addresses) and this port; the
    /// element itself only registers then (RFC 5354 section 3.2: data only). `None`, the default: it serves them itself.
    /// All elements of a pool must agree.
    pub tcp_service: Option<(IpAddr, u16)>,
    /// Whether there is a control channel beside the data (Transport Use 1, the default): without one there are no
    /// cookies. All elements of a pool must agree.
    pub control: bool,
    /// Registration life, in seconds (default 300 s).
    pub life: RegistrationLife,
    /// The unit of the life in messages, the same throughout an operational scope.
    pub life_unit: LifeUnit,
    /// T2-registration (RFC default 30 s).
    pub registration_timeout: Duration,
    /// T3-deregistration (RFC default 30 s).
    pub deregistration_timeout: Duration,
    /// T4-reregistration. `None`: the smaller of 10 min and the life less 20 s, or half of the life if that
    /// is at most 40 s (RFC 5352 section 7.1, reading B8).
    pub reregistration_interval: Option<Duration>,
    /// MAX-REG-ATTEMPT (RFC default 2): the element gives up when more attempts than this were not answered
    /// (RFC 5352 section 3.1, reading B10).
    pub max_registration_attempts: u32,
    /// How to find a registrar.
    pub hunt: HuntConfig<SctpAddress>,
    /// How messages are padded.
    pub padding: Padding,
    /// The most sessions with users at the same time. Users beyond are refused as soon as they connect, with
    /// the cause out of resource (RFC 9260 section 3.3.10.4). Bounds memory.
    pub max_sessions: usize,
    /// How cookies are sealed (default: not at all; a user could alter them). All elements of a pool need the same.
    pub cookie_seal: Option<CookieSeal>,
    /// The shortest time between two loads that the registrar is told ([`SetLoad`](super::Command::SetLoad); default
    /// 1 s): the first is told at once, and those that follow within this time as one.
    pub load_interval: Duration,
    /// Seed of all random choices.
    pub seed: u64,
}

impl ElementConfig {
    /// The RFC's timers, for an element with data and control on the SCTP port of echo. It has no addresses
    /// and knows no registrars yet: set the fields [`addresses`](Self::addresses) and
    /// [`hunt.registrars`](HuntConfig::registrars).
    pub fn rfc(handle: PoolHandle, seed: u64) -> Self {
        Self {
            handle,
            id: None,
            policy: Policy::RoundRobin,
            addresses: Vec::new(),
            foreign_addresses: false,
            port: ECHO_PORT,
            udp_port: UdpPort(0),
            tcp_service: None,
            control: true,
            life: RegistrationLife(300),
            life_unit: LifeUnit::default(),
            registration_timeout: Duration::from_secs(30),
            deregistration_timeout: Duration::from_secs(30),
            reregistration_interval: None,
            max_registration_attempts: 2,
            hunt: HuntConfig::rfc(Vec::new()),
            padding: Padding::default(),
            max_sessions: 10_000,
            load_interval: Duration::from_secs(1),
            cookie_seal: None,
            seed,
        }
    }

    /// For a LAN on which an element that was away is back in its pool within a second; otherwise like
    /// [`ElementConfig::rfc`].
    pub fn fast(handle: PoolHandle, seed: u64) -> Self {
        Self {
            // A LAN answers in milliseconds; a busy machine may need a hundred times as long.
            registration_timeout: Duration::from_millis(250),
            // The same, and short enough for two attempts within a clean stop of 2 s.
            deregistration_timeout: Duration::from_millis(250),
            // A registrar that has lost the element lists it again within seconds.
            reregistration_interval: Some(Duration::from_secs(5)),
            // 250 ms each: a registrar that is only busy is not given up.
            max_registration_attempts: 5,
            load_interval: Duration::from_millis(100),
            hunt: HuntConfig::fast(Vec::new()),
            ..Self::rfc(handle, seed)
        }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The first value that cannot work, with its key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let positive = "must be longer than zero";
        ConfigError::require(!self.handle.as_bytes().is_empty(), "handle", "must not be empty")?;
        ConfigError::require(
            self.handle.as_bytes().len() <= PoolHandle::MAX_OCTETS,
            "handle",
            "must not exceed 1,024 octets",
        )?;
        ConfigError::require(self.id != Some(ElementId(0)), "id", "must not be 0, which means none")?;
        ConfigError::require(!self.addresses.is_empty(), "addresses", "must name at least one address")?;
        ConfigError::require(
            self.addresses.iter().all(is_usable_address),
            "addresses",
            "must be addresses that users can connect to",
        )?;
        ConfigError::require(self.port.is_set(), "port", "must not be 0")?;
        let life = self.life.duration();
        ConfigError::require(
            life.is_none_or(|life| !life.is_zero()),
            "life",
            "must be at least 1 s, or -1 for ever",
        )?;
        ConfigError::require(!self.registration_timeout.is_zero(), "registration_timeout", positive)?;
        ConfigError::require(!self.deregistration_timeout.is_zero(), "deregistration_timeout", positive)?;
        let interval = self.reregistration();
        ConfigError::require(!interval.is_zero(), "reregistration_interval", positive)?;
        ConfigError::require(
            life.is_none_or(|life| interval < life),
            "reregistration_interval",
            "must be shorter than the registration life",
        )?;
        ConfigError::require(
            self.max_registration_attempts != 0,
            "max_registration_attempts",
            "must be at least 1",
        )?;
        ConfigError::require(self.max_sessions != 0, "max_sessions", "must be at least 1")?;
        self.hunt.check()
    }

    /// T4, configured or derived from the life (ASAP-7.1-04: the smaller of 10 min and the life less 20 s;
    /// reading B8).
    pub fn reregistration(&self) -> Duration {
        match (self.reregistration_interval, self.life.duration()) {
            (Some(interval), _) => interval,
            (None, None) => LONGEST_REREGISTRATION,
            (None, Some(life)) if life <= 2 * REREGISTRATION_MARGIN => life / 2,
            (None, Some(life)) => (life - REREGISTRATION_MARGIN).min(LONGEST_REREGISTRATION),
        }
    }
}
