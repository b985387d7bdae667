//! The calls of an element that travel in pieces: those that arrive, and the answers to send.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ProtocolId};
use rserpool_core::element::Notice;
use rserpool_core::endpoint::pieces::{Allowance, Arrived, Assembly};

use crate::accept::with_message;
use crate::line::Line;

/// What an element has of long calls, for all its sessions.
#[derive(Debug, Default)]
pub(super) struct LongCalls {
    /// What arrives in sessions that have no handle.
    arriving: Mutex<BTreeMap<AssociationId, Assembly>>,
    /// Those who send a long answer: one at a time in each session.
    lines: Mutex<BTreeMap<AssociationId, Arc<Line>>>,
    last: AtomicU32,
}

/// What an event is, as far as pieces are concerned.
pub(super) enum Taken {
    /// No piece of a call.
    Event(Notice),
    /// The last piece of a call: this is the call.
    Whole(Notice),
    /// A piece of a call.
    Piece,
    /// There is no room for it in all sessions together.
    NoRoom(AssociationId),
}

impl LongCalls {
    /// An event of a session without a handle.
    pub(super) fn take(&self, event: Notice, allowance: &Allowance) -> Taken {
        let mut arriving = self.arriving.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, protocol, bytes) = match &event {
            Notice::Received { session, protocol, bytes, .. }
                if matches!(*protocol, ProtocolId::PIECE | ProtocolId::LAST_PIECE)
                    && bytes.starts_with(&ProtocolId::CALL.0.to_be_bytes()) =>
            {
                (*session, *protocol, bytes.clone())
            }
            Notice::SessionClosed { session, .. } => {
                arriving.remove(session);
                return Taken::Event(event);
            }
            _ => return Taken::Event(event),
        };
        let assembly = arriving.entry(session).or_insert_with(|| Assembly::new(allowance.clone()));
        let arrived = assembly.add(protocol, bytes);
        if arrived != Arrived::Piece {
            arriving.remove(&session);
        }
        match arrived {
            Arrived::Whole(protocol, bytes) => Taken::Whole(with_message(event, protocol, bytes)),
            Arrived::Message(..) | Arrived::Piece | Arrived::Misfit => Taken::Piece,
            Arrived::NoRoom => Taken::NoRoom(session),
        }
    }

    /// The line of those who send a long answer in this session.
    pub(super) fn line(&self, session: AssociationId) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Those in which nobody waits are of no use any more.
        lines.retain(|_, line| Arc::strong_count(line) > 1);
        Arc::clone(lines.entry(session).or_default())
    }

    /// A number for the next long answer.
    pub(super) fn next_number(&self) -> u32 {
        self.last.fetch_add(1, Ordering::Relaxed)
    }
}

/// Whether a message has to travel in pieces.
pub(super) const fn is_long(message: &Bytes) -> bool {
    message.len() > rserpool_core::endpoint::MAX_MESSAGE
}
