//! ENRP requests for the peer list and the handle table (RFC 5353 sections 3.2.2, 3.2.3 and 3.3).
//!
//! Anyone may ask, also with sender identifier 0, as `rserpool pools` does; asking makes nobody a
//! peer. The part of a peer (presence, updates, audit, takeover) is not here yet.

use alloc::vec::Vec;

use super::Registrar;
use crate::base::{AssociationId, PoolHandle, ProtocolId, RegistrarId};
use crate::handlespace::PeHandle;
use crate::wire::{EnrpBody, EnrpMessage, PoolElement, PoolEntry};

/// Where the download of a handle table over one association stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableCursor {
    /// The W flag of the session; another value begins a new one (reading B25).
    own_only: bool,
    /// The last element sent.
    after: PeHandle,
}

/// Octets of an ENRP header with sender and receiver.
const HEADER_OCTETS: usize = 12;

impl Registrar {
    pub(super) fn handle_enrp(&mut self, from: AssociationId, message: EnrpMessage) {
        if message.receiver != RegistrarId::NONE && message.receiver != self.id {
            self.counters.unexpected += 1;
            return;
        }
        match message.body {
            EnrpBody::ListRequest => {
                self.counters.enrp_requests += 1;
                let body = EnrpBody::ListResponse { rejected: false, servers: Vec::new() };
                self.send_enrp(from, message.sender, body);
            }
            EnrpBody::HandleTableRequest { own_only } => {
                self.counters.enrp_requests += 1;
                let body = self.table_page(from, own_only);
                self.send_enrp(from, message.sender, body);
            }
            EnrpBody::Error { .. } => self.counters.errors_received += 1,
            EnrpBody::Presence { .. }
            | EnrpBody::HandleTableResponse { .. }
            | EnrpBody::HandleUpdate { .. }
            | EnrpBody::ListResponse { .. }
            | EnrpBody::InitTakeover { .. }
            | EnrpBody::InitTakeoverAck { .. }
            | EnrpBody::TakeoverServer { .. } => self.counters.unexpected += 1,
        }
    }

    pub(super) fn send_enrp(&mut self, to: AssociationId, receiver: RegistrarId, body: EnrpBody) {
        let message = EnrpMessage { sender: self.id, receiver, body };
        if let Ok(bytes) = message.encode(self.config.padding) {
            self.outbox.send(to, ProtocolId::ENRP, bytes);
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
            octets += octets_of(element) + if opens { octets_of_handle(handle) } else { 0 };
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
    pub(super) fn pool_entries(&self) -> Vec<PoolEntry> {
        let entry = |(handle, pool): (&PoolHandle, &crate::handlespace::Pool)| PoolEntry {
            handle: handle.clone(),
            elements: pool.elements_after(None).cloned().collect(),
        };
        self.handlespace.pools().map(entry).collect()
    }
}

fn octets_of(element: &PoolElement) -> usize {
    element.to_parameter().len().next_multiple_of(4)
}

fn octets_of_handle(handle: &PoolHandle) -> usize {
    4 + handle.as_bytes().len().next_multiple_of(4)
}
