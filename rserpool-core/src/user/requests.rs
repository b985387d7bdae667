//! The supervised requests of a session: kept until they are answered.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Delivery, RequestId};
use crate::base::{Instant, ProtocolId};

/// How many supervised requests of one session may be unanswered at the same time. Bounds memory
/// where requests are so short that their octets do not.
pub const MAX_UNANSWERED: usize = 10_000;

/// The unanswered requests of one session, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Requests {
    queue: BTreeMap<u64, Kept>,
    place: BTreeMap<RequestId, u64>,
    next: u64,
    octets: usize,
}

/// One unanswered request.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) request: RequestId,
    pub(super) protocol: ProtocolId,
    pub(super) bytes: Bytes,
    /// The application is told instead of the request being sent again.
    report: bool,
    /// When it was last sent; `None` while it waits for an element.
    pub(super) sent: Option<Instant>,
}

impl Requests {
    /// The identifier of a message that is supervised.
    pub(super) const fn supervised(delivery: Delivery) -> Option<RequestId> {
        match delivery {
            Delivery::Once => None,
            Delivery::Retry(request) | Delivery::Report(request) => Some(request),
        }
    }

    pub(super) fn contains(&self, request: RequestId) -> bool {
        self.place.contains_key(&request)
    }

    /// Whether `octets` more, in one request, are within the bounds. A single request may be as
    /// large as it likes.
    pub(super) fn has_room(&self, octets: usize, limit: usize) -> bool {
        let within = self.octets.saturating_add(octets) <= limit;
        self.queue.is_empty() || (self.queue.len() < MAX_UNANSWERED && within)
    }

    /// Keeps a request if its delivery asks for it.
    pub(super) fn keep(
        &mut self,
        delivery: Delivery,
        protocol: ProtocolId,
        bytes: Bytes,
        sent: Option<Instant>,
    ) {
        let Some(request) = Self::supervised(delivery) else { return };
        self.octets = self.octets.saturating_add(bytes.len());
        self.place.insert(request, self.next);
        let report = matches!(delivery, Delivery::Report(_));
        self.queue.insert(self.next, Kept { request, protocol, bytes, report, sent });
        self.next += 1;
    }

    /// Forgets a request that was answered; false if it was not there.
    pub(super) fn answered(&mut self, request: RequestId) -> bool {
        match self.place.remove(&request).and_then(|place| self.queue.remove(&place)) {
            Some(kept) => {
                self.octets = self.octets.saturating_sub(kept.bytes.len());
                true
            }
            None => false,
        }
    }

    /// When the oldest request was last sent.
    pub(super) fn oldest_sent(&self) -> Option<Instant> {
        self.queue.first_key_value().and_then(|(_, kept)| kept.sent)
    }

    /// Takes those out that were sent and are to be reported, because their element has failed.
    pub(super) fn take_reports(&mut self) -> Vec<RequestId> {
        let due = self.queue.values().filter(|kept| kept.report && kept.sent.is_some());
        let reports: Vec<RequestId> = due.map(|kept| kept.request).collect();
        for request in &reports {
            self.answered(*request);
        }
        reports
    }

    /// All requests, to be sent (again) to another element.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Kept> {
        self.queue.values_mut()
    }
}
