//! Counters and peers for whoever asks: a private protocol of this project
//! ([`ProtocolId::MANAGEMENT`]).
//!
//! A message with the octets `counters` is answered by one with a line `name value` for each
//! counter; `peers` by one with a line for each peer, its fields parted by tabs. They tell no more
//! than the handlespace and the list of servers do, which ENRP tells anyone; a setting turns them off.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write;

use bytes::Bytes;

use super::{PeerStatus, Registrar};
use crate::base::{AssociationId, ProtocolId};
use crate::endpoint::management::{COUNTERS_REQUEST, PEERS_HEADER, PEERS_REQUEST};

impl Registrar {
    pub(super) fn handle_management(&mut self, from: AssociationId, request: &Bytes) {
        let text = match &request[..] {
            COUNTERS_REQUEST => self.counters_text(),
            PEERS_REQUEST => self.peers_text(),
            _ => {
                self.counters.malformed += 1;
                return;
            }
        };
        self.outbox.send(from, ProtocolId::MANAGEMENT, text.into());
    }

    fn counters_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.figures().named() {
            let _ = writeln!(text, "{name} {value}");
        }
        text
    }

    fn peers_text(&self) -> String {
        let mut text = format!("{PEERS_HEADER}\n");
        for peer in self.peers() {
            let PeerStatus { id, address, connected, state, elements, checksum, announced_checksum } = peer;
            let announced = announced_checksum.map_or_else(|| "-".into(), |sum| format!("{sum:#06x}"));
            let address = address.map_or_else(|| "-".into(), |address| address.to_string());
            let _ = writeln!(
                text,
                "{id}\t{state}\t{connected}\t{elements}\t{checksum:#06x}\t{announced}\t{address}"
            );
        }
        text
    }
}
