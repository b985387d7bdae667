//! Handle resolution (RFC 5352 section 3.3, draft asap-hropt).

use alloc::vec::Vec;

use super::Registrar;
use crate::base::{AssociationId, PoolHandle, ProtocolId};
use crate::wire::{AsapMessage, CauseCode, EncodeError, ErrorCause, PoolElement};

impl Registrar {
    /// Answers with elements in the order in which the pool's policy selects them.
    pub(super) fn handle_resolution(&mut self, from: AssociationId, handle: PoolHandle, items: Option<u32>) {
        let count = match items {
            None | Some(0) => self.config.resolution_items,
            Some(items) => items.min(self.config.max_resolution_items),
        };
        let Some((policy, selected)) = self.handlespace.select(&handle, count as usize, &mut self.random)
        else {
            self.counters.resolutions_unknown += 1;
            let error = Some(ErrorCause::bare(CauseCode::UNKNOWN_POOL_HANDLE).into());
            let (policy, elements) = (None, Vec::new());
            let answer =
                AsapMessage::HandleResolutionResponse { updates: false, handle, policy, elements, error };
            return self.send_asap(from, &answer);
        };
        self.counters.resolutions += 1;
        let policy = Some(policy.clone());
        let elements: Vec<PoolElement> = selected.into_iter().map(as_seen_by_users).collect();
        let mut answer =
            AsapMessage::HandleResolutionResponse { updates: false, handle, policy, elements, error: None };
        loop {
            match answer.encode(self.config.padding) {
                Ok(bytes) => return self.outbox.send(from, ProtocolId::ASAP, bytes),
                // A message holds 65,535 octets: a user that wants as many as possible gets those.
                Err(EncodeError::TooLong(_)) => {}
                Err(_) => return,
            }
            let AsapMessage::HandleResolutionResponse { elements, .. } = &mut answer else { return };
            let fewer = elements.len() / 2;
            if fewer == 0 {
                return;
            }
            elements.truncate(fewer);
        }
    }
}

/// An element without its ASAP transport, which is the business of registrars (reading A10).
fn as_seen_by_users(element: &PoolElement) -> PoolElement {
    PoolElement { asap_transport: None, ..element.clone() }
}
