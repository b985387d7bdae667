//! Discard (RFC 863, over sessions): messages are swallowed.

use rserpool_core::base::Instant;

use crate::service::{Service, ServiceAction, ServiceEvent};

/// Takes every message and sends nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Discard {
    /// The pool in which it is offered.
    pub const POOL: &str = "DiscardPool";
}

impl Service for Discard {
    fn handle_event(&mut self, _now: Instant, _event: ServiceEvent) {}

    fn poll_action(&mut self) -> Option<ServiceAction> {
        None
    }
}
