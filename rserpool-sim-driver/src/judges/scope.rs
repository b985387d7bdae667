//! The registrars of a world as one operational scope: since when they are undisturbed, and which of them
//! can hear of each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rserpool_core::base::{ENRP_PORT, Instant, RegistrarId};
use rserpool_core::registrar::{Registrar, RegistrarConfig};

use super::view::View;
use crate::id::HostId;
use crate::network::Sctp;

/// How long registrars need after a disturbance until they know each other, have noticed which of them
/// are dead, and have taken over their elements.
pub(crate) fn settles_within(sctp: &Sctp, config: &RegistrarConfig) -> Duration {
    let enrp = &config.enrp;
    let detection = enrp.max_time_last_heard + enrp.max_time_no_response;
    let joining = enrp.mentor_timeout + enrp.mentor_retry + enrp.heartbeat_cycle * 2;
    (sctp.heartbeat + sctp.max_silence) * 2
        + (detection + joining) * 2
        + enrp.max_time_no_response * 4
        + Duration::from_millis(500)
}

/// The remembered facts about registrars.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// When the registrars that no longer run ended.
    ended: BTreeMap<RegistrarId, Instant>,
    /// When a registrar has met a peer, or met it again.
    met: BTreeMap<(HostId, RegistrarId), Instant>,
}

impl Scope {
    pub(super) fn started(&mut self, host: HostId, registrar: RegistrarId) {
        self.ended.remove(&registrar);
        // It has forgotten whom it met before.
        self.met.retain(|(one, _), _| *one != host);
    }

    pub(super) fn ended(&mut self, now: Instant, registrar: RegistrarId) {
        self.ended.insert(registrar, now);
    }

    pub(super) fn met(&mut self, now: Instant, host: HostId, peer: RegistrarId) {
        self.met.insert((host, peer), now);
    }

    /// Since when no registrar runs; `None` if one does.
    pub(super) fn deserted_since(&self, view: &View<'_>) -> Option<Instant> {
        let none = view.running_registrars().is_empty();
        self.ended.values().max().copied().filter(|_| none)
    }

    /// When a registrar ended, if it does not run.
    pub(super) fn end_of(&self, registrar: RegistrarId) -> Option<Instant> {
        self.ended.get(&registrar).copied()
    }

    /// When a registrar has last met a peer.
    pub(super) fn meeting(&self, host: HostId, peer: RegistrarId) -> Option<Instant> {
        self.met.get(&(host, peer)).copied()
    }

    /// Since when all registrars that run have been able to work and talk undisturbed, and none has died;
    /// `None` if they cannot.
    pub(super) fn calm_since(&self, view: &View<'_>) -> Option<Instant> {
        self.calm_but_for(view, RegistrarId::NONE)
    }

    /// The same, as if one registrar had not died.
    pub(super) fn calm_but_for(&self, view: &View<'_>, dead: RegistrarId) -> Option<Instant> {
        let running = view.running_registrars();
        let ended = self.ended.iter().filter(|(id, _)| **id != dead);
        let mut since = ended.map(|(_, at)| *at).max().unwrap_or_default();
        for (n, a) in running.iter().enumerate() {
            since = since.max(view.calm_since(*a, *a)?);
            for b in &running[n + 1..] {
                since = since.max(view.calm_since(*a, *b)?);
            }
        }
        Some(since)
    }

    /// Whether all registrars that run have had the time that they need after a disturbance.
    pub(super) fn is_settled(&self, view: &View<'_>, config: &RegistrarConfig) -> bool {
        self.is_calm_for(view, settles_within(view.sctp, config))
    }

    /// Whether they had it already at some earlier time, and nothing has disturbed them since.
    pub(super) fn was_settled_at(&self, view: &View<'_>, config: &RegistrarConfig, at: Instant) -> bool {
        let calm = self.calm_since(view).filter(|since| *since < at);
        calm.is_some_and(|since| at.since(since) > settles_within(view.sctp, config))
    }

    /// Whether they have had that, and the time in which a dead element is noticed.
    pub(super) fn has_noticed_the_dead(&self, view: &View<'_>, config: &RegistrarConfig) -> bool {
        self.is_calm_for(view, settles_within(view.sctp, config) + view.patience_with_element(config))
    }

    fn is_calm_for(&self, view: &View<'_>, time: Duration) -> bool {
        self.calm_since(view).is_some_and(|since| view.now.since(since) > time)
    }

    /// The registrars that run and that this one can hear of. A registrar that is configured to know only
    /// a dead one, and that no other has met, is in a scope of its own until that one comes back.
    pub(super) fn around(&self, view: &View<'_>, host: HostId) -> BTreeSet<HostId> {
        let running = view.running_registrars();
        let mut scope = BTreeSet::from([host]);
        let mut fresh = vec![host];
        while let Some(one) = fresh.pop() {
            for other in &running {
                let acquainted = self.knows(view, one, *other) || self.knows(view, *other, one);
                if acquainted && scope.insert(*other) {
                    fresh.push(*other);
                }
            }
        }
        scope
    }

    /// Whether a registrar is configured to know another one, hears its announcements or has met it.
    fn knows(&self, view: &View<'_>, one: HostId, other: HostId) -> bool {
        let configs = view.registrar_config(one).zip(view.registrar_config(other));
        let Some((config, others)) = configs else { return false };
        let Some(id) = view.registrar(other).map(Registrar::id) else { return false };
        let address = view.service(other, ENRP_PORT);
        config.enrp.peers.iter().any(|peer| peer.is_same_endpoint(&address))
            || config.enrp.announce && others.enrp.announce
            || self.met.contains_key(&(one, id))
    }
}
