//! Daytime (RFC 867, over sessions): the time as text.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::fmt;

use rserpool_core::base::{Instant, ProtocolId};

use crate::service::{Service, ServiceAction, ServiceEvent};

/// Sends the time as text to whoever says something, and ends the session.
pub struct Daytime {
    clock: fn() -> String,
    actions: VecDeque<ServiceAction>,
}

impl Daytime {
    /// The pool in which it is offered.
    pub const POOL: &str = "DaytimePool";

    /// It asks `clock` for the text, without an end of line.
    pub const fn new(clock: fn() -> String) -> Self {
        Self { clock, actions: VecDeque::new() }
    }
}

impl Service for Daytime {
    fn handle_event(&mut self, _now: Instant, event: ServiceEvent) {
        if let ServiceEvent::Opened { session } = event {
            let bytes = ((self.clock)() + "\r\n").into();
            self.actions.push_back(ServiceAction::Send { session, protocol: ProtocolId(0), bytes });
            self.actions.push_back(ServiceAction::Close { session });
        }
    }

    fn poll_action(&mut self) -> Option<ServiceAction> {
        self.actions.pop_front()
    }
}

impl fmt::Debug for Daytime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daytime").field("actions", &self.actions).finish_non_exhaustive()
    }
}
