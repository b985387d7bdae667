//! The associations of an element, with users and with registrars. Some of them are sessions: the
//! application knows an association once its user has sent a message over it.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use bytes::Bytes;

use super::context::Context;
use super::interface::Notice;
use crate::base::{AssociationId, Instant, ProtocolId, TransportAddress};
use crate::endpoint::{AbortCause, Action, DownReason, MAX_MESSAGE, Refusal};

/// The associations that may be open besides the permitted number of sessions: registrars open some to send
/// keep-alives, and every session begins as an association over which no message has come yet.
const RESERVE: usize = 64;

/// How long closing one session may take. What its user has not acknowledged by then is lost.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The associations that are up.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: BTreeMap<AssociationId, Link>,
    /// The links to registrars: the peer has sent a keep-alive, or its address is that of a known registrar.
    registrars: BTreeSet<AssociationId>,
    /// The number of links that are sessions.
    sessions: usize,
}

#[derive(Debug)]
struct Link {
    peer: TransportAddress,
    kind: Kind,
    queue: Queue,
    /// It is being closed: nothing is sent over it any more.
    closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// We have opened it, to a registrar.
    Opened,
    /// The peer has opened it and has sent no application message.
    Accepted,
    /// The peer has opened it and sent an application message.
    Session,
}

/// The queue of a link, as the transport has last reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    Free,
    Full,
    /// Full, and the application waits for [`Notice::Writable`] because a message was refused.
    Awaited,
}

/// What has happened to an application message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Taken {
    /// It was passed to the application, or counted as unexpected.
    Yes,
    /// It would have opened one session too many: the link is gone.
    LinkGone,
}

impl Links {
    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    #[cfg(test)]
    pub(super) fn registrars_are_linked(&self) -> bool {
        self.registrars.iter().all(|association| self.contains(*association))
    }

    pub(super) fn contains(&self, association: AssociationId) -> bool {
        self.links.contains_key(&association)
    }

    pub(super) const fn sessions(&self) -> usize {
        self.sessions
    }

    /// Where the other end of a link is.
    pub(super) fn peer(&self, association: AssociationId) -> Option<&TransportAddress> {
        self.links.get(&association).map(|link| &link.peer)
    }

    /// We have opened an association to a registrar.
    pub(super) fn opened(&mut self, association: AssociationId, peer: TransportAddress) {
        self.insert(association, peer, Kind::Opened);
        self.registrars.insert(association);
    }

    /// A peer has opened an association. False if there are too many already: it is aborted.
    pub(super) fn accept(
        &mut self,
        context: &mut Context,
        association: AssociationId,
        peer: TransportAddress,
    ) -> bool {
        if self.links.len() >= context.config.max_sessions.saturating_add(RESERVE) {
            refuse(context, association);
            return false;
        }
        self.insert(association, peer, Kind::Accepted);
        true
    }

    fn insert(&mut self, association: AssociationId, peer: TransportAddress, kind: Kind) {
        self.links.insert(association, Link { peer, kind, queue: Queue::Free, closing: false });
    }

    /// The other end of a link is a registrar.
    pub(super) fn mark_registrar(&mut self, association: AssociationId) {
        debug_assert!(self.contains(association), "only what is up is a link");
        self.registrars.insert(association);
    }

    /// The first link to a registrar that `pick` knows by its address and chooses.
    pub(super) fn find_registrar(
        &self,
        mut pick: impl FnMut(&TransportAddress) -> Option<TransportAddress>,
    ) -> Option<(AssociationId, TransportAddress)> {
        self.registrars.iter().find_map(|association| {
            let link = self.links.get(association).filter(|link| !link.closing)?;
            Some((*association, pick(&link.peer)?))
        })
    }

    /// An application message has come; the first one opens a session.
    pub(super) fn handle_message(
        &mut self,
        context: &mut Context,
        association: AssociationId,
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    ) -> Taken {
        let Some(link) = self.links.get_mut(&association) else { return Taken::Yes };
        match link.kind {
            Kind::Opened => {
                context.counters.unexpected += 1;
                return Taken::Yes;
            }
            Kind::Accepted if self.sessions >= context.config.max_sessions => {
                self.links.remove(&association);
                self.registrars.remove(&association);
                refuse(context, association);
                return Taken::LinkGone;
            }
            Kind::Accepted => {
                link.kind = Kind::Session;
                self.sessions += 1;
                context.counters.sessions_opened += 1;
                let peer = link.peer.clone();
                context.outbox.tell(Notice::SessionOpened { session: association, peer });
            }
            Kind::Session => {}
        }
        context.counters.messages_received += 1;
        context.outbox.tell(Notice::Received { session: association, protocol, stream, bytes });
        Taken::Yes
    }

    /// Sends an application message.
    pub(super) fn send(
        &mut self,
        context: &mut Context,
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
        let link = self.session_mut(session).ok_or(Refusal::UnknownSession)?;
        if link.queue != Queue::Free {
            link.queue = Queue::Awaited;
            return Err(Refusal::Congested);
        }
        context.counters.messages_sent += 1;
        context.outbox.act(Action::Send { association: session, protocol, stream, bytes });
        Ok(())
    }

    /// Closes a session, after what is queued has been delivered.
    pub(super) fn close(
        &mut self,
        now: Instant,
        context: &mut Context,
        session: AssociationId,
    ) -> Result<(), Refusal> {
        self.session_mut(session).ok_or(Refusal::UnknownSession)?.closing = true;
        context.outbox.act(Action::Shutdown { association: session, deadline: now + CLOSE_TIMEOUT });
        Ok(())
    }

    pub(super) fn handle_congested(&mut self, association: AssociationId) {
        if let Some(link) = self.links.get_mut(&association)
            && link.queue == Queue::Free
        {
            link.queue = Queue::Full;
        }
    }

    pub(super) fn handle_drained(&mut self, context: &mut Context, association: AssociationId) {
        let Some(link) = self.links.get_mut(&association) else { return };
        let before = core::mem::replace(&mut link.queue, Queue::Free);
        if before == Queue::Awaited && !link.closing {
            debug_assert_eq!(link.kind, Kind::Session, "only the application waits");
            context.outbox.tell(Notice::Writable { session: association });
        }
    }

    /// A link has ended. False if there was none.
    pub(super) fn remove(
        &mut self,
        context: &mut Context,
        association: AssociationId,
        reason: DownReason,
    ) -> bool {
        let Some(link) = self.links.remove(&association) else { return false };
        self.registrars.remove(&association);
        if link.kind == Kind::Session {
            debug_assert!(self.sessions > 0, "each session was counted");
            self.sessions = self.sessions.saturating_sub(1);
            context.counters.sessions_closed += 1;
            context.outbox.tell(Notice::SessionClosed { session: association, reason });
        }
        true
    }

    /// Ends a link at once.
    pub(super) fn abort(&mut self, context: &mut Context, association: AssociationId) {
        if self.contains(association) {
            context.outbox.act(Action::Abort { association, cause: AbortCause::User });
            self.remove(context, association, DownReason::Local);
        }
    }

    /// Closes every link, after what is queued has been delivered.
    pub(super) fn close_all(&mut self, context: &mut Context, deadline: Instant) {
        for (association, link) in &mut self.links {
            if !core::mem::replace(&mut link.closing, true) {
                context.outbox.act(Action::Shutdown { association: *association, deadline });
            }
        }
    }

    /// Ends every link at once.
    pub(super) fn abort_all(&mut self, context: &mut Context) {
        while let Some(association) = self.links.keys().next().copied() {
            self.abort(context, association);
        }
        debug_assert!(self.sessions == 0 && self.registrars.is_empty(), "both count links");
    }

    fn session_mut(&mut self, session: AssociationId) -> Option<&mut Link> {
        self.links.get_mut(&session).filter(|link| link.kind == Kind::Session && !link.closing)
    }
}

/// Aborts an association that is not wanted.
pub(super) fn refuse(context: &mut Context, association: AssociationId) {
    context.counters.associations_refused += 1;
    context.outbox.act(Action::Abort { association, cause: AbortCause::User });
}
