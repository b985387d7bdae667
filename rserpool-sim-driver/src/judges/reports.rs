//! Reports of elements that cannot be reached, and the keep-alives by which registrars find out: users report
//! no element that they can reach, reports take effect at any registrar, and no element is asked too often.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rserpool_core::base::{AssociationId, ElementId, Instant};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::Registrar;

use super::view::View;
use crate::applications::Server;
use crate::hosts::Mode;
use crate::id::HostId;
use crate::violation::Violation;

/// How often reports may have an element asked (RFC 5355 section 2.14.3 wants a limit).
const ASKED_AT_MOST_EACH: Duration = Duration::from_secs(1);

/// Keep-alives beyond those of timers and reports in one second: when a registrar becomes the home of an
/// element, and over a new association in place of one that broke.
const EXTRA_KEEP_ALIVES: u32 = 3;

/// The remembered facts about reports and keep-alives.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// When users were last told to report an element.
    told: BTreeMap<HostId, Instant>,
    /// Reports that registrars have got about elements that are dead.
    pending: Vec<Report>,
    /// The keep-alives of the last second.
    asked: BTreeMap<Asked, VecDeque<Instant>>,
}

/// By a registrar, in one life of its process, on a host, which element if it is named.
type Asked = (HostId, u32, HostId, Option<ElementId>);

#[derive(Debug)]
struct Report {
    registrar: HostId,
    /// The life of the process that got it.
    life: u32,
    pe: PeHandle,
    at: Instant,
}

impl Reports {
    /// A user was told to report the elements of its sessions.
    pub(super) fn told_to_report(&mut self, now: Instant, user: HostId) {
        self.told.insert(user, now);
    }

    /// A user reports an element: one that it could not reach.
    pub(super) fn sent(
        &self,
        view: &View<'_>,
        user: HostId,
        over: AssociationId,
        pe: &PeHandle,
    ) -> Result<(), Violation> {
        let Some(client) = view.client(user) else { return Ok(()) };
        // It may have to find a registrar before it can report.
        let late = client.config().hunt.timeout_max * 2 + view.settled();
        if self.told.get(&user).is_some_and(|told| view.now.since(*told) <= late) {
            return Ok(());
        }
        // It could not report before, for as long as it could not reach the registrar.
        let reached = view.host(user).peer(over).is_some_and(|to| view.calm_for(user, to, late * 2));
        let owners = view.hosts_of_element(pe);
        let (&[element], true) = (owners.as_slice(), reached) else { return Ok(()) };
        // That a server is full may be overtaken by the end of the association.
        if view.reorders() && view.server(element).is_some_and(Server::turns_away) {
            return Ok(());
        }
        match view.calm_since(user, element).filter(|since| view.now.since(*since) > late * 2) {
            None => Ok(()),
            Some(since) => {
                let (a, b) = (view.name(user), view.name(element));
                let detail = format!("{a} reports {b} ({pe}), with which it could talk since {since:?}");
                Err(Violation::new("no element is reported that can be reached", detail))
            }
        }
    }

    /// A registrar has got a report.
    pub(super) fn heard(&mut self, view: &View<'_>, registrar: HostId, pe: PeHandle) {
        let owners = view.hosts_of_element(&pe);
        let dead = owners.iter().all(|owner| view.host(*owner).died().is_some());
        if dead && !owners.is_empty() && is_listed(view, registrar, &pe) {
            let life = view.host(registrar).life();
            self.pending.push(Report { registrar, life, pe, at: view.now });
        }
    }

    /// A registrar has removed an element. It may get it back from a home that has not noticed yet.
    pub(super) fn removed(&mut self, registrar: HostId, pe: &PeHandle) {
        self.pending.retain(|report| report.registrar != registrar || report.pe != *pe);
    }

    /// A registrar that has got a report about an element that is dead asks the element, whether it is its
    /// home or not, and removes it when there is no answer.
    pub(super) fn judge(&mut self, view: &View<'_>) -> Result<(), Violation> {
        let mut ignored = None;
        self.pending.retain(|report| {
            let Report { registrar, life, pe, at } = report;
            let died = |owner: &HostId| view.host(*owner).died();
            let dead = view.hosts_of_element(pe).iter().all(|o| died(o).is_some_and(|died| died <= *at));
            let host = view.host(*registrar);
            let Some(config) = view.registrar_config(*registrar) else { return false };
            let undisturbed = host.life() == *life && host.is_well() && host.disturbed() <= *at;
            if !dead || !undisturbed || !is_listed(view, *registrar, pe) {
                return false;
            }
            // It waits for an answer, for a new association, which another process may accept and close, then a little,
            // and for one more.
            let attempts = config.keep_alive_timeout * 5;
            let patience = ASKED_AT_MOST_EACH + attempts + view.longest_delay() * 6;
            if view.now.since(*at) > patience {
                ignored = Some((*registrar, pe.clone(), *at));
            }
            true
        });
        ignored.map_or(Ok(()), |(registrar, pe, at)| {
            let detail =
                format!("{} lists {pe}, which is dead and was reported at {at:?}", view.name(registrar));
            Err(Violation::new("a report about a dead element takes effect at any registrar", detail))
        })
    }

    /// A registrar asks an element whether it is alive.
    pub(super) fn asks(
        &mut self,
        view: &View<'_>,
        registrar: HostId,
        over: AssociationId,
        named: Option<ElementId>,
    ) -> Result<(), Violation> {
        let Some(config) = view.registrar_config(registrar) else { return Ok(()) };
        let Some(element) = view.host(registrar).peer(over) else { return Ok(()) };
        let asked = (registrar, view.host(registrar).life(), element, named);
        let recent = self.asked.entry(asked).or_default();
        recent.push_back(view.now);
        let window = ASKED_AT_MOST_EACH;
        while recent.front().is_some_and(|at| view.now.since(*at) >= window) {
            recent.pop_front();
        }
        // Intervals vary by half.
        let regular = window.as_nanos().div_ceil((config.keep_alive_interval / 2).as_nanos().max(1)) as usize;
        let most = regular + 1 + EXTRA_KEEP_ALIVES as usize;
        if recent.len() <= most || view.mode == Mode::Packets {
            return Ok(());
        }
        let (a, b) = (view.name(registrar), view.name(element));
        let detail = format!("{a} asked {b} {} times within a second, {most} at most", recent.len());
        Err(Violation::new("keep-alives to an element are bounded by time", detail))
    }
}

fn is_listed(view: &View<'_>, registrar: HostId, pe: &PeHandle) -> bool {
    let lists = |registrar: &Registrar| registrar.handlespace().get(pe).is_some();
    view.registrar(registrar).is_some_and(lists)
}
