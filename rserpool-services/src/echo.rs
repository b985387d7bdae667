//! Echo (RFC 862, over sessions): every message goes back to its sender.

use alloc::collections::VecDeque;

use rserpool_core::base::Instant;

use crate::service::{Service, ServiceAction, ServiceEvent};

/// Sends each message back, with its payload protocol identifier.
#[derive(Debug, Default)]
pub struct Echo {
    actions: VecDeque<ServiceAction>,
}

impl Echo {
    /// The pool in which it is offered.
    pub const POOL: &str = "EchoPool";
}

impl Service for Echo {
    fn handle_event(&mut self, _now: Instant, event: ServiceEvent) {
        if let ServiceEvent::Received { session, protocol, bytes } = event {
            self.actions.push_back(ServiceAction::Send { session, protocol, bytes });
        }
    }

    fn poll_action(&mut self) -> Option<ServiceAction> {
        self.actions.pop_front()
    }
}
