//! A row of the table: a question, and with which peers it makes sense.

use super::bench::Outcome;
use super::setup::Peer;
use super::stage::Stage;

/// One row: what has to hold with each of these peers.
#[derive(Debug)]
pub(super) struct Row {
    /// Its name in arguments.
    pub(super) name: &'static str,
    /// What is asked.
    pub(super) question: &'static str,
    /// With whom.
    pub(super) peers: &'static [Peer],
    /// Whether it measures the machine and wants it for itself.
    pub(super) alone: bool,
    /// The test.
    pub(super) run: fn(&Stage) -> Outcome,
}

/// The peers that are whole stacks.
pub(super) const STACKS: &[Peer] = &[Peer::Own, Peer::Usrsctp, Peer::Linux];
/// Packets by hand.
pub(super) const CRAFTED: &[Peer] = &[Peer::Crafted];
/// What needs a network of the kernel's.
pub(super) const LINUX: &[Peer] = &[Peer::Linux];
/// What needs virtual time.
pub(super) const OWN: &[Peer] = &[Peer::Own];

/// A row that shares the machine with others.
pub(super) const fn row(
    name: &'static str,
    question: &'static str,
    peers: &'static [Peer],
    run: fn(&Stage) -> Outcome,
) -> Row {
    Row { name, question, peers, alone: false, run }
}
