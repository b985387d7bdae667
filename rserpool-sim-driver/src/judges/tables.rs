//! Handle tables (RFC 5353 section 3.2.3): from its first page to its last, a table lists everything.

use std::collections::{BTreeMap, BTreeSet};

use rserpool_core::base::{AssociationId, Instant};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::wire::PoolEntry;

use super::view::View;
use crate::hosts::Mode;
use crate::id::HostId;
use crate::violation::Violation;

/// The handle tables that are being sent, each over one association.
#[derive(Debug, Default)]
pub(super) struct Tables(BTreeMap<(HostId, AssociationId), Table>);

#[derive(Debug)]
struct Table {
    /// The sender's own elements, as they were at the first page, without those listed since.
    missing: BTreeSet<PeHandle>,
    /// When the last page was sent.
    paged: Instant,
}

impl Tables {
    /// The process of a host has ended.
    pub(super) fn ended(&mut self, host: HostId) {
        self.0.retain(|(sender, _), _| *sender != host);
    }

    /// A registrar has sent a page. A table lists every element of its sender that was there all the time. (A
    /// packet may bring a request for a page and more: what a whole node has sent is judged when all of it
    /// has been handled, and the handlespace may have changed by then.)
    pub(super) fn page(
        &mut self,
        view: &View<'_>,
        host: HostId,
        over: AssociationId,
        more: bool,
        pools: &[PoolEntry],
    ) -> Result<(), Violation> {
        if view.mode == Mode::Packets {
            return Ok(());
        }
        let Some(config) = view.registrar_config(host) else { return Ok(()) };
        let patience = config.enrp.max_time_no_response;
        let Some(registrar) = view.registrar(host) else { return Ok(()) };
        let (id, space) = (registrar.id(), registrar.handlespace());
        let first = || {
            let own = space.elements_after(None).filter(|(_, element)| element.home == id);
            let own = own.map(|(pool, element)| PeHandle { pool: pool.clone(), element: element.id });
            Table { missing: own.collect(), paged: view.now }
        };
        let table = self.0.entry((host, over)).or_insert_with(first);
        // If the next page is asked for late, the sender may begin again, or may just not have forgotten:
        // either is right.
        if view.now.since(table.paged) >= patience {
            table.missing.clear();
        }
        table.paged = view.now;
        // An element that has another home now is left out, and may have come back before the last page.
        let is_own = |pe: &PeHandle| space.get(pe).is_some_and(|element| element.home == id);
        table.missing.retain(is_own);
        for pool in pools {
            for element in &pool.elements {
                table.missing.remove(&PeHandle { pool: pool.handle.clone(), element: element.id });
            }
        }
        if more {
            return Ok(());
        }
        let table = self.0.remove(&(host, over));
        match table.and_then(|table| table.missing.into_iter().next()) {
            None => Ok(()),
            Some(pe) => {
                let detail = format!("{} did not list {pe}", view.name(host));
                Err(Violation::new("a table lists everything", detail))
            }
        }
    }
}
