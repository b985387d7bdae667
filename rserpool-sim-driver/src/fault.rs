//! What can be done to a world: faults, their repair, and what operators do.

use std::time::Duration;

use crate::id::HostId;
use crate::network::Cable;

/// Something that is done to a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies (SIGKILL).
    Kill(HostId),
    /// A process is started where none runs. An element keeps the identifier it had; a registrar
    /// has the configured one, or draws one.
    Start(HostId),
    /// The same, but the process draws a new identifier.
    StartAnew(HostId),
    /// The process is asked to stop within a time (SIGTERM).
    Stop(HostId, Duration),
    /// The process stands still (SIGSTOP).
    Pause(HostId),
    /// It goes on (SIGCONT).
    Thaw(HostId),
    /// The process takes this long for every input; zero makes it fast again.
    Slow(HostId, Duration),
    /// The host is cut off from all others.
    Unplug(HostId),
    /// It is connected again.
    Plug(HostId),
    /// Nothing gets from the first to the second.
    Block(HostId, HostId),
    /// It does again.
    Unblock(HostId, HostId),
    /// Nothing passes between two groups of hosts, in neither direction.
    Split(Vec<HostId>, Vec<HostId>),
    /// The end of [`Fault::Split`].
    Join(Vec<HostId>, Vec<HostId>),
    /// Updates of the handlespace from the first registrar do not reach the second, although all else does:
    /// as between implementations of which one has a fault. Modelled associations only.
    Lose(HostId, HostId),
    /// They do again.
    Keep(HostId, HostId),
    /// The host gets another address; its associations break.
    Move(HostId),
    /// Announcements do not reach the host any more.
    Deafen(HostId),
    /// They do again.
    Undeafen(HostId),
    /// All cables become like this one.
    Cables(Cable),
    /// The application on the host does something.
    Order(HostId, Order),
}

/// What an application does now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// An element registers anew.
    UpdatePolicy,
    /// An element leaves its pool, until it is started again.
    Deregister,
    /// A user moves its sessions to other elements.
    Failover,
    /// A user closes its sessions, and opens others later.
    Close,
    /// A user reports the elements of its sessions as unreachable.
    Report,
    /// A user forgets what it knows of its pool.
    Purge,
    /// An element names to its users the others of its pool that a registrar lists, in the opposite order (a business
    /// card).
    Card,
}

impl Fault {
    /// Nothing passes between two hosts, in neither direction.
    pub const fn partition(a: HostId, b: HostId) -> [Self; 2] {
        [Self::Block(a, b), Self::Block(b, a)]
    }

    /// The end of [`Fault::partition`].
    pub const fn heal(a: HostId, b: HostId) -> [Self; 2] {
        [Self::Unblock(a, b), Self::Unblock(b, a)]
    }
}
