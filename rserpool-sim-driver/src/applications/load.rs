//! What the application of a user does.

use std::time::Duration;

use rserpool_core::base::PoolHandle;
use rserpool_core::user::CallDelivery;

use super::Occasional;

/// What the application of a user does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The pool it uses.
    pub pool: PoolHandle,
    /// Sessions at the same time.
    pub sessions: usize,
    /// Between two requests of a session.
    pub interval: Duration,
    /// What becomes of its requests if their element fails, if they are calls; otherwise they are messages that are
    /// sent again.
    pub calls: Option<CallDelivery>,
    /// Octets of a request, at least 8.
    pub octets: usize,
    /// Requests that are larger.
    pub large: Option<Occasional<usize>>,
    /// One of so many requests is made for elements that close their session on it
    /// ([`Closing::Poison`](super::Closing::Poison)).
    pub poison: Option<u32>,
    /// How long the application takes for each answer; the next one waits meanwhile.
    pub consuming: Duration,
    /// Unanswered requests of a session at most; beyond that it waits.
    pub window: usize,
    /// After how long a session that has ended, or could not be opened, is opened anew.
    pub reopen: Duration,
    /// Between two questions for the pool, past the cache.
    pub resolve: Option<Duration>,
    /// Whether it watches the pool.
    pub watch: bool,
}

impl Load {
    /// One session with ten requests a second.
    pub fn light(pool: PoolHandle) -> Self {
        Self {
            pool,
            sessions: 1,
            interval: Duration::from_millis(100),
            calls: None,
            octets: 64,
            large: None,
            poison: None,
            consuming: Duration::ZERO,
            window: 16,
            reopen: Duration::from_millis(500),
            resolve: None,
            watch: false,
        }
    }
}
