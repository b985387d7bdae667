//! Resynchronisations (RFC 5353 section 3.6): registrars that can talk have no reason for one.

use std::time::Duration;

use rserpool_core::base::{Instant, RegistrarId};

use super::scope::Scope;
use super::view::View;
use crate::id::HostId;
use crate::violation::Violation;

/// The remembered facts about checksums that differ, and about what excuses them.
#[derive(Debug, Default)]
pub(super) struct Audits {
    /// When elements got another home.
    moves: Vec<Instant>,
    /// When a registrar removed an element that did not answer it. Its home may be another one, which asks the
    /// element itself before it believes that.
    doubts: Vec<Instant>,
    /// When a registrar left an element to another one, and to which.
    yields: Vec<(Instant, HostId, RegistrarId)>,
    /// When a registrar asked another one for its own elements, although the two could talk all the time:
    /// time, asker, asked.
    audits: Vec<(Instant, HostId, HostId)>,
}

impl Audits {
    /// An element got another home.
    pub(super) fn moved(&mut self, now: Instant) {
        self.moves.push(now);
    }

    /// A registrar has removed an element that did not answer.
    pub(super) fn doubted(&mut self, now: Instant) {
        self.doubts.push(now);
    }

    /// A registrar has left an element to another one.
    pub(super) fn yielded(&mut self, now: Instant, host: HostId, home: RegistrarId) {
        self.yields.push((now, host, home));
    }

    /// A registrar resynchronises with another one because a checksum differs. Between two that could talk
    /// all the time, that happens only while elements move, which is known only afterwards.
    pub(super) fn asked(&mut self, view: &View<'_>, scope: &Scope, host: HostId, peer: RegistrarId) {
        let Some(config) = view.registrar_config(host) else { return };
        let Some(peer) = view.host_of_registrar(peer) else { return };
        if scope.is_settled(view, config) {
            self.audits.push((view.now, host, peer));
        }
    }

    /// Whether each of them had its reason.
    pub(super) fn judge(&self, view: &View<'_>) -> Result<(), Violation> {
        let crossing = view.longest_delay() * 6 + Duration::from_millis(5);
        let near =
            |at: Instant| self.moves.iter().any(|moved| at.since(*moved).max(moved.since(at)) <= crossing);
        let configs = view.hosts().filter_map(|(host, _)| view.registrar_config(host));
        let answered = configs.map(|config| config.keep_alive_timeout * 2 + config.enrp.heartbeat_cycle);
        let doubtful = answered.max().unwrap_or_default() + view.settled();
        let in_doubt =
            |at: Instant| self.doubts.iter().any(|doubt| *doubt <= at && at.since(*doubt) <= doubtful);
        let late = |(at, asker, asked): &&(Instant, HostId, HostId)| {
            !near(*at) && !in_doubt(*at) && !self.was_contended(view, *at, *asker, *asked, crossing)
        };
        match self.audits.iter().find(late) {
            None => Ok(()),
            Some((at, asker, asked)) => {
                let (a, b) = (view.name(*asker), view.name(*asked));
                let detail = format!("{a} had another checksum than {b} at {at:?}");
                Err(Violation::new("registrars that can talk miss no update", detail))
            }
        }
    }

    /// Whether two homes had claimed an element, and the asker may have heard the one that yields last: it
    /// finds out by the next heartbeat of either.
    fn was_contended(
        &self,
        view: &View<'_>,
        at: Instant,
        asker: HostId,
        asked: HostId,
        crossing: Duration,
    ) -> bool {
        let Some(config) = view.registrar_config(asked) else { return false };
        let late = crossing + config.enrp.heartbeat_cycle;
        let is = |host: HostId, id| view.registrar(host).is_some_and(|registrar| registrar.id() == id);
        let party = |host: HostId, from: HostId, to| host == from || is(host, to);
        self.yields.iter().any(|(moved, from, to)| {
            let third = party(asked, *from, *to) && !party(asker, *from, *to);
            third && *moved <= at && at.since(*moved) <= late
        })
    }
}
