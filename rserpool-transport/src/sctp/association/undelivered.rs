//! What the network says of an association's packets.

use rserpool_core::endpoint::DownReason;

use super::shutdown::Phase;
use super::{Association, End};
use crate::Obstacle;
use crate::sctp::chunk;
use crate::sctp::doubt::Finding;
use crate::sctp::engine::Engine;
use crate::sctp::shared::Core;

impl<E: Engine> Association<E> {
    /// The network has returned a packet to one of the peer's addresses, with a HEARTBEAT of this secret if it had one.
    ///
    /// A HEARTBEAT checks what is said. If nobody listens where that has arrived, the address is given up, and with the
    /// last one the association: a process that has started anew since then knows nothing of it anyway. That a host
    /// cannot be reached is reason enough to use another of its addresses, and none to end anything: routes come back.
    pub(in crate::sctp) fn undelivered(
        &mut self,
        core: &mut Core,
        index: usize,
        obstacle: Obstacle,
        secret: Option<u64>,
    ) -> Result<(), End> {
        let closed = match obstacle {
            Obstacle::TooBig { mtu } => {
                self.mtu.too_big(self.destinations.remote(index).ip(), mtu, core.now);
                return Ok(());
            }
            Obstacle::PortClosed => true,
            Obstacle::NoRoute => false,
        };
        // Both sides have everything. Nobody is there any more to say the last word.
        if closed && matches!(self.phase, Phase::Acknowledged(..)) {
            return Err(self.end(DownReason::PeerShutdown, None));
        }
        if self.doubt(core, index, secret) != Finding::Confirmed {
            return Ok(());
        }
        if self.destinations.give_up(index, core.now, &core.config) {
            // Who is gone from one address may be gone from all.
            for other in self.destinations.alive() {
                self.doubt(core, other, None);
            }
        } else if closed {
            return Err(self.end(DownReason::Unreachable, None));
        }
        Ok(())
    }

    /// Somebody says that an address cannot be reached. It is asked, unless it is known to have failed.
    fn doubt(&mut self, core: &mut Core, index: usize, secret: Option<u64>) -> Finding {
        let finding = self.destinations.doubt(index, secret, core.now, &mut core.random);
        if let Finding::Ask(secret) = finding {
            self.emit(core, self.destinations.remote(index), &[chunk::heartbeat(secret)]);
            self.liveness.asked(core.now);
        }
        finding
    }
}
