//! Echo, but a message that begins with a time goes back after that time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, ProtocolId};
use rserpool_services::{Service, ServiceAction, ServiceEvent};

use crate::settings::Time;

/// Messages that are slept on at the same time; further ones go back at once.
const MAX_SLEEPING: usize = 10_000;

/// The service.
#[derive(Default)]
pub(super) struct Sleep {
    /// The answers that are not due yet, by their times and the order in which they were asked for.
    sleeping: BTreeMap<(Instant, u64), (AssociationId, ProtocolId, Bytes)>,
    asked: u64,
    actions: VecDeque<ServiceAction>,
}

impl Sleep {
    fn answer(&mut self, session: AssociationId, protocol: ProtocolId, bytes: Bytes) {
        self.actions.push_back(ServiceAction::Send { session, protocol, bytes });
    }
}

impl Service for Sleep {
    fn handle_event(&mut self, now: Instant, event: ServiceEvent) {
        match event {
            ServiceEvent::Received { session, protocol, bytes } => {
                match time_of(&bytes).filter(|_| self.sleeping.len() < MAX_SLEEPING) {
                    Some(time) => {
                        self.asked += 1;
                        self.sleeping.insert((now + time, self.asked), (session, protocol, bytes));
                    }
                    None => self.answer(session, protocol, bytes),
                }
            }
            ServiceEvent::Closed { session } => self.sleeping.retain(|_, (of, ..)| *of != session),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(entry) = self.sleeping.first_entry().filter(|entry| entry.key().0 <= now) {
            let (session, protocol, bytes) = entry.remove();
            self.answer(session, protocol, bytes);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.sleeping.first_key_value().map(|((at, _), _)| *at)
    }

    fn poll_action(&mut self) -> Option<ServiceAction> {
        self.actions.pop_front()
    }
}

/// The time with which a message begins, if it does.
fn time_of(message: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(message.get(..message.len().min(32))?).ok()?;
    let time: Time = text.split_whitespace().next()?.parse().ok()?;
    Some(time.0)
}
