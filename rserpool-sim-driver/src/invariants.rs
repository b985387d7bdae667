//! What must always hold, and what must hold once the world has healed and come to rest.

use bytes::Bytes;
use rserpool_core::base::ProtocolId;
use rserpool_core::wire::{AsapMessage, EnrpMessage};

use crate::HostId;
use crate::app::{Note, Violation};
use crate::world::World;

/// What is remembered for the invariants.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) violation: Option<Violation>,
}

impl World {
    /// Every message that is sent decodes, with nothing to report.
    pub(crate) fn check_message(&mut self, host: HostId, protocol: ProtocolId, bytes: &Bytes) {
        let problem = match protocol {
            ProtocolId::ASAP => match AsapMessage::decode(bytes) {
                Ok(decoded) if decoded.report.is_empty() => return,
                Ok(decoded) => format!("{:?}", decoded.report),
                Err(error) => error.to_string(),
            },
            ProtocolId::ENRP => match EnrpMessage::decode(bytes) {
                Ok(decoded) if decoded.report.is_empty() => return,
                Ok(decoded) => format!("{:?}", decoded.report),
                Err(error) => error.to_string(),
            },
            _ => return,
        };
        let detail = format!("{} sent {bytes:02x?}: {problem}", self.host(host).name);
        self.violated(Violation::new("every message decodes", detail));
    }

    /// The same for announcements.
    pub(crate) fn check_announce(&mut self, bytes: &Bytes) {
        if !matches!(AsapMessage::decode(bytes), Ok(decoded) if decoded.report.is_empty()) {
            self.violated(Violation::new("every message decodes", format!("announcement {bytes:02x?}")));
        }
    }

    pub(crate) fn check_note(&mut self, _host: HostId, _note: &Note) {}
}
