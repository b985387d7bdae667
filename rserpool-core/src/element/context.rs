//! What every part of the element works with.

use super::config::ElementConfig;
use super::counters::Counters;
use super::interface::{Answer, Notice};
use crate::base::{AssociationId, ElementId, PoolHandle, ProtocolId};
use crate::endpoint::Outbox;
use crate::wire::AsapMessage;

#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: ElementConfig,
    pub(super) id: ElementId,
    pub(super) counters: Counters,
    pub(super) outbox: Outbox<Answer, Notice>,
}

impl Context {
    /// Whether a message with this pool handle and identifier is about our element.
    pub(super) fn is_about_us(&self, handle: &PoolHandle, element: ElementId) -> bool {
        *handle == self.config.handle && element == self.id
    }

    /// Sends an ASAP message. False if it is too long to be one, which only a configuration that was never
    /// checked can cause.
    pub(super) fn send(&mut self, to: AssociationId, message: &AsapMessage) -> bool {
        match message.encode(self.config.padding) {
            Ok(bytes) => {
                self.outbox.send(to, ProtocolId::ASAP, bytes);
                true
            }
            Err(_) => false,
        }
    }
}
