//! Character generator (RFC 864, over sessions): lines without end.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use rserpool_core::base::{AssociationId, Instant, ProtocolId};

use crate::service::{Service, ServiceAction, ServiceEvent};

/// The characters of a line, without its end (RFC 864).
const LINE: usize = 72;
/// The printable characters of ASCII, from the space on.
const PRINTABLE: usize = 95;
/// The lines of one message: it fits into one packet.
const LINES: usize = 16;

/// Sends lines of printable characters as fast as its user takes them.
///
/// There is never more than one message waiting for a user: the next one is made when there is room.
#[derive(Debug, Default)]
pub struct CharGen {
    /// With which character the next line of each session begins.
    next: BTreeMap<AssociationId, usize>,
    actions: VecDeque<ServiceAction>,
}

impl CharGen {
    /// The pool in which it is offered.
    pub const POOL: &str = "CharGenPool";

    fn send(&mut self, session: AssociationId) {
        let Some(first) = self.next.get_mut(&session) else { return };
        let mut text = Vec::with_capacity(LINES * (LINE + 2));
        for _ in 0..LINES {
            text.extend((*first..*first + LINE).map(|place| b' ' + (place % PRINTABLE) as u8));
            text.extend(b"\r\n");
            *first = (*first + 1) % PRINTABLE;
        }
        self.actions.push_back(ServiceAction::Send { session, protocol: ProtocolId(0), bytes: text.into() });
    }
}

impl Service for CharGen {
    fn handle_event(&mut self, _now: Instant, event: ServiceEvent) {
        match event {
            ServiceEvent::Opened { session } => {
                self.next.insert(session, 0);
                self.send(session);
            }
            ServiceEvent::Room { session } => self.send(session),
            ServiceEvent::Closed { session } => {
                self.next.remove(&session);
            }
            ServiceEvent::Restored { .. }
            | ServiceEvent::Received { .. }
            | ServiceEvent::CookieWanted { .. } => {}
        }
    }

    fn poll_action(&mut self) -> Option<ServiceAction> {
        self.actions.pop_front()
    }
}
