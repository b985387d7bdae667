//! The rows of the table, by subject.

mod abort;
mod addresses;
mod cookies;
mod flood;
mod handshake;
mod loss;
mod messages;
mod restart;
mod scale;
mod shutdown;
mod silence;
mod unusual;

use super::bench::Outcome;
use super::setup::{Peer, Stage};

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
const STACKS: &[Peer] = &[Peer::Own, Peer::Usrsctp, Peer::Linux];
const CRAFTED: &[Peer] = &[Peer::Crafted];
const OWN: &[Peer] = &[Peer::Own];

const fn row(
    name: &'static str,
    question: &'static str,
    peers: &'static [Peer],
    run: fn(&Stage) -> Outcome,
) -> Row {
    Row { name, question, peers, alone: false, run }
}

/// All rows, in the order of the table.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    let subjects: [&[Row]; 12] = [
        handshake::ROWS,
        messages::ROWS,
        shutdown::ROWS,
        abort::ROWS,
        silence::ROWS,
        restart::ROWS,
        unusual::ROWS,
        addresses::ROWS,
        cookies::ROWS,
        flood::ROWS,
        scale::ROWS,
        loss::ROWS,
    ];
    subjects.into_iter().flatten()
}
