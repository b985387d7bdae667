//! Pages of the handle table for registrars that download it (RFC 5353 sections 2.3, 3.2.3 and 3.6.3).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::{AssociationId, PoolHandle, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::context::{Context, Timer};
use crate::registrar::listing::Listing;
use crate::wire::{EnrpBody, PoolElement, PoolEntry, octets_of_element, octets_of_handle};

/// How far each download of our handle table has come.
#[derive(Debug, Default)]
pub(in crate::registrar) struct Downloads(BTreeMap<AssociationId, Cursor>);

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
        let cursor = self.0.remove(&from).filter(|cursor| cursor.own_only == own_only);
        let (pools, more) = page(ctx, listing, cursor.map(|cursor| cursor.after).as_ref(), own_only);
        let last = pools.last().and_then(|entry| {
            Some(PeHandle { pool: entry.handle.clone(), element: entry.elements.last()?.id })
        });
        // ENRP-3.2.3-12: a download that is not continued in time is discarded.
        if let Some(after) = last.filter(|_| more) {
            self.0.insert(from, Cursor { own_only, after });
            let due = ctx.answer_due();
            ctx.deadlines.set(Timer::Download(from), due);
        } else {
            ctx.deadlines.clear(&Timer::Download(from));
        }
        ctx.send_enrp(from, sender, EnrpBody::HandleTableResponse { rejected: false, more, pools });
    }

    /// The next page has not been asked for in time.
    pub(in crate::registrar) fn download_due(&mut self, association: AssociationId) {
        let cursor = self.0.remove(&association);
        debug_assert!(cursor.is_some(), "the deadline of a download outlived it");
    }

    /// The association has ended, and a download over it.
    pub(in crate::registrar) fn download_ended(&mut self, ctx: &mut Context, association: AssociationId) {
        if self.0.remove(&association).is_some() {
            ctx.deadlines.clear(&Timer::Download(association));
        }
    }

    #[cfg(test)]
    pub(in crate::registrar) fn is_under_way(&self, association: AssociationId) -> bool {
        self.0.contains_key(&association)
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
