//! Whether the elements of this registrar are alive (RFC 5352 sections 3.4 and 3.5).
//!
//! Of every element exactly one thing is true: its next keep-alive is scheduled, or one is waiting
//! for its answer, or, because its association is down, it is being connected to or waits for that.
//! In the first two cases the handlespace holds its deadline.

use super::{Attempt, Link, Registrar, RemovalReason};
use crate::base::{AssociationId, Instant};
use crate::endpoint::{AbortCause, Action, ConnectError};
use crate::handlespace::PeHandle;
use crate::wire::AsapMessage;

/// How many elements are connected to at the same time. The elements of a dead peer are many, and
/// handshakes with all of them at once would overrun the buffers on their way.
pub(super) const MAX_PROBES: usize = 128;

impl Registrar {
    /// Asks an element of ours for a sign of life, unless that is under way.
    pub(super) fn check_alive(&mut self, now: Instant, pe: &PeHandle) {
        let Some(own) = self.own.get_mut(pe) else { return };
        if own.asked.is_some() || own.probe.is_some() || own.waits.is_some() {
            return;
        }
        let deadline = now + self.config.keep_alive_timeout;
        self.handlespace.unwatch(pe);
        match own.registrant {
            Some(registrant) => {
                own.asked = Some(registrant);
                self.handlespace.watch(pe, deadline);
                let home = own.claimed;
                self.send_keep_alive(registrant, pe, home);
            }
            None if self.attempts.len() >= MAX_PROBES => {
                let ticket = self.waiting.last_key_value().map_or(0, |(last, _)| last + 1);
                own.waits = Some(ticket);
                self.waiting.insert(ticket, pe.clone());
            }
            None => {
                let peer = own.peer.clone();
                let request = self.connects.next_id();
                if let Some(own) = self.own.get_mut(pe) {
                    own.probe = Some(request);
                }
                self.attempts.insert(request, Attempt::Element(pe.clone()));
                // Over UDP a dead element and a lost packet look alike, so the deadline decides.
                let local_port = self.config.asap_port;
                self.outbox.act(Action::Connect { request, local_port, peer, deadline });
            }
        }
    }

    /// Connects to elements that wait for that, as far as there is room now.
    pub(super) fn connect_waiting(&mut self, now: Instant) {
        while self.attempts.len() < MAX_PROBES && !self.is_closing() {
            let Some((_, pe)) = self.waiting.pop_first() else { return };
            if let Some(own) = self.own.get_mut(&pe) {
                own.waits = None;
            }
            self.check_alive(now, &pe);
        }
    }

    /// Tells an element of ours at once that we are its home.
    pub(super) fn call_home(&mut self, now: Instant, pe: &PeHandle) {
        let Some(own) = self.own.get_mut(pe) else { return };
        let told = core::mem::replace(&mut own.claimed, true);
        match own.asked {
            // One that says so is on its way: whoever contests our claim sends no flood by our hand.
            Some(_) if told => {}
            Some(association) => self.send_keep_alive(association, pe, true),
            None => self.check_alive(now, pe),
        }
    }

    pub(super) fn send_keep_alive(&mut self, to: AssociationId, pe: &PeHandle, home: bool) {
        self.counters.keep_alives += 1;
        let message = AsapMessage::EndpointKeepAlive {
            home,
            registrar: self.id,
            handle: pe.pool.clone(),
            element: self.config.name_element_in_keep_alive.then_some(pe.element),
        };
        self.send_asap(to, &message);
    }

    /// The association to an element whose own one is down has come up: it takes its place.
    pub(super) fn probe_connected(&mut self, now: Instant, association: AssociationId, pe: &PeHandle) {
        let Some(own) = self.own.get_mut(pe) else {
            return self.outbox.act(Action::Abort { association, cause: AbortCause::User });
        };
        own.probe = None;
        own.hindered = false;
        if let Some(link) = self.links.get_mut(&association)
            && own.peer.is_same_endpoint(&link.peer)
        {
            own.registrant = Some(association);
            link.elements.insert(pe.clone());
            self.check_alive(now, pe);
        } else {
            self.outbox.act(Action::Abort { association, cause: AbortCause::ProtocolViolation });
            self.remove_own(now, pe, RemovalReason::Silent);
        }
    }

    /// An element whose association is down could not be reached. Only what the network said is
    /// evidence against it; what hindered us is tried once more. (A peer that has restarted opens
    /// an association between the same ports before we can, and registers over it.) So is an element
    /// that we have just become the home of: they are many at once, and it cannot be told that it
    /// was removed.
    pub(super) fn probe_failed(&mut self, now: Instant, pe: &PeHandle, reason: &ConnectError) {
        let Some(own) = self.own.get_mut(pe) else { return };
        own.probe = None;
        if *reason == ConnectError::InUse && self.use_open_association(now, pe) {
            return self.connect_waiting(now);
        }
        let Some(own) = self.own.get_mut(pe) else { return };
        let ours = matches!(reason, ConnectError::InUse | ConnectError::TooMany | ConnectError::NoRoute);
        if (ours || own.claimed) && !core::mem::replace(&mut own.hindered, true) {
            self.handlespace.watch(pe, now + self.config.keep_alive_timeout);
        } else {
            self.remove_own(now, pe, RemovalReason::Silent);
        }
    }

    /// Asks an element over an association that leads to it although it has not registered over it:
    /// one from its time with us before it had another home, or one of a peer that has restarted.
    fn use_open_association(&mut self, now: Instant, pe: &PeHandle) -> bool {
        let Some(own) = self.own.get_mut(pe) else { return false };
        let leads_to_it = |link: &Link| own.peer.is_same_endpoint(&link.peer);
        let Some((id, link)) = self.links.iter_mut().find(|(_, link)| leads_to_it(link)) else {
            return false;
        };
        own.registrant = Some(*id);
        own.hindered = false;
        link.elements.insert(pe.clone());
        self.check_alive(now, pe);
        true
    }

    pub(super) fn handle_keep_alive_ack(&mut self, now: Instant, from: AssociationId, pe: &PeHandle) {
        if self.reclaim(now, from, pe) {
            return;
        }
        let asked = self.own.get(pe).is_some_and(|own| own.asked == Some(from));
        if !asked || !self.speaks_for(from, pe) {
            self.counters.keep_alive_acks_ignored += 1;
            return;
        }
        self.counters.keep_alive_acks += 1;
        if let Some(own) = self.own.get_mut(pe) {
            own.asked = None;
        }
        // Varied by half, so that the keep-alives to many elements spread (ASAP-3.5-11).
        let wait = self.random.vary_by_half(self.config.keep_alive_interval);
        self.handlespace.watch(pe, now + wait);
        self.refuse_challenger(pe);
    }

    /// It is time for the next keep-alive; or the answer to the last one has not come: then the
    /// element goes, and whoever waits for its place gets it.
    pub(super) fn keep_alive_due(&mut self, now: Instant, pe: &PeHandle) {
        if self.own.get(pe).is_some_and(|own| own.asked.is_some()) {
            self.remove_own(now, pe, RemovalReason::Silent);
        } else {
            self.check_alive(now, pe);
        }
    }

    /// Somebody says that an element cannot be reached. The element is asked at once; what it
    /// answers does not reset the count, because users may fail to reach what we can. Each reporter
    /// counts once, or a single user could expel an element that serves everybody else (reading B4).
    pub(super) fn handle_unreachable(&mut self, now: Instant, from: AssociationId, pe: &PeHandle) {
        self.counters.unreachable_reports += 1;
        let Some(own) = self.own.get_mut(pe) else { return };
        own.reporters.insert(from);
        if own.reporters.len() > self.config.max_bad_pe_reports as usize {
            self.remove_own(now, pe, RemovalReason::Reported);
        } else {
            self.check_alive(now, pe);
        }
    }
}
