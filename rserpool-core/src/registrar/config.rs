//! What a registrar is told before it starts.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::base::{ASAP_PORT, ENRP_PORT, RegistrarId};
use crate::endpoint::ConfigError;
use crate::endpoint::config::require;
use crate::handlespace::Limits;
use crate::policy::Policies;
use crate::wire::Padding;

/// The configuration of a registrar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarConfig {
    /// The ENRP server identifier; drawn from the seed if `None`.
    pub id: Option<RegistrarId>,
    /// Our addresses, for announcements.
    pub addresses: Vec<IpAddr>,
    /// The UDP port of our socket, told in announcements; 0 sends no parameter.
    pub udp_port: u16,
    /// SCTP port of ASAP (default 3863).
    pub asap_port: u16,
    /// SCTP port of ENRP (default 9901).
    pub enrp_port: u16,
    /// Between two keep-alives to one element, varied by half (default 5 s; the RFC gives none).
    pub keep_alive_interval: Duration,
    /// How long an element may take to answer one (default 5 s; the RFC gives none).
    pub keep_alive_timeout: Duration,
    /// MAX-BAD-PE-REPORT: an element is removed when more reports than this say that it is
    /// unreachable (default 3, reading B4).
    pub max_bad_pe_reports: u32,
    /// Whether keep-alives name their element, as RSPLIB's do (reading A13).
    pub name_element_in_keep_alive: bool,
    /// Elements in an answer to a user that does not say how many it wants (default 128).
    pub resolution_items: u32,
    /// Elements in an answer to a user that wants as many as possible (default 500).
    pub max_resolution_items: u32,
    /// Octets in one page of a downloaded handle table (default 1,400, as RSPLIB's).
    pub handle_table_octets: usize,
    /// T6-Serverannounce: between two announcements if nobody else announces (RFC default 1 s).
    pub announce_interval: Duration,
    /// Whether to announce at all: only where multicast is in use (RFC 5352 section 3.6).
    pub announce: bool,
    /// Whether to answer questions for counters.
    pub management: bool,
    /// The policies by which pools can select.
    pub policies: Policies,
    /// How much the handlespace may hold.
    pub limits: Limits,
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
            udp_port: 0,
            asap_port: ASAP_PORT,
            enrp_port: ENRP_PORT,
            keep_alive_interval: Duration::from_secs(5),
            keep_alive_timeout: Duration::from_secs(5),
            max_bad_pe_reports: 3,
            name_element_in_keep_alive: true,
            resolution_items: 128,
            max_resolution_items: 500,
            handle_table_octets: 1400,
            announce_interval: Duration::from_secs(1),
            announce: false,
            management: true,
            policies: Policies::default(),
            limits: Limits { pools: 10_000, elements_per_pool: 100_000, elements: 200_000 },
            padding: Padding::default(),
            seed,
        }
    }

    /// For a LAN: a dead element is out of the handlespace at the latest 425 ms after its last
    /// sign of life (an interval of at most 225 ms, then 200 ms without an answer).
    pub fn fast(id: Option<RegistrarId>, seed: u64) -> Self {
        Self {
            keep_alive_interval: Duration::from_millis(150),
            keep_alive_timeout: Duration::from_millis(200),
            ..Self::rfc(id, seed)
        }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The first key whose value cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let not_zero = [
            ("id", self.id != Some(RegistrarId::NONE)),
            ("asap-port", self.asap_port != 0),
            ("enrp-port", self.enrp_port != 0),
            ("resolution-items", self.resolution_items != 0),
            ("max-resolution-items", self.max_resolution_items != 0),
            ("max-pools", self.limits.pools != 0),
            ("max-elements-per-pool", self.limits.elements_per_pool != 0),
            ("max-elements", self.limits.elements != 0),
        ];
        for (key, holds) in not_zero {
            require(holds, key, "must not be zero")?;
        }
        let durations = [
            ("keep-alive-interval", self.keep_alive_interval),
            ("keep-alive-timeout", self.keep_alive_timeout),
            ("announce-interval", self.announce_interval),
        ];
        for (key, duration) in durations {
            require(duration >= Duration::from_millis(1), key, "must be at least 1 ms")?;
        }
        // Foreign peers tell the protocols apart by the ports.
        require(self.asap_port != self.enrp_port, "enrp-port", "must differ from asap-port")?;
        // A page must hold at least one element with several addresses and a short pool handle.
        let page = (512..=65_000).contains(&self.handle_table_octets);
        require(page, "handle-table-octets", "must be from 512 to 65000")
    }
}
