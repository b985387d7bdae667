//! The associations of an element, with users and with registrars. Some of them are sessions: the
//! application knows an association once its user has sent a message over it.

mod cards;
mod cookies;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::context::Context;
use super::interface::Notice;
use crate::base::{ASAP_PORT, AssociationId, Deadlines, Instant, ProtocolId, TransportAddress};
use crate::endpoint::{AbortCause, Action, DownReason, MAX_MESSAGE, Refusal};

/// The associations that may be open besides the permitted number of sessions, because registrars open some to
/// send keep-alives.
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
    /// The number of links that may become sessions, because a user seems to have opened them. Each has a place
    /// among the permitted sessions already: a user that gets none is told so before it sends anything.
    newcomers: usize,
    /// The requests of all sessions that are in work.
    open_requests: usize,
    /// The newest cookies of sessions whose queue is full: one each.
    unsent_cookies: BTreeMap<AssociationId, Bytes>,
    /// The sessions whose users get the card when their queue is free.
    due_cards: BTreeSet<AssociationId>,
    /// The sessions that are closed when their last cookie has come, or then.
    last_cookies: Deadlines<AssociationId>,
    /// Until when the links are closed, once that has begun.
    closing: Option<Instant>,
}

#[derive(Debug)]
struct Link {
    peer: TransportAddress,
    kind: Kind,
    queue: Queue,
    cookie: Cookie,
    /// Messages received that the application has not answered. There are not more than this can count, unless
    /// it never answers any.
    open_requests: u32,
    /// It is being closed: nothing is sent over it any more.
    closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// We have opened it, to a registrar.
    Opened,
    /// The peer has opened it, seems to be a user, and has sent no application message yet.
    Newcomer,
    /// The peer has opened it and seems to be a registrar: it takes no place of a session.
    Registrar,
    /// The peer has opened it and sent what only a user sends.
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

/// What the user has of the state of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cookie {
    /// No cookie of ours.
    None,
    /// The application has sent a cookie, and nothing was said since.
    Current,
    /// Something was said since the last cookie.
    Outdated,
}

/// What a message means for the link over which it has come from a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entered {
    /// It has opened the session.
    Now,
    /// The session was open.
    Before,
}

/// What has happened to a message of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Taken {
    /// It was passed to the application, or counted.
    Yes,
    /// It came from what seemed to be a registrar, and there is no place for a session: the link is gone.
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

    pub(super) const fn open_requests(&self) -> usize {
        self.open_requests
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

    /// A peer has opened an association. False if there is no room for it: it is aborted. Registrars have room
    /// in an element that is full, so that it is not taken for dead: those that are known, and whoever comes
    /// from the port of ASAP.
    pub(super) fn accept(
        &mut self,
        context: &mut Context,
        association: AssociationId,
        peer: TransportAddress,
        is_known_registrar: bool,
    ) -> bool {
        let max_sessions = context.config.max_sessions;
        let seems_registrar = matches!(&peer, TransportAddress::Sctp(sctp) if sctp.port == ASAP_PORT);
        let is_user = !is_known_registrar && !seems_registrar;
        let full = match is_user {
            true => self.places() >= max_sessions,
            false => self.links.len() >= max_sessions.saturating_add(RESERVE),
        };
        if full {
            refuse(context, association);
            return false;
        }
        self.newcomers += usize::from(is_user);
        self.insert(association, peer, if is_user { Kind::Newcomer } else { Kind::Registrar });
        if is_known_registrar {
            self.registrars.insert(association);
        }
        true
    }

    /// The places of sessions that are taken.
    pub(super) const fn places(&self) -> usize {
        self.sessions + self.newcomers
    }

    fn insert(&mut self, association: AssociationId, peer: TransportAddress, kind: Kind) {
        self.links.insert(
            association,
            Link { peer, kind, queue: Queue::Free, cookie: Cookie::None, open_requests: 0, closing: false },
        );
    }

    /// The other end of a link is a registrar.
    pub(super) fn mark_registrar(&mut self, association: AssociationId) {
        debug_assert!(self.contains(association), "only what is up is a link");
        self.registrars.insert(association);
        if let Some(link) = self.links.get_mut(&association)
            && link.kind == Kind::Newcomer
        {
            link.kind = Kind::Registrar;
            self.newcomers -= 1;
        }
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

    /// What only a user sends has come: the first message opens a session. The error says what has become of a message
    /// that is not one of a session.
    fn enter(&mut self, context: &mut Context, association: AssociationId) -> Result<Entered, Taken> {
        let places = self.places();
        let Some(link) = self.links.get_mut(&association) else { return Err(Taken::Yes) };
        if self.closing.is_some() {
            // Its user takes it to another element when the association ends. It must not be done twice.
            context.counters.messages_dropped += 1;
            return Err(Taken::Yes);
        }
        match link.kind {
            Kind::Opened => {
                context.counters.unexpected += 1;
                Err(Taken::Yes)
            }
            Kind::Registrar if places >= context.config.max_sessions => {
                self.links.remove(&association);
                self.registrars.remove(&association);
                refuse(context, association);
                Err(Taken::LinkGone)
            }
            Kind::Newcomer | Kind::Registrar => {
                self.newcomers -= usize::from(link.kind == Kind::Newcomer);
                link.kind = Kind::Session;
                self.sessions += 1;
                context.counters.sessions_opened += 1;
                let peer = link.peer.clone();
                context.outbox.tell(Notice::SessionOpened { session: association, peer });
                // ASAP-3.9-01: it comes when communication begins.
                cards::send(context, association);
                Ok(Entered::Now)
            }
            Kind::Session => Ok(Entered::Before),
        }
    }

    /// An application message has come.
    pub(super) fn handle_message(
        &mut self,
        context: &mut Context,
        association: AssociationId,
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    ) -> Taken {
        if let Err(taken) = self.enter(context, association) {
            return taken;
        }
        let Some(link) = self.links.get_mut(&association) else { return Taken::Yes };
        link.cookie.outdate();
        if protocol != ProtocolId::PIECE
            && let Some(more) = link.open_requests.checked_add(1)
        {
            link.open_requests = more;
            self.open_requests += 1;
        }
        context.counters.messages_received += 1;
        context.outbox.tell(Notice::Received { session: association, protocol, stream, bytes });
        Taken::Yes
    }

    /// Sends an application message.
    pub(super) fn send(
        &mut self,
        now: Instant,
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
        let link = session_mut(&mut self.links, session).ok_or(Refusal::UnknownSession)?;
        if link.queue != Queue::Free {
            link.queue = Queue::Awaited;
            return Err(Refusal::Congested);
        }
        link.cookie.outdate();
        // A piece answers nothing: the last one does.
        let whole = protocol != ProtocolId::PIECE;
        if whole && link.open_requests > 0 {
            link.open_requests -= 1;
            self.open_requests -= 1;
        }
        context.counters.messages_sent += 1;
        context.outbox.act(Action::Send { association: session, protocol, stream, bytes });
        if whole {
            self.close_if_done(now, context, session);
        }
        Ok(())
    }

    /// Closes a session, after what is queued has been delivered.
    pub(super) fn close(
        &mut self,
        now: Instant,
        context: &mut Context,
        session: AssociationId,
    ) -> Result<(), Refusal> {
        session_mut(&mut self.links, session).ok_or(Refusal::UnknownSession)?;
        self.shut_down(context, session, now + CLOSE_TIMEOUT);
        Ok(())
    }

    /// Closes the link to a registrar that is no longer the home.
    pub(super) fn close_registrar(
        &mut self,
        now: Instant,
        context: &mut Context,
        association: AssociationId,
    ) {
        let link = self.links.get(&association).filter(|link| link.kind != Kind::Session && !link.closing);
        if link.is_some() {
            self.shut_down(context, association, now + CLOSE_TIMEOUT);
        }
    }

    pub(super) fn handle_congested(&mut self, association: AssociationId) {
        if let Some(link) = self.links.get_mut(&association)
            && link.queue == Queue::Free
        {
            link.queue = Queue::Full;
        }
    }

    pub(super) fn handle_drained(&mut self, context: &mut Context, association: AssociationId) {
        self.send_due_card(context, association);
        self.send_waiting_cookie(context, association);
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
        self.unsent_cookies.remove(&association);
        self.due_cards.remove(&association);
        self.last_cookies.clear(&association);
        self.open_requests -= link.open_requests as usize;
        match link.kind {
            Kind::Opened | Kind::Registrar => {}
            Kind::Newcomer => self.newcomers -= 1,
            Kind::Session => {
                self.sessions -= 1;
                context.counters.sessions_closed += 1;
                context.outbox.tell(Notice::SessionClosed { session: association, reason });
            }
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

    /// Closes every link, after what is queued has been delivered: a session when no request is in work any
    /// more, and its user has the last state of it.
    pub(super) fn close_all(&mut self, now: Instant, context: &mut Context, deadline: Instant) {
        self.closing = Some(deadline);
        let all: Vec<_> = self.links.keys().copied().collect();
        for association in all {
            self.close_if_done(now, context, association);
        }
    }

    /// If every link is being closed: closes one over which nothing is owed, neither an answer nor a cookie.
    fn close_if_done(&mut self, now: Instant, context: &mut Context, association: AssociationId) {
        let Some(deadline) = self.closing else { return };
        let Some(link) = self.links.get(&association) else { return };
        if link.closing || link.open_requests > 0 {
            return;
        }
        if link.cookie == Cookie::Outdated {
            return self.want_last_cookie(now, context, association, deadline);
        }
        self.shut_down(context, association, deadline);
    }

    /// Closes one link, after what is queued has been delivered.
    fn shut_down(&mut self, context: &mut Context, association: AssociationId, deadline: Instant) {
        self.send_waiting_cookie(context, association);
        self.last_cookies.clear(&association);
        if let Some(link) = self.links.get_mut(&association) {
            link.closing = true;
            context.outbox.act(Action::Shutdown { association, deadline });
        }
    }

    /// Ends every link at once.
    pub(super) fn abort_all(&mut self, context: &mut Context) {
        while let Some(association) = self.links.keys().next().copied() {
            self.abort(context, association);
        }
        debug_assert!(self.places() == 0 && self.open_requests == 0, "both are of links");
        debug_assert!(self.registrars.is_empty(), "only what is up is a link");
        debug_assert!(self.unsent_cookies.is_empty() && self.last_cookies.is_empty(), "both are of links");
    }
}

impl Cookie {
    /// Something is said in the session.
    const fn outdate(&mut self) {
        if matches!(self, Self::Current) {
            *self = Self::Outdated;
        }
    }
}

/// A session that is open for messages to its user.
fn session_mut(links: &mut BTreeMap<AssociationId, Link>, session: AssociationId) -> Option<&mut Link> {
    links.get_mut(&session).filter(|link| link.kind == Kind::Session && !link.closing)
}

/// Aborts an association for which there is no room. The peer is told that: who is busy is not dead.
pub(super) fn refuse(context: &mut Context, association: AssociationId) {
    context.counters.associations_refused += 1;
    context.outbox.act(Action::Abort { association, cause: AbortCause::OutOfResource });
}
