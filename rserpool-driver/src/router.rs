//! Hands the events of an element to the handles of its sessions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_channel::{Receiver, Sender, bounded, unbounded};
use bytes::Bytes;
use rserpool_core::base::{AssociationId, TransportAddress};
use rserpool_core::element::{Element, Notice};

use crate::delivery::{EventQueue, Load, SessionEvents, session_queue};
use crate::role::Remark;

/// How many events wait that concern the element itself, and no session. Then the oldest is dropped.
const REST: usize = 64;

/// Where the events of an element go, once it accepts sessions. Whoever waits for an event, for his own or for a new
/// session, hands out those of all others; so events go on as long as anybody waits, and if nobody does, the element
/// counts as dead.
#[derive(Clone)]
pub(super) struct Router(Arc<Mutex<Option<Sessions>>>);

/// What the router has, until the element has ended.
struct Sessions {
    open: BTreeMap<AssociationId, Visit>,
    accepted: (Sender<Accepted>, Receiver<Accepted>),
    rest: (Sender<Notice>, Receiver<Notice>),
}

/// A session with a user.
struct Visit {
    queue: EventQueue<Element>,
    /// Until its first event has come, which says whether it has a state.
    new: Option<Accepted>,
}

/// A session that waits to be accepted.
pub(super) struct Accepted {
    pub(super) session: AssociationId,
    pub(super) peer: TransportAddress,
    /// The state that an element before has left in a cookie.
    pub(super) restored: Option<Bytes>,
    pub(super) events: SessionEvents<Element>,
}

impl Default for Router {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl Router {
    /// Sessions are accepted from now on. Returned is where they come.
    pub(super) fn accept(&self) -> Receiver<Accepted> {
        let mut sessions = self.sessions();
        let sessions = sessions.get_or_insert_with(|| Sessions {
            open: BTreeMap::new(),
            accepted: unbounded(),
            rest: bounded(REST),
        });
        sessions.accepted.1.clone()
    }

    /// Where the events come that are those of no session, if sessions are accepted.
    pub(super) fn rest(&self) -> Option<Receiver<Notice>> {
        self.sessions().as_ref().map(|sessions| sessions.rest.1.clone())
    }

    /// Takes an event and hands it to whom it concerns, as one step: if two threads did both apart, the later event could
    /// come first, and a cookie before its session. The event loop is told the remark.
    pub(super) fn hand_out(
        &self,
        take: impl FnOnce() -> Poll<Option<Notice>>,
        is_new: impl FnOnce(&Notice) -> bool,
    ) -> Poll<Option<Option<Remark>>> {
        let mut sessions = self.sessions();
        let handed = |event| sessions.as_mut().filter(|_| is_new(&event)).and_then(|s| s.route(event));
        take().map(|event| event.map(handed))
    }

    /// The element has ended.
    pub(super) fn end(&self) {
        if let Some(sessions) = &mut *self.sessions() {
            sessions.open.clear();
            sessions.accepted.0.close();
            sessions.rest.0.close();
        }
    }

    fn sessions(&self) -> MutexGuard<'_, Option<Sessions>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    fn route(&mut self, notice: Notice) -> Option<Remark> {
        let session = match &notice {
            Notice::SessionOpened { session, peer, .. } => {
                let (queue, events) = session_queue();
                let new = Accepted { session: *session, peer: peer.clone(), restored: None, events };
                self.open.insert(*session, Visit { queue, new: Some(new) });
                return None;
            }
            Notice::CookieEcho { session, .. }
            | Notice::CookieRefused { session, .. }
            | Notice::CookieWanted { session, .. }
            | Notice::PeerCard { session, .. }
            | Notice::Received { session, .. }
            | Notice::SessionClosed { session, .. } => *session,
            // Those who wait for room hear of it otherwise.
            Notice::Writable { .. } => return None,
            _ => {
                let _ = self.rest.0.force_send(notice);
                return None;
            }
        };
        let ended = matches!(notice, Notice::SessionClosed { .. });
        let visit = self.open.get_mut(&session)?;
        let mut event = Some(notice);
        if let Some(mut new) = visit.new.take() {
            if let Some(Notice::CookieEcho { cookie, .. }) = &event {
                new.restored = Some(cookie.clone());
                event = None;
            }
            // The channel has no bound: there are as many as the element has sessions.
            let _ = self.accepted.0.try_send(new);
        }
        let load = event.map(|event| visit.queue.add(event));
        if ended {
            self.open.remove(&session);
        }
        match load? {
            Load::Fine => None,
            Load::Full => Some(Remark::Hold(session)),
            Load::Abandoned => Some(Remark::Visitor(session)),
        }
    }
}
