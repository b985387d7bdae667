//! The configuration of a pool user.

use alloc::vec::Vec;
use core::time::Duration;

use crate::endpoint::hunt::HuntConfig;
use crate::endpoint::{ConfigError, MAX_COOKIE};
use crate::policy::Policies;
use crate::wire::Padding;

/// Which elements of a business card (RFC 5352 section 3.9) a failover tries before others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CardUse {
    /// All that the card lists, where it says that they are. An element can send its users anywhere by that.
    #[default]
    Any,
    /// Those that a registrar has listed, too, where that says that they are.
    Listed,
}

/// The configuration of a pool user.
///
/// Start from a preset and set the fields that differ; later versions add fields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserConfig {
    /// How to find a registrar.
    pub hunt: HuntConfig,
    /// T1-ENRPrequest: how long a registrar may take to answer (RFC default 15 s).
    pub request_timeout: Duration,
    /// MAX-REQUEST-RETRANSMIT: how often a request to a registrar is repeated (RFC default 2).
    pub max_request_retransmits: u32,
    /// stale_cache_value: how long the answer of a registrar is used (default 30 s).
    pub cache_life: Duration,
    /// The most pools in the cache (default 256). Beyond that, the oldest is forgotten.
    pub max_cached_pools: usize,
    /// How long a supervised request may take in all, from when it is handed over until it is answered (default
    /// 60 s). Then it is given up. This says nothing about the element: whether that lives is known from the
    /// transport.
    pub answer_deadline: Duration,
    /// How often a supervised request is sent at most (default 5): once, and again whenever its element fails.
    /// Bounds what a request can do upon which elements fail.
    pub max_deliveries: u32,
    /// How long one element may take to accept a connection (default 5 s).
    pub connect_timeout: Duration,
    /// How long to wait for a connection before the next element is tried as well (default 1 s).
    pub connect_stagger: Duration,
    /// How long a failed element is not selected, unless there is no other one (default 10 s). An element that
    /// has served a session for so long has proved itself, even if it was asked nothing.
    pub exclusion: Duration,
    /// How long a session may take to open, unless its [`Open`](super::Open) says otherwise, and how long a
    /// resolution looks for a registrar (default 30 s).
    pub open_timeout: Duration,
    /// How long a session looks for another element before it ends (default 60 s). A failover is over when the element that was found has answered: if one accepts sessions and ends
    /// them, the time goes on.
    pub failover_deadline: Duration,
    /// The pause before a search that has found no element, or none that answers, begins again (default 250
    /// ms). It doubles each time, up to 8 times this, until an element answers.
    pub retry_interval: Duration,
    /// How many elements a session keeps connected beside the one that serves it, 0 or 1 (default 0). With 1 a failover
    /// costs no handshake; the element has one association more, over which nothing but HEARTBEATs go.
    pub standby: usize,
    /// The most sessions at the same time (default 1,000). Bounds memory.
    pub max_sessions: usize,
    /// The most octets of supervised requests that one session keeps (default 1 MiB). Bounds memory, and what
    /// a failover sends at once: that must fit into the data queue of the transport.
    pub max_unanswered_octets: usize,
    /// The longest cookie that a session keeps, in octets (default [`MAX_COOKIE`], all that a message can hold).
    /// Of a longer one nothing is kept. Bounds memory: each session keeps one.
    pub max_cookie_octets: usize,
    /// Which elements of a business card a failover tries (default [`CardUse::Any`]).
    pub cards: CardUse,
    /// The policies by which cached elements are selected.
    pub policies: Policies,
    /// How messages are padded.
    pub padding: Padding,
    /// Seed of all random choices.
    pub seed: u64,
}

impl UserConfig {
    /// The RFC's timers. No registrar is named yet: set [`hunt.registrars`](HuntConfig::registrars), or let
    /// the user hear announcements.
    pub fn rfc(seed: u64) -> Self {
        Self {
            hunt: HuntConfig::rfc(Vec::new()),
            request_timeout: Duration::from_secs(15),
            max_request_retransmits: 2,
            cache_life: Duration::from_secs(30),
            max_cached_pools: 256,
            answer_deadline: Duration::from_secs(60),
            max_deliveries: 5,
            connect_timeout: Duration::from_secs(5),
            connect_stagger: Duration::from_secs(1),
            exclusion: Duration::from_secs(10),
            // A round of the hunt and the answer to the first repetition of a question.
            open_timeout: Duration::from_secs(30),
            failover_deadline: Duration::from_secs(60),
            retry_interval: Duration::from_millis(250),
            standby: 0,
            max_sessions: 1_000,
            max_unanswered_octets: 1 << 20,
            max_cookie_octets: MAX_COOKIE,
            cards: CardUse::Any,
            policies: Policies::default(),
            padding: Padding::default(),
            seed,
        }
    }

    /// For a LAN: a failed element is noticed and replaced within 500 ms, if the transport has values for a LAN,
    /// too.
    pub fn fast(seed: u64) -> Self {
        Self {
            hunt: HuntConfig::fast(Vec::new()),
            // Somebody waits for it, and the hunt has had four rounds.
            open_timeout: Duration::from_secs(5),
            // A LAN answers in milliseconds; with two repetitions a request lasts 450 ms at most.
            request_timeout: Duration::from_millis(150),
            // Elements come and go faster than the RFC expects.
            cache_life: Duration::from_secs(5),
            // A second candidate has been tried well before the 500 ms are over.
            connect_stagger: Duration::from_millis(50),
            // Three candidates, staggered, have had their chance after 250 ms.
            connect_timeout: Duration::from_millis(150),
            // Longer than a registrar with fast timers needs to notice the failure itself.
            exclusion: Duration::from_secs(2),
            // A new or thawed element is found at once, or within 0.4 s after a long time without any.
            retry_interval: Duration::from_millis(50),
            ..Self::rfc(seed)
        }
    }

    /// For one rack: a failed element is replaced within milliseconds after it was noticed.
    pub fn rack(seed: u64) -> Self {
        Self {
            request_timeout: Duration::from_millis(100),
            // Several round trips: one candidate that is dead, too, costs no more.
            connect_stagger: Duration::from_millis(10),
            retry_interval: Duration::from_millis(10),
            ..Self::fast(seed)
        }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The first value that cannot work, with its key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let durations = [
            ("request_timeout", self.request_timeout),
            ("cache_life", self.cache_life),
            ("answer_deadline", self.answer_deadline),
            ("connect_timeout", self.connect_timeout),
            ("connect_stagger", self.connect_stagger),
            ("exclusion", self.exclusion),
            ("open_timeout", self.open_timeout),
            ("failover_deadline", self.failover_deadline),
            ("retry_interval", self.retry_interval),
        ];
        for (key, duration) in durations {
            ConfigError::require(!duration.is_zero(), key, "must be longer than zero")?;
        }
        ConfigError::require(self.max_deliveries != 0, "max_deliveries", "must be at least 1")?;
        ConfigError::require(self.max_cached_pools != 0, "max_cached_pools", "must be at least 1")?;
        ConfigError::require(self.max_sessions != 0, "max_sessions", "must be at least 1")?;
        ConfigError::require(self.max_unanswered_octets != 0, "max_unanswered_octets", "must be at least 1")?;
        ConfigError::require(self.standby <= 1, "standby", "must be 0 or 1")?;
        self.hunt.check()
    }
}
