//! The element's side of ping pong.

use alloc::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant};

use super::{Message, PROTOCOL, cookie, read_cookie};
use crate::service::{Service, ServiceAction, ServiceEvent};

/// Answers pings.
///
/// The cookie goes before the pong that it covers, and both go the same way in order. So no user can know of a reply
/// that its cookie does not tell of, and after a failover the numbers never go back. (If the element dies between the
/// two, a number is left out: the ping is asked again, and gets the next one.)
#[derive(Debug, Default)]
pub struct PingPong {
    /// The number that the next reply in each session will have.
    next: BTreeMap<AssociationId, u64>,
    /// What was not a ping or a cookie of this service, and was left alone.
    strange: u64,
    actions: VecDeque<ServiceAction>,
}

impl PingPong {
    /// How many messages and cookies were left alone because they are not of this service.
    pub const fn strange(&self) -> u64 {
        self.strange
    }

    fn answer(&mut self, session: AssociationId, message: u64, data: Bytes) {
        let next = self.next.entry(session).or_insert(1);
        let pong = Message::Pong { message, reply: *next, data };
        *next = next.saturating_add(1);
        self.actions.push_back(ServiceAction::SendCookie { session, cookie: cookie(*next) });
        self.actions.push_back(ServiceAction::Send { session, protocol: PROTOCOL, bytes: pong.encode() });
    }
}

impl Service for PingPong {
    fn handle_event(&mut self, _now: Instant, event: ServiceEvent) {
        match event {
            ServiceEvent::Restored { session, cookie } => match read_cookie(&cookie) {
                Ok(next) => {
                    self.next.insert(session, next);
                }
                Err(_) => self.strange += 1,
            },
            ServiceEvent::Received { session, protocol: PROTOCOL, bytes } => match Message::decode(&bytes) {
                Ok(Message::Ping { message, data }) => self.answer(session, message, data),
                _ => self.strange += 1,
            },
            ServiceEvent::Received { .. } => self.strange += 1,
            ServiceEvent::Closed { session } => {
                self.next.remove(&session);
            }
            // The user has it already, but the element cannot know that: it waits for this answer.
            ServiceEvent::CookieWanted { session } => {
                let next = self.next.get(&session).copied().unwrap_or(1);
                self.actions.push_back(ServiceAction::SendCookie { session, cookie: cookie(next) });
            }
            ServiceEvent::Opened { .. } | ServiceEvent::Room { .. } => {}
        }
    }

    fn poll_action(&mut self) -> Option<ServiceAction> {
        self.actions.pop_front()
    }
}
