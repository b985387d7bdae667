//! Modelled associations: how they come up, carry messages and break, as those of SCTP do.
//!
//! * A connection needs both directions; it is tried again until its deadline. Two hosts that
//!   connect to each other between the same ports get one association.
//! * A peer that is not heard for the configured silence is given up.
//! * A process that does not know an association, because it has restarted or has ended it,
//!   answers its packets with an ABORT; a new one between the same ports replaces it.
//! * A shutdown delivers first what is queued in both directions, and becomes an abort at its
//!   deadline.
//!
//! Flow control is not modelled, and neither are several addresses of one host. Therefore there is no
//! congestion.
//!
//! What happens later goes into the schedule; what a process is to be handed at once is returned.

mod association;
mod ending;
mod handshake;
mod silence;
mod transfer;

use std::collections::BTreeMap;
use std::net::IpAddr;

use rserpool_core::base::{AssociationId, Instant};
use rserpool_core::endpoint::Event;

use association::{Association, Sockets, State};

use crate::hosts::Hosts;
use crate::id::HostId;
use crate::network::{Network, Sctp};
use crate::schedule::{AssociationStep, Occurrence, Schedule, Side};

/// The rest of the world, as far as associations depend on it.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Instant,
    pub(crate) hosts: &'a mut Hosts,
    pub(crate) network: &'a mut Network,
    pub(crate) schedule: &'a mut Schedule,
}

impl Surroundings<'_> {
    /// Hands a process an event after what happens now.
    fn input_soon(&mut self, host: HostId, event: Event) {
        let life = self.hosts.get(host).life();
        self.schedule.add(self.now, Occurrence::Input { host, life, event });
    }
}

/// An event that a process is handed at once.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) host: HostId,
    pub(crate) event: Event,
    /// The association of which the opener learns now: [`Associations::established`] is due afterwards.
    pub(crate) established: Option<u64>,
}

/// One direction of an association, for a capture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Direction {
    /// The association.
    pub(crate) key: u64,
    /// The end that sends.
    pub(crate) side: Side,
    /// The address and port of the sender.
    pub(crate) from: (IpAddr, u16),
    /// The address and port of the receiver.
    pub(crate) to: (IpAddr, u16),
}

/// All modelled associations of a world.
#[derive(Debug)]
pub(crate) struct Associations {
    sctp: Sctp,
    open: BTreeMap<u64, Association>,
    last_key: u64,
    /// By the number of the host.
    sockets: Vec<Sockets>,
}

impl Associations {
    pub(crate) const fn new(sctp: Sctp) -> Self {
        Self { sctp, open: BTreeMap::new(), last_key: 0, sockets: Vec::new() }
    }

    /// Makes room for one more host.
    pub(crate) fn add_host(&mut self) {
        self.sockets.push(Sockets::default());
    }

    /// Something happens that was scheduled.
    pub(crate) fn happen(
        &mut self,
        around: &mut Surroundings<'_>,
        step: AssociationStep,
    ) -> Option<Delivery> {
        match step {
            AssociationStep::Handshake { host, life, request, step } => {
                return self.handshake(around, host, life, request, step);
            }
            AssociationStep::Arrive { key, side, item } => return self.arrive(around, key, side, item),
            AssociationStep::Abort { key, side, cause } => self.abort_arrives(around, key, side, cause),
            AssociationStep::Flush { key, side } => self.flush(around, key, side),
            AssociationStep::Silence { key, side } => self.silence(around, key, side),
            AssociationStep::GiveUp { key, side } => self.give_up(around, key, side),
            AssociationStep::Orphan { key, side, repeat } => self.orphan(around, key, side, repeat),
            AssociationStep::CloseDeadline { key, side } => self.close_deadline(around, key, side),
        }
        None
    }

    /// The associations that are open, in words; `None` if there are none.
    pub(crate) fn leftovers(&self) -> Option<String> {
        (!self.open.is_empty()).then(|| format!("{:?}", self.open))
    }

    /// The direction in which a process sends over an association, if it can send.
    pub(crate) fn direction(&self, host: HostId, association: AssociationId) -> Option<Direction> {
        let (key, side) = self.known(host, association)?;
        let open = self.open.get(&key)?;
        let (from, to) = (open.end(side), open.end(side.other()));
        (from.state == State::Up).then_some(Direction {
            key,
            side,
            from: (from.address, from.port.0),
            to: (to.address, to.port.0),
        })
    }

    fn known(&self, host: HostId, association: AssociationId) -> Option<(u64, Side)> {
        self.sockets[host.0].known.get(&association).copied()
    }

    /// Asserts that what the hosts know of an association is what it is.
    fn debug_check(&self, key: u64) {
        if !cfg!(debug_assertions) {
            return;
        }
        let Some(open) = self.open.get(&key) else { return };
        for side in Side::BOTH {
            let end = open.end(side);
            let sockets = &self.sockets[end.host.0];
            let known = sockets.known.get(&end.id) == Some(&(key, side));
            let expected = matches!(end.state, State::Up | State::Closing);
            debug_assert_eq!(known, expected, "{side:?} of {open:?}");
            debug_assert!(sockets.involved.contains(&key), "{side:?} of {open:?}");
        }
    }
}
