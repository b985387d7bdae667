//! Sessions with users: application messages pass through, within bounds.

use core::time::Duration;

use bytes::Bytes;

use super::{Element, Phase};
use super::{Notice, Refusal};
use crate::base::{AssociationId, Instant, ProtocolId, TransportAddress};
use crate::endpoint::{AbortCause, Action, DownReason, MAX_MESSAGE};

/// How many associations may be open beside the permitted number of sessions: registrars open some
/// to send keep-alives. Every session begins as an association that has not said anything yet.
const RESERVE: usize = 64;

/// How long closing one session may take; what a user has not acknowledged by then is lost to it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// An association with a user or a registrar.
#[derive(Debug)]
pub(super) struct Association {
    pub(super) peer: TransportAddress,
    /// We opened it, so a registrar is at the other end.
    outbound: bool,
    /// The application knows it as a session.
    session: bool,
    congested: bool,
    /// A message was refused, and the application waits for [`Notice::Writable`].
    refused: bool,
    pub(super) closing: bool,
}

impl Association {
    pub(super) const fn outbound(peer: TransportAddress) -> Self {
        Self { peer, outbound: true, session: false, congested: false, refused: false, closing: false }
    }
}

impl Element {
    /// Somebody has opened an association.
    pub(super) fn accept(&mut self, now: Instant, association: AssociationId, peer: TransportAddress) {
        let limit = self.config.max_sessions.saturating_add(RESERVE);
        if self.phase != Phase::Running || self.associations.len() >= limit {
            self.refuse(association);
            return;
        }
        let known_registrar = self.hunt.registrar_at(now, &peer).is_some();
        self.associations.insert(association, Association { outbound: false, ..Association::outbound(peer) });
        if known_registrar {
            self.registrars.insert(association);
            self.end_hunt_if_connected(now);
        }
    }

    pub(super) fn application_message(
        &mut self,
        now: Instant,
        association: AssociationId,
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    ) {
        let Some(open) = self.associations.get_mut(&association) else { return };
        if open.outbound {
            self.counters.unexpected += 1;
            return;
        }
        if !open.session {
            if self.sessions >= self.config.max_sessions {
                self.refuse(association);
                self.disconnected(now, association, DownReason::Local);
                return;
            }
            open.session = true;
            self.sessions += 1;
            self.counters.sessions_opened += 1;
            self.out.tell(Notice::SessionOpened { session: association, peer: open.peer.clone() });
        }
        self.counters.messages_received += 1;
        self.out.tell(Notice::Received { session: association, protocol, stream, bytes });
    }

    pub(super) fn send(
        &mut self,
        session: AssociationId,
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    ) -> Result<(), Refusal> {
        if matches!(protocol, ProtocolId::ASAP | ProtocolId::ENRP) {
            return Err(Refusal::ReservedProtocol);
        }
        if !(1..=MAX_MESSAGE).contains(&bytes.len()) {
            return Err(Refusal::Length);
        }
        let closing = matches!(self.phase, Phase::Closing { .. } | Phase::Stopped);
        let open = self.session_mut(session).ok_or(match closing {
            true => Refusal::ShuttingDown,
            false => Refusal::UnknownSession,
        })?;
        if open.congested {
            open.refused = true;
            return Err(Refusal::Congested);
        }
        self.counters.messages_sent += 1;
        self.out.act(Action::Send { association: session, protocol, stream, bytes });
        Ok(())
    }

    pub(super) fn close(&mut self, now: Instant, session: AssociationId) -> Result<(), Refusal> {
        self.session_mut(session).ok_or(Refusal::UnknownSession)?.closing = true;
        self.out.act(Action::Shutdown { association: session, deadline: now + CLOSE_TIMEOUT });
        Ok(())
    }

    pub(super) fn congested(&mut self, association: AssociationId) {
        if let Some(open) = self.associations.get_mut(&association) {
            open.congested = true;
        }
    }

    pub(super) fn drained(&mut self, association: AssociationId) {
        let Some(open) = self.associations.get_mut(&association) else { return };
        open.congested = false;
        if core::mem::take(&mut open.refused) && !open.closing {
            self.out.tell(Notice::Writable { session: association });
        }
    }

    pub(super) fn session_ended(&mut self, session: AssociationId, ended: &Association, reason: DownReason) {
        if ended.session {
            self.sessions = self.sessions.saturating_sub(1);
            self.counters.sessions_closed += 1;
            self.out.tell(Notice::SessionClosed { session, reason });
        }
    }

    fn session_mut(&mut self, session: AssociationId) -> Option<&mut Association> {
        self.associations.get_mut(&session).filter(|open| open.session && !open.closing)
    }

    fn refuse(&mut self, association: AssociationId) {
        self.counters.associations_refused += 1;
        self.out.act(Action::Abort { association, cause: AbortCause::User });
    }
}
