//! Pages of the handle table for registrars that download it (RFC 5353 sections 2.3, 3.2.3 and 3.6.3).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::{AssociationId, PoolHandle, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::context::{Context, Timer};
use crate::registrar::listing::Listing;
use crate::wire::{EnrpBody, PoolElement, PoolEntry, octets_of_element, octets_of_handle};

/// The downloads of our handle table.
#[derive(Debug, Default)]
pub(in crate::registrar) struct Downloads {
    /// How far each has come.
    cursors: BTreeMap<AssociationId, Cursor>,
    /// The requests for our own elements that are not answered yet, with who sent them. A peer that may know
    /// more of our elements than we do would remove them.
    deferred: BTreeMap<AssociationId, RegistrarId>,
}

/// How far the download over one association has come.
#[derive(Debug)]
struct Cursor {
    /// The W flag of the session; another value begins a new one (reading B25).
    own_only: bool,
    /// The last element sent.
    after: PeHandle,
}

/// Octets of an ENRP header with sender and receiver.
const HEADER_OCTETS: usize = 12;

impl Downloads {
    pub(in crate::registrar) fn answer_table_request(
        &mut self,
        ctx: &mut Context,
        listing: &Listing,
        from: AssociationId,
        sender: RegistrarId,
        own_only: bool,
    ) {
        ctx.counters.enrp_requests += 1;
        if !ctx.is_serving() {
            let (rejected, more, pools) = (true, false, Vec::new());
            return ctx.send_enrp(from, sender, EnrpBody::HandleTableResponse { rejected, more, pools });
        }
        let cursor = self.cursors.remove(&from).filter(|cursor| cursor.own_only == own_only);
        let (pools, more) = page(ctx, listing, cursor.map(|cursor| cursor.after).as_ref(), own_only);
        let last = pools.last().and_then(|entry| {
            Some(PeHandle { pool: entry.handle.clone(), element: entry.elements.last()?.id })
        });
        // ENRP-3.2.3-12: a download that is not continued in time is discarded.
        if let Some(after) = last.filter(|_| more) {
            self.cursors.insert(from, Cursor { own_only, after });
            let due = ctx.answer_due();
            ctx.deadlines.set(Timer::Download(from), due);
        } else {
            ctx.deadlines.clear(&Timer::Download(from));
        }
        ctx.send_enrp(from, sender, EnrpBody::HandleTableResponse { rejected: false, more, pools });
    }

    /// A request for our own elements is answered later.
    pub(in crate::registrar) fn defer(&mut self, from: AssociationId, sender: RegistrarId) {
        self.deferred.insert(from, sender);
    }

    /// Answers the requests of the peers that need not wait any longer.
    pub(in crate::registrar) fn answer_deferred(
        &mut self,
        ctx: &mut Context,
        listing: &Listing,
        may_know: impl Fn(RegistrarId) -> bool,
    ) {
        if self.deferred.is_empty() || ctx.is_closing() {
            return;
        }
        let due = self.deferred.iter().filter(|(_, sender)| may_know(**sender));
        for (from, sender) in due.map(|(from, sender)| (*from, *sender)).collect::<Vec<_>>() {
            self.deferred.remove(&from);
            self.answer_table_request(ctx, listing, from, sender, true);
        }
    }

    /// The next page has not been asked for in time.
    pub(in crate::registrar) fn download_due(&mut self, association: AssociationId) {
        let cursor = self.cursors.remove(&association);
        debug_assert!(cursor.is_some(), "the deadline of a download outlived it");
    }

    /// The association has ended, and a download over it.
    pub(in crate::registrar) fn download_ended(&mut self, ctx: &mut Context, association: AssociationId) {
        self.deferred.remove(&association);
        if self.cursors.remove(&association).is_some() {
            ctx.deadlines.clear(&Timer::Download(association));
        }
    }

    #[cfg(test)]
    pub(in crate::registrar) fn is_under_way(&self, association: AssociationId) -> bool {
        self.cursors.contains_key(&association)
    }
}

/// The elements after `after` that fit into one page, and whether there are more.
fn page(
    ctx: &Context,
    listing: &Listing,
    after: Option<&PeHandle>,
    own_only: bool,
) -> (Vec<PoolEntry>, bool) {
    let limit = ctx.config.handle_table_octets;
    match own_only {
        true => fill(limit, listing.elements_of_home_after(ctx.id, after)),
        false => fill(limit, listing.elements_after(after)),
    }
}

fn fill<'a>(
    limit: usize,
    elements: impl Iterator<Item = (&'a PoolHandle, &'a PoolElement)>,
) -> (Vec<PoolEntry>, bool) {
    let mut pools: Vec<PoolEntry> = Vec::new();
    let mut octets = HEADER_OCTETS;
    for (handle, element) in elements {
        let opens = pools.last().is_none_or(|entry| entry.handle != *handle);
        octets += octets_of_element(element) + if opens { octets_of_handle(handle) } else { 0 };
        // A page takes at least one element, however small pages are configured: otherwise a download would
        // never end.
        if octets > limit && !pools.is_empty() {
            return (pools, true);
        }
        if opens {
            pools.push(PoolEntry { handle: handle.clone(), elements: Vec::new() });
        }
        if let Some(entry) = pools.last_mut() {
            entry.elements.push(element.clone());
        }
    }
    (pools, false)
}
