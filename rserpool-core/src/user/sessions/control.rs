//! The control channel of sessions: what elements leave for those that replace them.

use bytes::Bytes;

use super::Sessions;
use crate::base::AssociationId;
use crate::user::context::Context;
use crate::user::interface::{Notice, SessionId};
use crate::wire::AsapMessage;

impl Sessions {
    /// An element has sent a cookie (ASAP-3.8-02: the newest is kept, per session).
    pub(in crate::user) fn handle_cookie(
        &mut self,
        context: &mut Context,
        association: AssociationId,
        cookie: &Bytes,
    ) {
        let session =
            self.associations.get(&association).and_then(|id| Some((*id, self.sessions.get_mut(id)?)));
        let Some((id, session)) = session.filter(|(_, session)| session.has_control_channel()) else {
            context.counters.unexpected += 1;
            return;
        };
        let Some(element) = session.element() else { return };
        session.answered();
        self.health.answers(session.handle(), element);
        if cookie.len() > context.config.max_cookie_octets {
            context.counters.cookies_too_long += 1;
            return;
        }
        session.handover_mut().keep_cookie(cookie);
        context.counters.cookies_received += 1;
        context.outbox.tell(Notice::CookieKept { session: id, element, octets: cookie.len() });
    }

    /// Hands what the elements before have left to the one that has taken over. It comes before any request
    /// (ASAP-3.8-03). True if there was a cookie to hand over.
    pub(super) fn hand_over(&self, context: &mut Context, id: SessionId) -> bool {
        let Some(session) = self.sessions.get(&id).filter(|session| session.has_control_channel()) else {
            return false;
        };
        let (Some(serving), Some(cookie)) = (session.serving(), session.handover().cookie()) else {
            return false;
        };
        let sent = context.send(serving.association, &AsapMessage::CookieEcho { cookie: cookie.clone() });
        debug_assert!(sent, "what one message has brought fits into another");
        context.counters.cookies_echoed += u64::from(sent);
        sent
    }
}
