//! The home registrar: found, named by its keep-alives, changed, lost (RFC 5352 sections 3.4, 3.6).

use super::Element;
use super::membership::Step;
use super::{Notice, RegistrationError};
use crate::base::{AssociationId, Instant, ProtocolId, RegistrarId, TransportAddress};
use crate::wire::AsapMessage;

/// The home registrar (ASAP-1.1-01: at most one).
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) association: AssociationId,
    /// Where it is.
    pub(super) registrar: TransportAddress,
    /// [`RegistrarId::NONE`] until it has named itself.
    pub(super) id: RegistrarId,
}

impl Element {
    /// Looks for a registrar other than `avoid`: one that is connected to us already, or by a hunt.
    pub(super) fn seek(&mut self, now: Instant, avoid: Option<TransportAddress>) {
        if self.hunt.is_on() || self.take_connected_registrar(now, avoid.as_ref()) {
            return;
        }
        self.counters.hunts += 1;
        self.hunt.start(now, avoid, &mut self.connects, &mut self.out.actions);
    }

    /// A hunt that is on may end with a registrar that has connected to us, is known by now, or
    /// has spoken. It has to: no second association can come up between the same two ports.
    pub(super) fn end_hunt_if_connected(&mut self, now: Instant) {
        if self.hunt.is_on() {
            self.take_connected_registrar(now, None);
        }
    }

    /// Makes a known registrar our home that has an association with us, if there is one.
    fn take_connected_registrar(&mut self, now: Instant, avoid: Option<&TransportAddress>) -> bool {
        let found = self.registrars.iter().find_map(|association| {
            let open = self.associations.get(association).filter(|open| !open.closing)?;
            let registrar = self.hunt.registrar_at(now, &open.peer)?;
            (avoid != Some(registrar)).then(|| (*association, registrar.clone()))
        });
        let Some((association, registrar)) = found else { return false };
        self.hunt.stop(&mut self.out.actions);
        self.home_found(now, Home { association, registrar, id: RegistrarId::NONE });
        true
    }

    /// There is a home registrar now: do what could not be done without.
    pub(super) fn home_found(&mut self, now: Instant, home: Home) {
        self.home = Some(home);
        match self.membership.step {
            Step::Seeking => self.register(now),
            Step::Leaving(_) => self.deregister(now),
            _ => {}
        }
    }

    /// The association with the home registrar has ended (ASAP-3.1-10, ASAP-3.2-05).
    pub(super) fn home_lost(&mut self, now: Instant) {
        let Some(lost) = self.home.take() else { return };
        self.counters.homes_lost += 1;
        match self.membership.step {
            Step::Registering { .. } if self.attempts_used_up() => {
                self.give_up(RegistrationError::Unanswered);
            }
            Step::Registering { .. } | Step::Registered { .. } => {
                self.membership.step = Step::Seeking;
                self.seek(now, Some(lost.registrar));
            }
            Step::Leaving(_) => self.leaving_interrupted(now, Some(lost.registrar)),
            Step::Seeking | Step::BackingOff { .. } | Step::GivenUp { .. } | Step::Left => {}
        }
    }

    /// KA1 to KA2.4. An element that has left answers none, so that no registrar lists it again.
    pub(super) fn keep_alive(
        &mut self,
        now: Instant,
        association: AssociationId,
        ours: bool,
        wants_home: bool,
        registrar: RegistrarId,
    ) {
        // Also a keep-alive for somebody else, such as an earlier life of ours, tells what the
        // sender is; whether it is one of our registrars is asked when one is needed.
        self.registrars.insert(association);
        if !ours {
            self.counters.foreign_keep_alives += 1;
            return;
        }
        if matches!(self.membership.step, Step::Left) {
            self.counters.unexpected += 1;
            return;
        }
        let ack = AsapMessage::EndpointKeepAliveAck { handle: self.config.handle.clone(), element: self.id };
        if let Ok(bytes) = ack.encode(self.config.padding) {
            self.out.send(association, ProtocolId::ASAP, bytes);
        }
        self.counters.keep_alives += 1;
        match &mut self.home {
            _ if registrar == RegistrarId::NONE => {}
            Some(home) if home.association == association => {
                let renamed = home.id != RegistrarId::NONE && home.id != registrar;
                home.id = registrar;
                if renamed {
                    self.out.tell(Notice::HomeChanged { home: registrar });
                }
            }
            Some(home) if home.id == registrar => {}
            _ if wants_home => self.adopt(now, association, registrar),
            Some(_) => {}
            // It may list us from an earlier life: now it gets a registration.
            None => self.end_hunt_if_connected(now),
        }
    }

    /// Another registrar has taken the element over (KA2.4). It is registered with at once, over
    /// the association by which it spoke (reading B42).
    fn adopt(&mut self, now: Instant, association: AssociationId, id: RegistrarId) {
        let Some(peer) = self.associations.get(&association).map(|open| open.peer.clone()) else { return };
        self.counters.home_changes += 1;
        self.hunt.stop(&mut self.out.actions);
        self.home = Some(Home { association, registrar: peer, id });
        self.out.tell(Notice::HomeChanged { home: id });
        match self.membership.step {
            // What was refused is not sent again unchanged, whoever asks (ASAP-3.1-14).
            Step::GivenUp { refused: true } | Step::Left => {}
            Step::Leaving(_) => self.deregister(now),
            _ => {
                self.membership.attempts = 0;
                self.register(now);
            }
        }
    }
}
