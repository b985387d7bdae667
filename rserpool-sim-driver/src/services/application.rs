//! What a user of a service does, session after session.

use std::fmt;

use rserpool_core::base::{Instant, PoolHandle};
use rserpool_core::user::{Notice, UserError};
use rserpool_services::Client;

/// What has just ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing: the user has started.
    Start,
    /// The session: its client has closed it.
    Session,
    /// The session, because no element could be found for it any more.
    Lost(UserError),
    /// The attempt to open a session.
    NotOpened(UserError),
}

/// What a user does: it has one session after the other with a pool.
pub trait Application: fmt::Debug {
    /// The client that it plays in each session.
    type Client: Client + fmt::Debug;

    /// When the next session is to be opened, and with which pool; `None` if never.
    fn next(&mut self, now: Instant, after: After) -> Option<(Instant, PoolHandle)>;

    /// A session opens now: its client.
    fn begin(&mut self, now: Instant) -> Self::Client;

    /// The client tells something. It may be told to do something else in return.
    fn report(&mut self, now: Instant, client: &mut Self::Client, report: <Self::Client as Client>::Report);

    /// The user tells something of itself or of a session, such as a failover.
    fn notice(&mut self, now: Instant, notice: &Notice) {
        let _ = (now, notice);
    }
}
