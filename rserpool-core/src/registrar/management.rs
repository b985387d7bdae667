//! Counters for whoever asks: a private protocol of this project ([`ProtocolId::MANAGEMENT`]).
//!
//! A message with the octets `counters` is answered by one with a line `name value` for each
//! counter. It tells no more than the handlespace does, which ENRP tells anyone; a setting turns
//! it off.

use alloc::string::String;
use core::fmt::Write;

use bytes::Bytes;

use super::Registrar;
use crate::base::{AssociationId, ProtocolId};

/// The one question there is.
pub(crate) const COUNTERS_REQUEST: &[u8] = b"counters";

impl Registrar {
    pub(super) fn handle_management(&mut self, from: AssociationId, request: &Bytes) {
        if request != COUNTERS_REQUEST {
            self.counters.malformed += 1;
            return;
        }
        let mut text = String::new();
        for (name, value) in self.figures() {
            let _ = writeln!(text, "{name} {value}");
        }
        self.outbox.send(from, ProtocolId::MANAGEMENT, text.into());
    }
}
