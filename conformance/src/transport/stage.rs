//! The stage on which a row runs: a stack under test, and the world in which its peer lives.

use super::backend::Backend;
use super::bench::{Bench, Failure};
use super::emulated::Emulated;
use super::real::Real;
use super::setup::{Peer, Setup};

/// The cell of the table that is being run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    /// The stack under test.
    pub(super) backend: Backend,
    /// Who is at the other end.
    pub(super) peer: Peer,
}

impl Stage {
    /// The ends, ready for orders.
    ///
    /// # Errors
    ///
    /// A foreign peer cannot be started.
    pub(super) fn bench(&self, setup: Setup) -> Result<Bench, Failure> {
        Ok(Bench::new(match self.peer {
            Peer::Own | Peer::Crafted => Box::new(Emulated::new(self.backend, setup)),
            Peer::Usrsctp | Peer::Linux => Box::new(Real::new(self.backend, self.peer, setup)?),
        }))
    }
}
