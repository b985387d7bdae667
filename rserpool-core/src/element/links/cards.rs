//! Business cards: which elements the users of this one are to prefer when it fails, and of which elements users speak
//! (RFC 5352 section 3.9).

use alloc::vec::Vec;

use super::{Kind, Links, Queue, Taken};
use crate::base::{AssociationId, PoolHandle, ProtocolId};
use crate::element::context::Context;
use crate::element::interface::Notice;
use crate::endpoint::Refusal;
use crate::endpoint::control::card;
use crate::wire::PoolElement;

impl Links {
    /// The application names the elements that users are to prefer: the users of all sessions are told, now or when they
    /// take something again (ASAP-3.9-04).
    pub(in crate::element) fn set_card(
        &mut self,
        context: &mut Context,
        elements: Vec<PoolElement>,
    ) -> Result<(), Refusal> {
        if !context.config.control {
            return Err(Refusal::NoControlChannel);
        }
        if elements.is_empty() {
            context.card = None;
            self.due_cards.clear();
            return Ok(());
        }
        context.card = Some(card::encode(context.config.handle.clone(), elements, context.config.padding)?);
        let open = self.links.iter().filter(|(_, link)| link.kind == Kind::Session && !link.closing);
        let (free, full): (Vec<_>, Vec<_>) = open.partition(|(_, link)| link.queue == Queue::Free);
        self.due_cards.extend(full.iter().map(|(association, _)| **association));
        for (association, _) in free {
            send(context, *association);
        }
        Ok(())
    }

    /// Sends the card that a user could not take before.
    pub(super) fn send_due_card(&mut self, context: &mut Context, association: AssociationId) {
        if self.due_cards.remove(&association) {
            send(context, association);
        }
    }

    /// A user that is an element, too, has sent the card of its pool (ASAP-3.9-06). It opens the session.
    pub(in crate::element) fn handle_card(
        &mut self,
        context: &mut Context,
        association: AssociationId,
        handle: PoolHandle,
        elements: Vec<PoolElement>,
    ) -> Taken {
        if !context.config.control {
            context.counters.unexpected += 1;
            return Taken::Yes;
        }
        if let Err(taken) = self.enter(context, association) {
            return taken;
        }
        context.counters.cards_received += 1;
        let elements = card::listed(elements);
        context.outbox.tell(Notice::PeerCard { session: association, handle, elements });
        Taken::Yes
    }
}

/// Gives a user the card, if there is one.
pub(super) fn send(context: &mut Context, association: AssociationId) {
    if let Some(card) = context.card.clone() {
        context.counters.cards_sent += 1;
        context.outbox.send(association, ProtocolId::ASAP, card);
    }
}
