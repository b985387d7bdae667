//! The cookies of sessions: the state that the application leaves with its users, and that which users bring from
//! other elements (RFC 5352 section 3.8).

use core::time::Duration;

use bytes::Bytes;

use super::{Cookie, Entered, Links, Queue, Taken, session_mut};
use crate::base::{AssociationId, Instant};
use crate::element::context::Context;
use crate::element::interface::Notice;
use crate::endpoint::{MAX_COOKIE, Refusal};
use crate::wire::AsapMessage;

/// How long the application may take for the last cookie of a session before that is closed without. It is in the
/// same process, and has only to write down what it knows.
const LAST_COOKIE_WAIT: Duration = Duration::from_millis(500);

impl Links {
    /// A user has brought the cookie of another element. It opens the session. A cookie that comes later would
    /// replace state that has moved on, so it is not handed up.
    pub(in crate::element) fn handle_cookie_echo(
        &mut self,
        context: &mut Context,
        association: AssociationId,
        cookie: &Bytes,
    ) -> Taken {
        if !context.config.control {
            context.counters.unexpected += 1;
            return Taken::Yes;
        }
        match self.enter(context, association) {
            Ok(Entered::Now) => {}
            Ok(Entered::Before) => {
                context.counters.unexpected += 1;
                return Taken::Yes;
            }
            Err(taken) => return taken,
        }
        context.outbox.tell(match context.open_cookie(cookie) {
            Ok(cookie) => {
                context.counters.cookies_echoed += 1;
                Notice::CookieEcho { session: association, cookie }
            }
            Err(error) => {
                context.counters.cookies_refused += 1;
                Notice::CookieRefused { session: association, error }
            }
        });
        Taken::Yes
    }

    /// Leaves the state of a session with its user. While its queue is full, the newest cookie waits.
    pub(in crate::element) fn send_cookie(
        &mut self,
        now: Instant,
        context: &mut Context,
        session: AssociationId,
        cookie: Bytes,
    ) -> Result<(), Refusal> {
        let link = session_mut(&mut self.links, session).ok_or(Refusal::UnknownSession)?;
        if !context.config.control {
            return Err(Refusal::NoControlChannel);
        }
        let cookie = context.seal_cookie(cookie);
        if cookie.len() > MAX_COOKIE {
            return Err(Refusal::CookieLength);
        }
        link.cookie = Cookie::Current;
        let is_full = link.queue != Queue::Free;
        if self.unsent_cookies.insert(session, cookie).is_some() {
            context.counters.cookies_replaced += 1;
        }
        if !is_full {
            self.send_waiting_cookie(context, session);
        }
        self.close_if_done(now, context, session);
        Ok(())
    }

    /// Sends the cookie that waits, if there is one.
    pub(super) fn send_waiting_cookie(&mut self, context: &mut Context, association: AssociationId) {
        if let Some(cookie) = self.unsent_cookies.remove(&association)
            && context.send(association, &AsapMessage::Cookie { cookie })
        {
            context.counters.cookies_sent += 1;
        }
    }

    /// A session that is to be closed has moved on since its last cookie: the application is asked for another one.
    pub(super) fn want_last_cookie(
        &mut self,
        now: Instant,
        context: &mut Context,
        association: AssociationId,
        deadline: Instant,
    ) {
        if self.last_cookies.get(&association).is_none() {
            self.last_cookies.set(association, (now + LAST_COOKIE_WAIT).min(deadline));
            context.outbox.tell(Notice::CookieWanted { session: association });
        }
    }

    /// Closes the sessions whose last cookie has not come in time.
    pub(in crate::element) fn handle_timeout(&mut self, now: Instant, context: &mut Context) {
        let Some(deadline) = self.closing else { return };
        while let Some(association) = self.last_cookies.pop_due(now) {
            self.shut_down(context, association, deadline);
        }
    }

    pub(in crate::element) fn poll_timeout(&self) -> Option<Instant> {
        self.last_cookies.next()
    }
}
