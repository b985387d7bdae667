//! Takeovers (RFC 5353 section 3.5): only of dead registrars, once, and with the consent of all.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rserpool_core::base::{Instant, RegistrarId};
use rserpool_core::registrar::{PeerState, Registrar};
use rserpool_core::wire::{EnrpBody, EnrpMessage};

use super::scope::{Scope, settles_within};
use super::view::View;
use crate::id::HostId;
use crate::violation::Violation;

/// Takeovers, complete and begun.
#[derive(Debug, Default)]
pub(super) struct Takeovers {
    /// Each registrar that was taken over, with the winner and the time.
    won: Vec<(RegistrarId, HostId, Instant)>,
    /// The peers that a registrar has given up, and what it has heard since.
    lost: BTreeMap<(HostId, RegistrarId), Arbitration>,
}

/// What a registrar has heard since it gave a peer up.
#[derive(Debug)]
struct Arbitration {
    begun: Instant,
    /// The peer has given a sign of life.
    alive: bool,
    /// The registrars that have agreed to the takeover, or that are themselves taken over: these are not
    /// waited for.
    acknowledged: BTreeSet<RegistrarId>,
}

/// Types of ENRP messages.
const PRESENCE: u8 = 1;
const INIT_TAKEOVER: u8 = 7;
const INIT_TAKEOVER_ACK: u8 = 8;
const TAKEOVER_SERVER: u8 = 9;

impl Takeovers {
    /// A registrar gives a peer up.
    pub(super) fn lost(&mut self, now: Instant, host: HostId, peer: RegistrarId) {
        let arbitration = Arbitration { begun: now, alive: false, acknowledged: BTreeSet::new() };
        self.lost.insert((host, peer), arbitration);
    }

    /// A registrar is handed an ENRP message. Only ENRP_PRESENCE is a sign of life; but a registrar that comes back
    /// elsewhere may have taken the name of the peer, and is accepted after the end of that peer. `elsewhere` says
    /// whether a host came back at another address than its peers know.
    pub(super) fn heard(
        &mut self,
        view: &View<'_>,
        elsewhere: impl Fn(HostId) -> bool,
        host: HostId,
        bytes: &Bytes,
    ) {
        let sender =
            bytes.get(4..8).and_then(<[u8]>::first_chunk).map(|id| RegistrarId(u32::from_be_bytes(*id)));
        match (bytes.first(), sender) {
            (Some(&PRESENCE), Some(sender)) => {
                if let Some(lost) = self.lost.get_mut(&(host, sender)) {
                    lost.alive |= !running(view, host, sender).is_some_and(elsewhere);
                }
            }
            (Some(&(INIT_TAKEOVER | INIT_TAKEOVER_ACK | TAKEOVER_SERVER)), Some(sender)) => {
                let Ok(decoded) = EnrpMessage::decode(bytes) else { return };
                match decoded.message.body {
                    EnrpBody::InitTakeoverAck { target } => {
                        if let Some(lost) = self.lost.get_mut(&(host, target)) {
                            lost.acknowledged.insert(sender);
                        }
                    }
                    EnrpBody::InitTakeover { target } | EnrpBody::TakeoverServer { target } => {
                        let own = self.lost.iter_mut().filter(|((loser, _), _)| *loser == host);
                        own.for_each(|(_, lost)| {
                            lost.acknowledged.insert(target);
                        });
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// A registrar has taken another one over: only a dead one, and only once.
    pub(super) fn won(
        &mut self,
        view: &View<'_>,
        scope: &Scope,
        host: HostId,
        target: RegistrarId,
    ) -> Result<(), Violation> {
        let alive = running(view, host, target);
        let arbitration = self.lost.remove(&(host, target));
        if arbitration.as_ref().is_some_and(|arbitration| arbitration.alive) {
            let detail = format!("{} took over {target}", view.name(host));
            return Err(Violation::new("a sign of life stops a takeover", detail));
        }
        if let Some(passed) = arbitration.and_then(|arbitration| passed_over(view, scope, host, &arbitration))
        {
            let (a, b) = (view.name(host), view.name(passed));
            let detail = format!("{a} took over {target} before {b} had agreed");
            return Err(Violation::new("all have a say in a takeover", detail));
        }
        let Some(config) = view.registrar_config(host) else { return Ok(()) };
        let settled = settles_within(view.sctp, config);
        let violation = match alive {
            Some(alive) => {
                let calm = view.calm_since(host, alive).filter(|since| view.now.since(*since) > settled);
                calm.map(|since| {
                    let (a, b) = (view.name(host), view.name(alive));
                    let detail = format!("{a} took over {b}, with which it could talk since {since:?}");
                    Violation::new("no registrar is taken over that lives and can be reached", detail)
                })
            }
            None => {
                let calm = scope.calm_but_for(view, target).zip(scope.end_of(target));
                let twice = self.won.iter().find(|(id, winner, when)| {
                    *id == target
                        && *winner != host
                        && calm.is_some_and(|(calm, ended)| ended <= *when && calm + settled <= ended)
                });
                twice.map(|(_, winner, when)| {
                    let (a, b) = (view.name(host), view.name(*winner));
                    let detail = format!("{a} and, at {when:?}, {b} have taken over {target}");
                    Violation::new("a takeover has one winner", detail)
                })
            }
        };
        self.won.push((target, host, view.now));
        violation.map_or(Ok(()), Err)
    }
}

/// Where, other than here, the registrar with this identifier runs.
fn running(view: &View<'_>, here: HostId, id: RegistrarId) -> Option<HostId> {
    let mut hosts = view.hosts().map(|(host, _)| host).filter(|host| *host != here);
    hosts.find(|host| view.registrar(*host).is_some_and(|registrar| registrar.id() == id))
}

/// A registrar that could have agreed to a takeover, and was not waited for.
fn passed_over(view: &View<'_>, scope: &Scope, host: HostId, arbitration: &Arbitration) -> Option<HostId> {
    let (registrar, config) = view.registrar(host).zip(view.registrar_config(host))?;
    // Silence is consent.
    if view.now.since(arbitration.begun) >= config.enrp.max_time_no_response * 2 {
        return None;
    }
    // A registrar that was met since was not asked.
    let known = |id| {
        scope.meeting(host, id).is_some_and(|met| met < arbitration.begun)
            && registrar.peers().iter().any(|p| p.id == id && p.connected && p.state == PeerState::Active)
    };
    view.running_registrars().into_iter().find(|other| {
        let Some(id) = view.registrar(*other).map(Registrar::id) else { return false };
        let calm = view.calm_for(host, *other, settles_within(view.sctp, config));
        *other != host && calm && known(id) && !arbitration.acknowledged.contains(&id)
    })
}
