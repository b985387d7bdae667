//! Two registrars with the same identifier (RFC 5353 section 3.2.1).
//!
//! An identifier never changes in a lifetime. Who finds its own taken before anybody may have heard
//! it draws another, if it was drawn; later it stops. Of two, the one stops that came to the other:
//! a newcomer with a copied configuration shall not end a registrar that has served for weeks.

use super::Registrar;
use crate::base::{AssociationId, Instant, RegistrarId};
use crate::endpoint::{AbortCause, Action, Endpoint};
use crate::registrar::{Notice, Timer};
use crate::wire::EnrpBody;

impl Registrar {
    /// Somebody speaks over an association under our own name.
    pub(super) fn meet_namesake(&mut self, now: Instant, from: AssociationId, body: &EnrpBody) {
        self.counters.spoofed += 1;
        let Some(link) = self.links.get(&from) else { return };
        let (peer, came_to_us, contact) = (link.peer.clone(), !link.opened, link.contact);
        let EnrpBody::Presence { server: Some(server), .. } = body else { return };
        if link.registrar.is_some() {
            return;
        }
        if self.description().as_ref() == Some(server) {
            // It is ourselves, under an address that we did not know to be ours.
            if let Some(contact) = contact {
                self.enrp.contacts.remove(contact);
                self.deadlines.clear(&Timer::Contact(contact));
            }
            return self.outbox.act(Action::Abort { association: from, cause: AbortCause::User });
        }
        if came_to_us {
            // The other finds out by our answer, before this reaches it.
            if !link.greeted {
                self.greet(from, RegistrarId::NONE);
            }
            let deadline = now + self.config.enrp.max_time_no_response;
            return self.outbox.act(Action::Shutdown { association: from, deadline });
        }
        self.outbox.tell(Notice::IdentifierTaken { id: self.id, peer });
        self.outbox.act(Action::Abort { association: from, cause: AbortCause::User });
        self.begin_shutdown(now, now + self.config.enrp.max_time_no_response);
    }

    /// Draws another identifier if nobody has heard this one and it was not configured.
    pub(super) fn take_another_name(&mut self) -> bool {
        let free = !self.enrp.spoken && self.config.id.is_none() && !self.is_serving();
        if free {
            self.id = RegistrarId(self.random.identifier());
        }
        free
    }
}
