//! Registration and deregistration (RFC 5352 sections 3.1 and 3.2).

use alloc::collections::BTreeSet;

use super::own::{Challenger, OwnElement};
use super::{Notice, Registrar, RemovalReason, Timer};
use crate::base::{AssociationId, ElementId, Instant, PoolHandle, TransportAddress};
use crate::handlespace::{Admission, AdmissionError, Inconsistent, PeHandle};
use crate::wire::{
    AsapMessage, CauseCode, EncapsulationPorts, ErrorCause, PoolElement, RegistrationLife, SctpTransport,
    Transport, TransportUse, UpdateAction,
};

/// The longest Pool Element parameter that is kept: room for 64 IPv6 addresses, RSPLIB's limit, and
/// what a home registrar adds. So memory is bounded by the number of elements, and any element fits
/// into any message about it.
const MAX_ELEMENT_OCTETS: usize = 2048;

impl Registrar {
    pub(super) fn handle_registration(
        &mut self,
        now: Instant,
        from: AssociationId,
        handle: PoolHandle,
        element: PoolElement,
    ) {
        let pe = PeHandle { pool: self.handlespace.intern(&handle), element: element.id };
        if self.is_over_tcp(from) {
            return self.reject_registration(from, &pe, self.only_sctp());
        }
        if self.config.check_addresses
            && let Some(link) = self.links.get(&from)
            && verified_transport(&element.user_transport, &link.peer).is_none()
        {
            return self.reject_registration(from, &pe, ErrorCause::invalid_values(element.to_parameter()));
        }
        if let Err(cause) = check_values(&pe, &element) {
            return self.reject_registration(from, &pe, cause);
        }
        match self.contender(from, &pe) {
            Contender::Rightful => self.grant_registration(now, from, &pe, element),
            Contender::Waiting => {
                self.reject_registration(from, &pe, ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER));
            }
            // The owner of the identifier is asked first: an answer refuses the newcomer, silence
            // lets it in. So an element that was restarted with its old identifier gets back.
            Contender::New => {
                if let Some(own) = self.own.get_mut(&pe) {
                    own.challenger = Some(Challenger { association: from, element });
                }
                if let Some(link) = self.links.get_mut(&from) {
                    link.challenges.insert(pe.clone());
                }
                self.check_alive(now, &pe);
            }
        }
    }

    /// Whether an association is a TCP connection: then only a user may be at its other end (ASAP-2.1-01).
    fn is_over_tcp(&self, from: AssociationId) -> bool {
        self.links.get(&from).is_some_and(|link| link.peer.is_tcp())
    }

    /// The cause for an element that comes over TCP: it is to use our SCTP transport (reading B14).
    fn only_sctp(&self) -> ErrorCause {
        ErrorCause::inconsistent_transport(&Transport::Sctp(self.asap_transport()))
    }

    /// How a registration over `from` stands to what is registered under its identifier.
    fn contender(&self, from: AssociationId, pe: &PeHandle) -> Contender {
        let (Some(own), Some(link)) = (self.own.get(pe), self.links.get(&from)) else {
            return Contender::Rightful;
        };
        let Some(registrant) = own.registrant else { return Contender::Rightful };
        if registrant == from || own.peer.is_same_endpoint(&link.peer) {
            return Contender::Rightful;
        }
        match &own.challenger {
            Some(other) if other.association != from => Contender::Waiting,
            _ => Contender::New,
        }
    }

    /// Enters an element into the handlespace with ourselves as its home, and answers.
    fn grant_registration(&mut self, now: Instant, from: AssociationId, pe: &PeHandle, element: PoolElement) {
        let Some(peer) = self.links.get(&from).map(|link| link.peer.clone()) else { return };
        let life = element.life;
        let stated = self.config.check_addresses.then(|| element.user_transport.clone());
        let element = self.as_home(element, &peer);
        // What we have added counts as well, or peers would refuse what we have granted.
        if let Err(cause) = check_values(pe, &element) {
            return self.reject_registration(from, pe, cause);
        }
        let stated = stated.filter(|stated| *stated != element.user_transport);
        let told = self.own.get(pe).is_some_and(|own| own.told == Some(self.enrp.meetings));
        let unchanged = told && self.handlespace.get(pe) == Some(&element);
        let silent = self.config.enrp.suppress_unchanged && unchanged;
        let admission = match self.handlespace.admit(&pe.pool, element.clone()) {
            Ok(admission) => admission,
            Err(error) => return self.reject_registration(from, pe, admission_cause(error)),
        };
        match admission {
            Admission::New => self.counters.registrations += 1,
            Admission::Renewed => self.counters.reregistrations += 1,
        }
        self.forget_former(pe);
        let moved = self.take_into_own(from, pe, peer.clone());
        if moved {
            self.outbox.tell(Notice::Registered { pe: pe.clone(), peer });
        }
        self.renew_life(now, pe, life);
        self.send_asap(
            from,
            &AsapMessage::RegistrationResponse {
                rejected: false,
                handle: pe.pool.clone(),
                element: pe.element,
                error: None,
            },
        );
        if !silent {
            self.announce_update(UpdateAction::ADD_PE, pe, element);
        }
        if let Some(own) = self.own.get_mut(pe) {
            own.told = Some(self.enrp.meetings);
            own.stated = stated;
        }
        // A new association may know nothing of us yet: its first keep-alive names its home.
        if moved {
            self.check_alive(now, pe);
        }
    }

    /// The registration of an element ends after its life from now on, if it ends at all.
    pub(super) fn renew_life(&mut self, now: Instant, pe: &PeHandle, life: RegistrationLife) {
        match self.config.life_unit.duration(life) {
            Some(life) => self.deadlines.set(Timer::Life(pe.clone()), now + life),
            None => {
                self.deadlines.clear(&Timer::Life(pe.clone()));
            }
        }
    }

    /// Notes over which association an element speaks; tells whether that has changed, or whether
    /// it was not ours before.
    fn take_into_own(&mut self, from: AssociationId, pe: &PeHandle, peer: TransportAddress) -> bool {
        if let Some(link) = self.links.get_mut(&from) {
            link.elements.insert(pe.clone());
        }
        let fresh = OwnElement {
            registrant: Some(from),
            peer,
            stated: None,
            asked: None,
            probe: None,
            waits: None,
            hindered: false,
            claimed: false,
            offered: None,
            told: None,
            reporters: BTreeSet::new(),
            challenger: None,
        };
        let Some(own) = self.own.get_mut(pe) else {
            self.own.insert(pe.clone(), fresh);
            return true;
        };
        own.reporters.clear();
        own.claimed = false;
        own.offered = None;
        if own.registrant == Some(from) {
            return false;
        }
        let mut old = core::mem::replace(own, fresh);
        own.challenger = old.challenger.take();
        if let Some(link) = old.registrant.and_then(|id| self.links.get_mut(&id)) {
            link.elements.remove(pe);
        }
        self.cancel_probe(&old);
        self.handlespace.unwatch(pe);
        true
    }

    /// Addresses of an element's association have been verified: it is listed with them now, and the other
    /// registrars are told. There are few of them, and they only become more.
    pub(super) fn list_anew(&mut self, pe: &PeHandle, peer: &TransportAddress) {
        if self.shutdown.is_some() {
            return;
        }
        let (Some(own), Some(listed)) = (self.own.get(pe), self.handlespace.get(pe)) else { return };
        let mut element = listed.clone();
        if let Some(stated) = own.stated.clone() {
            element.user_transport = stated;
        }
        let element = self.as_home(element, peer);
        if self.handlespace.get(pe) != Some(&element)
            && check_values(pe, &element).is_ok()
            && self.handlespace.admit(&pe.pool, element.clone()).is_ok()
        {
            self.announce_update(UpdateAction::ADD_PE, pe, element);
        }
    }

    /// The element as we list it: we are its home, and its ASAP transport is where the
    /// registration came from (RFC 5352 section 3.1 rule 4).
    fn as_home(&self, mut element: PoolElement, peer: &TransportAddress) -> PoolElement {
        let stated = element.encapsulation.unwrap_or_default();
        // The port that the parameter leaves open is the one seen, if both transports are one.
        let same_port = matches!(&element.user_transport, Transport::Sctp(sctp) if sctp.port == peer.port);
        let user = if stated.user == 0 && same_port { peer.udp_port } else { stated.user };
        element.home = self.id;
        if self.config.check_addresses
            && let Some(verified) = verified_transport(&element.user_transport, peer)
        {
            element.user_transport = verified;
        }
        element.asap_transport = Some(SctpTransport {
            port: peer.port,
            usage: TransportUse::DataOnly,
            addresses: peer.addresses.as_slice().into(),
        });
        element.encapsulation = Some(EncapsulationPorts { user, asap: peer.udp_port });
        element
    }

    pub(super) fn reject_registration(&mut self, to: AssociationId, pe: &PeHandle, cause: ErrorCause) {
        self.counters.registrations_rejected += 1;
        if let Some(link) = self.links.get(&to) {
            let peer = link.peer.clone();
            self.outbox.tell(Notice::Rejected { pe: pe.clone(), peer, cause: cause.code });
        }
        self.send_asap(
            to,
            &AsapMessage::RegistrationResponse {
                rejected: true,
                handle: pe.pool.clone(),
                element: pe.element,
                error: Some(cause.into()),
            },
        );
    }

    /// The owner of the identifier is silent or gone: its challenger takes its place.
    pub(super) fn accept_challenger(&mut self, now: Instant, pe: &PeHandle, challenger: Challenger) {
        self.end_challenge(challenger.association, pe);
        self.grant_registration(now, challenger.association, pe, challenger.element);
    }

    /// The owner of the identifier has answered: its challenger is refused.
    pub(super) fn refuse_challenger(&mut self, pe: &PeHandle) {
        if let Some(challenger) = self.own.get_mut(pe).and_then(|own| own.challenger.take()) {
            self.end_challenge(challenger.association, pe);
            let cause = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
            self.reject_registration(challenger.association, pe, cause);
        }
    }

    pub(super) fn end_challenge(&mut self, association: AssociationId, pe: &PeHandle) {
        if let Some(link) = self.links.get_mut(&association) {
            link.challenges.remove(pe);
        }
    }

    /// An association has ended: registrations that waited over it are moot.
    pub(super) fn drop_challenges(&mut self, association: AssociationId, challenged: &BTreeSet<PeHandle>) {
        for pe in challenged {
            if let Some(own) = self.own.get_mut(pe)
                && own.challenger.as_ref().is_some_and(|challenger| challenger.association == association)
            {
                own.challenger = None;
            }
        }
    }

    pub(super) fn handle_deregistration(&mut self, now: Instant, from: AssociationId, pe: PeHandle) {
        if self.is_over_tcp(from) {
            self.counters.deregistrations_rejected += 1;
            return self.answer_deregistration(from, &pe, Some(self.only_sctp().into()));
        }
        // Unknown: what is asked for is so already (ASAP-3.2-09), and shall stay so.
        if self.handlespace.get(&pe).is_none() {
            self.former_left(&pe, from);
            return self.answer_deregistration(from, &pe, None);
        }
        if !self.speaks_for(from, &pe) {
            self.counters.deregistrations_rejected += 1;
            return self.answer_deregistration(from, &pe, Some(ErrorCause::bare(CauseCode::SECURITY).into()));
        }
        self.remove_own(now, &pe, RemovalReason::Deregistered);
        self.answer_deregistration(from, &pe, None);
    }
}

/// See [`Registrar::contender`].
enum Contender {
    /// Nobody else stands under the identifier.
    Rightful,
    /// Somebody else does, over an association that is up.
    New,
    /// Somebody else does, and a third one waits for its place already.
    Waiting,
}

/// The values that no registration may have (cause 0x3 with the parameter that holds them).
pub(super) fn check_values(pe: &PeHandle, element: &PoolElement) -> Result<(), ErrorCause> {
    let fits = element.encoded_len().is_some_and(|octets| octets <= MAX_ELEMENT_OCTETS);
    if pe.pool.as_bytes().len() > PoolHandle::MAX_OCTETS || !fits {
        return Err(ErrorCause::bare(CauseCode::LACK_OF_RESOURCES));
    }
    let life_ok = element.life == RegistrationLife::INFINITE || element.life.0 > 0;
    if element.id == ElementId(0) || !life_ok || pe.pool.as_bytes().is_empty() {
        return Err(ErrorCause::invalid_values(element.to_parameter()));
    }
    Ok(())
}

/// The error cause of a refused admission.
pub(super) fn admission_cause(error: AdmissionError) -> ErrorCause {
    match error {
        AdmissionError::UnsupportedPolicy(policy) => ErrorCause::invalid_values(policy.to_parameter()),
        AdmissionError::Inconsistent(Inconsistent::Policy(policy)) => {
            ErrorCause::inconsistent_policy(&policy)
        }
        AdmissionError::Inconsistent(Inconsistent::Transport(transport)) => {
            ErrorCause::inconsistent_transport(&transport)
        }
        AdmissionError::Inconsistent(Inconsistent::Use(_)) => {
            ErrorCause::bare(CauseCode::INCONSISTENT_TRANSPORT_USE)
        }
        AdmissionError::Full(_) => ErrorCause::bare(CauseCode::LACK_OF_RESOURCES),
    }
}

/// A user transport without the addresses that are not of its association; `None` if nothing is left.
fn verified_transport(stated: &Transport, peer: &TransportAddress) -> Option<Transport> {
    let mut verified = stated.clone();
    verified.keep_addresses(|address| peer.addresses.contains(&address)).then_some(verified)
}
