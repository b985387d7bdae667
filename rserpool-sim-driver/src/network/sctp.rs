//! The timers of SCTP, for modelled associations and real stacks alike.

use std::time::Duration;

use rserpool_transport::sctp::SctpConfig;

/// The timers of SCTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sctp {
    /// A peer that was silent for this long is asked for a sign of life.
    pub heartbeat: Duration,
    /// A peer that leaves that question, or data, unanswered for this long is given up.
    pub max_silence: Duration,
    /// The first wait for an acknowledgement; it doubles with each loss.
    pub rto_initial: Duration,
    /// The longest wait for an acknowledgement.
    pub rto_max: Duration,
}

impl Sctp {
    /// The fast preset of the SCTP stack.
    pub const FAST: Self = Self {
        heartbeat: Duration::from_millis(200),
        max_silence: Duration::from_millis(500),
        rto_initial: Duration::from_millis(100),
        rto_max: Duration::from_millis(250),
    };

    /// The timers of RFC 9260 section 16.
    pub const RFC: Self = Self {
        heartbeat: Duration::from_secs(30),
        max_silence: Duration::from_secs(363),
        rto_initial: Duration::from_secs(1),
        rto_max: Duration::from_secs(60),
    };

    /// The same timers where a user runs, which is less patient: see [`SctpConfig::fast_user`] and
    /// [`SctpConfig::rfc_user`]. Timers of one's own are left alone.
    #[must_use]
    pub const fn of_user(self) -> Self {
        let (heartbeat, max_silence) = match (self.heartbeat.as_millis(), self.max_silence.as_millis()) {
            (200, 500) => (self.heartbeat, Duration::from_millis(200)),
            (30_000, 363_000) => (Duration::from_secs(5), Duration::from_secs(10)),
            _ => (self.heartbeat, self.max_silence),
        };
        Self { heartbeat, max_silence, ..self }
    }

    /// The settings of a real stack with these timers.
    pub(crate) fn config(&self, seed: u64) -> SctpConfig {
        let fast = self.rto_initial == Self::FAST.rto_initial;
        let mut config = if fast { SctpConfig::fast(seed) } else { SctpConfig::rfc(seed) };
        config.heartbeat = self.heartbeat;
        config.max_silence = self.max_silence;
        config.rto_initial = self.rto_initial;
        config.rto_max = self.rto_max;
        config
    }
}
