//! How to hunt for a registrar: those known from the start, and the timers.

use alloc::vec::Vec;
use core::time::Duration;

use crate::base::TransportAddress;
use crate::endpoint::config::ConfigError;

/// How to find a registrar at an address of type `A`: an element reaches it by SCTP only, with
/// [`SctpAddress`](crate::base::SctpAddress), a user by TCP, too (RFC 5352 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HuntConfig<A = TransportAddress> {
    /// Registrars that are known from the start; those that announce themselves are added.
    pub registrars: Vec<A>,
    /// T5-Serverhunt: how long one round waits for an answer (RFC default 10 s). It doubles from
    /// round to round.
    pub timeout: Duration,
    /// RETRAN-MAX: the longest that T5 grows (RFC default 60 s).
    pub timeout_max: Duration,
    /// The number of rounds before the hunt is given up; `None`: it is never given up.
    pub rounds: Option<u32>,
    /// T7-ENRPoutdate: for how long after an announcement a registrar is known (RFC default 5 s).
    pub outdate: Duration,
}

impl<A> HuntConfig<A> {
    /// The timers of the RFC, and any number of rounds.
    pub fn rfc(registrars: Vec<A>) -> Self {
        Self {
            registrars,
            timeout: Duration::from_secs(10),
            timeout_max: Duration::from_secs(60),
            rounds: None,
            outdate: Duration::from_secs(5),
        }
    }

    /// For a LAN: a round lasts 250 ms and grows to 2 s.
    pub fn fast(registrars: Vec<A>) -> Self {
        Self {
            timeout: Duration::from_millis(250),
            timeout_max: Duration::from_secs(2),
            ..Self::rfc(registrars)
        }
    }

    /// The same for registrars that may be reached by any carrier.
    pub(super) fn with_any_carrier(self) -> HuntConfig
    where
        A: Into<TransportAddress>,
    {
        let Self { registrars, timeout, timeout_max, rounds, outdate } = self;
        let registrars = registrars.into_iter().map(Into::into).collect();
        HuntConfig { registrars, timeout, timeout_max, rounds, outdate }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The first value that cannot work, with its key.
    pub fn check(&self) -> Result<(), ConfigError>
    where
        A: Clone + Into<TransportAddress>,
    {
        for registrar in &self.registrars {
            ConfigError::require(
                registrar.clone().into().is_complete(),
                "hunt.registrars",
                "every registrar needs an address, an SCTP port and a UDP port, or a TCP port",
            )?;
        }
        ConfigError::require(!self.timeout.is_zero(), "hunt.timeout", "must be longer than zero")?;
        ConfigError::require(
            self.timeout_max >= self.timeout,
            "hunt.timeout_max",
            "must not be below hunt.timeout",
        )?;
        ConfigError::require(
            self.rounds != Some(0),
            "hunt.rounds",
            "must be at least 1; leave it out to hunt for ever",
        )?;
        ConfigError::require(!self.outdate.is_zero(), "hunt.outdate", "must be longer than zero")
    }
}
