//! Pages of the handle table for whoever asks (RFC 5353 sections 2.3, 3.2.3 and 3.6.3).

use alloc::vec::Vec;

use crate::base::{AssociationId, Instant, PoolHandle, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::{Registrar, Timer};
use crate::wire::{EnrpBody, PoolEntry, octets_of_element, octets_of_handle};

/// Where the download of a handle table over one association stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::registrar) struct TableCursor {
    /// The W flag of the session; another value begins a new one (reading B25).
    own_only: bool,
    /// The last element sent.
    after: PeHandle,
}

/// Octets of an ENRP header with sender and receiver.
const HEADER_OCTETS: usize = 12;

impl Registrar {
    pub(super) fn answer_table_request(
        &mut self,
        now: Instant,
        from: AssociationId,
        sender: RegistrarId,
        own_only: bool,
    ) {
        self.counters.enrp_requests += 1;
        let body = match self.is_serving() {
            true => self.table_page(from, own_only),
            false => EnrpBody::HandleTableResponse { rejected: true, more: false, pools: Vec::new() },
        };
        // A download that is not gone on with is given up (ENRP-3.2.3-12).
        match &body {
            EnrpBody::HandleTableResponse { more: true, .. } => {
                self.deadlines.set(Timer::Download(from), now + self.config.enrp.max_time_no_response);
            }
            _ => {
                self.deadlines.clear(&Timer::Download(from));
            }
        }
        self.send_enrp(from, sender, body);
    }

    /// Nobody has asked for the next page in time.
    pub(in crate::registrar) fn download_given_up(&mut self, association: AssociationId) {
        if let Some(link) = self.links.get_mut(&association) {
            link.table = None;
        }
    }

    /// The next page of the handle table for this association.
    fn table_page(&mut self, to: AssociationId, own_only: bool) -> EnrpBody {
        let cursor = self.links.get(&to).and_then(|link| link.table.clone());
        let after = cursor.filter(|cursor| cursor.own_only == own_only).map(|cursor| cursor.after);
        let mut pools: Vec<PoolEntry> = Vec::new();
        let mut octets = HEADER_OCTETS;
        let mut more = false;
        for (handle, element) in self.handlespace.elements_after(after.as_ref()) {
            if own_only && element.home != self.id {
                continue;
            }
            let opens = pools.last().is_none_or(|entry| entry.handle != *handle);
            octets += octets_of_element(element) + if opens { octets_of_handle(handle) } else { 0 };
            // One element goes into every page, however small pages are set, or none would end.
            if octets > self.config.handle_table_octets && !pools.is_empty() {
                more = true;
                break;
            }
            if opens {
                pools.push(PoolEntry { handle: handle.clone(), elements: Vec::new() });
            }
            if let Some(entry) = pools.last_mut() {
                entry.elements.push(element.clone());
            }
        }
        let last = pools.last().and_then(|entry| {
            Some(PeHandle { pool: entry.handle.clone(), element: entry.elements.last()?.id })
        });
        if let Some(link) = self.links.get_mut(&to) {
            link.table = last.filter(|_| more).map(|after| TableCursor { own_only, after });
        }
        EnrpBody::HandleTableResponse { rejected: false, more, pools }
    }

    /// The whole handlespace, pool by pool.
    pub(in crate::registrar) fn pool_entries(&self) -> Vec<PoolEntry> {
        let entry = |(handle, pool): (&PoolHandle, &crate::handlespace::Pool)| PoolEntry {
            handle: handle.clone(),
            elements: pool.elements_after(None).cloned().collect(),
        };
        self.handlespace.pools().map(entry).collect()
    }
}
