//! The control channel of sessions: what elements leave for those that replace them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Sessions, Turn};
use crate::base::{AssociationId, ElementId, PoolHandle, ProtocolId};
use crate::endpoint::Refusal;
use crate::endpoint::control::card;
use crate::user::config::CardUse;
use crate::user::context::Context;
use crate::user::interface::{Card, Notice, SessionId};
use crate::user::resolution::Waiter;
use crate::user::search::Attempt;
use crate::user::session::Session;
use crate::wire::{AsapMessage, PoolElement};

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

    /// An element has sent a business card (ASAP-3.9-04: the newest counts).
    pub(in crate::user) fn handle_card(
        &mut self,
        turn: &mut Turn<'_>,
        association: AssociationId,
        handle: PoolHandle,
        elements: Vec<PoolElement>,
    ) {
        let session =
            self.associations.get(&association).and_then(|id| Some((*id, self.sessions.get_mut(id)?)));
        let Some((id, session)) = session.filter(|(_, session)| session.has_control_channel()) else {
            turn.context.counters.unexpected += 1;
            return;
        };
        let Some(element) = session.element() else { return };
        self.health.answers(session.handle(), element);
        turn.context.counters.cards_received += 1;
        let elements = card::listed(elements);
        session.handover_mut().keep_card(handle.clone(), elements.clone());
        // ASAP-3.9-05 (BC1).
        if turn.context.is_running() && !turn.resolver.is_known(&handle) && session.take_card_resolution() {
            // A handle that no pool can have, or too many questions at once: the card is enough.
            let _ = turn.resolver.resolve(turn.now, turn.context, handle.clone(), None, Waiter::Cache);
        }
        turn.context.outbox.tell(Notice::PeerCard { session: id, element, handle, elements });
    }

    /// The application belongs to a pool itself: the elements of all sessions are told.
    pub(in crate::user) fn set_card(
        &mut self,
        context: &mut Context,
        card: Option<Card>,
    ) -> Result<(), Refusal> {
        context.card = match card {
            Some(Card { handle, elements }) => Some(card::encode(handle, elements, context.config.padding)?),
            None => None,
        };
        for session in self.sessions.values_mut() {
            session.owe_card();
            give_card(context, session);
        }
        Ok(())
    }

    /// Gives the element of a session the card, if it is due (ASAP-3.9-02: only if the application is an element, too).
    pub(super) fn give_due_card(&mut self, context: &mut Context, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            give_card(context, session);
        }
    }

    /// The elements to be tried in a failover, now or later: those of the latest card first, in its order, and then the others.
    pub(super) fn prefer_card(
        &self,
        turn: &Turn<'_>,
        id: SessionId,
        mut candidates: VecDeque<ElementId>,
    ) -> VecDeque<ElementId> {
        let Some(session) = self.sessions.get(&id).filter(|session| session.is_open()) else {
            return candidates;
        };
        let preferred = session.handover().preferred(session.handle());
        for element in preferred.iter().rev().map(|element| element.id) {
            let is_listed = turn.resolver.element(session.handle(), element).is_some();
            if is_listed || turn.context.config.cards == CardUse::Any {
                candidates.retain(|candidate| *candidate != element);
                candidates.push_front(element);
            }
        }
        candidates
    }

    /// What is known of an element that a session may try: from a registrar, or from its latest card.
    pub(super) fn attempt_at(&self, turn: &Turn<'_>, id: SessionId, element: ElementId) -> Option<Attempt> {
        let session = self.sessions.get(&id)?;
        let listed = turn.resolver.element(session.handle(), element);
        let on_card =
            || session.handover().preferred(session.handle()).iter().find(|known| known.id == element);
        Attempt::at(listed.or_else(on_card)?)
    }
}

fn give_card(context: &mut Context, session: &mut Session) {
    if let Some(association) = session.take_card_due()
        && let Some(card) = context.card.clone()
    {
        context.counters.cards_sent += 1;
        context.outbox.send(association, ProtocolId::ASAP, card);
    }
}
