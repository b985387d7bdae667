//! How many messages were sent, of which kind.

use std::collections::BTreeMap;

use bytes::Bytes;
use rserpool_core::base::ProtocolId;
use rserpool_core::wire::{AsapType, EnrpType};

/// Messages and their octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages.
    pub messages: u64,
    /// Their octets.
    pub octets: u64,
}

/// The messages that hosts have sent over associations. What a host sends while it is cut off does not count;
/// announcements do not either.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// By protocol and type, which is the first octet of messages of ASAP and ENRP, and 0 for all others.
    by_type: BTreeMap<(ProtocolId, u8), Sent>,
}

impl Traffic {
    pub(crate) fn add(&mut self, protocol: ProtocolId, bytes: &Bytes) {
        let kind = match protocol {
            ProtocolId::ASAP | ProtocolId::ENRP => bytes.first().copied().unwrap_or_default(),
            _ => 0,
        };
        let sent = self.by_type.entry((protocol, kind)).or_default();
        sent.messages += 1;
        sent.octets += bytes.len() as u64;
    }

    /// The messages of this type of ASAP.
    pub fn asap(&self, kind: AsapType) -> Sent {
        self.by_type.get(&(ProtocolId::ASAP, kind.0)).copied().unwrap_or_default()
    }

    /// The messages of this type of ENRP.
    pub fn enrp(&self, kind: EnrpType) -> Sent {
        self.by_type.get(&(ProtocolId::ENRP, kind.0)).copied().unwrap_or_default()
    }

    /// All messages of a protocol.
    pub fn of(&self, protocol: ProtocolId) -> Sent {
        let all = self.by_type.range((protocol, 0)..=(protocol, u8::MAX));
        all.fold(Sent::default(), |sum, (_, sent)| Sent {
            messages: sum.messages + sent.messages,
            octets: sum.octets + sent.octets,
        })
    }
}
