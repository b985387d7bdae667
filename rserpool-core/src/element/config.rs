//! What a pool element is told before it starts.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::base::{ElementId, PoolHandle};
use crate::endpoint::hunt::HuntConfig;
use crate::wire::{Padding, Policy, RegistrationLife};

/// The configuration of a pool element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementConfig {
    /// The pool.
    pub handle: PoolHandle,
    /// The PE identifier; drawn from the seed if `None`.
    pub id: Option<ElementId>,
    /// The policy and its values.
    pub policy: Policy,
    /// The addresses to register.
    pub addresses: Vec<IpAddr>,
    /// The SCTP port on which users, and registrars, reach the element.
    pub port: u16,
    /// The UDP port of our socket, told in the encapsulation parameter; 0 sends no parameter.
    pub udp_port: u16,
    /// Whether users may send ASAP control messages (Transport Use 1) beside data.
    pub control: bool,
    /// Registration life (default 300 s).
    pub life: RegistrationLife,
    /// T2-registration (RFC default 30 s).
    pub registration_timeout: Duration,
    /// T3-deregistration (RFC default 30 s).
    pub deregistration_timeout: Duration,
    /// T4-reregistration; `None` derives it from the life: the smaller of 10 min and life - 20 s,
    /// half the life if that is at most 40 s (RFC 5352 section 7.1, `ambiguities` B8).
    pub reregistration_interval: Option<Duration>,
    /// MAX-REG-ATTEMPT (RFC default 2).
    pub max_registration_attempts: u32,
    /// How to find a registrar.
    pub hunt: HuntConfig,
    /// How messages are padded.
    pub padding: Padding,
    /// Associations with users at the same time; further ones are aborted. Bounds memory.
    pub max_sessions: usize,
    /// Seed of all random choices.
    pub seed: u64,
}

impl ElementConfig {
    /// The RFC's timers, for an element with data and control on SCTP `port`.
    pub fn rfc(
        handle: PoolHandle,
        addresses: Vec<IpAddr>,
        port: u16,
        udp_port: u16,
        hunt: HuntConfig,
        seed: u64,
    ) -> Self {
        Self {
            handle,
            id: None,
            policy: Policy::RoundRobin,
            addresses,
            port,
            udp_port,
            control: true,
            life: RegistrationLife(300),
            registration_timeout: Duration::from_secs(30),
            deregistration_timeout: Duration::from_secs(30),
            reregistration_interval: None,
            max_registration_attempts: 2,
            hunt,
            padding: Padding::default(),
            max_sessions: 10_000,
            seed,
        }
    }
}
