//! What every part of the element works with.

use bytes::Bytes;

use super::config::ElementConfig;
use super::counters::Counters;
use super::interface::{Answer, Notice};
use super::seal::CookieError;
use crate::base::{AssociationId, ElementId, PoolHandle, ProtocolId};
use crate::endpoint::Outbox;
use crate::wire::AsapMessage;

#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: ElementConfig,
    pub(super) id: ElementId,
    pub(super) counters: Counters,
    pub(super) outbox: Outbox<Answer, Notice>,
    /// The business card for users, as a message.
    pub(super) card: Option<Bytes>,
}

impl Context {
    /// Whether a message with this pool handle and identifier is about our element.
    pub(super) fn is_about_us(&self, handle: &PoolHandle, element: ElementId) -> bool {
        *handle == self.config.handle && element == self.id
    }

    /// A cookie of ours, sealed if the element has a seal.
    pub(super) fn seal_cookie(&self, cookie: Bytes) -> Bytes {
        match &self.config.cookie_seal {
            Some(seal) => seal.get().seal(&self.config.handle, self.id, &cookie),
            None => cookie,
        }
    }

    /// The content of a cookie that a user has brought (ASAP-3.8-05: it is verified, if the element has a seal).
    pub(super) fn open_cookie(&self, cookie: &Bytes) -> Result<Bytes, CookieError> {
        match &self.config.cookie_seal {
            Some(seal) => seal.get().open(&self.config.handle, cookie),
            None => Ok(cookie.clone()),
        }
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
