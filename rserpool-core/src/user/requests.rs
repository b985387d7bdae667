//! The supervised requests of a session, which are kept until they are answered.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::interface::{Delivery, RequestId};
use crate::base::{Instant, ProtocolId};

/// The most supervised requests of one session that may be unanswered at the same time. It bounds memory if
/// requests are so short that the bound of their octets does not.
pub const MAX_UNANSWERED: usize = 10_000;

/// The unanswered requests of one session, in the order in which the application sent them.
#[derive(Debug, Default)]
pub(super) struct Requests {
    queue: BTreeMap<u64, Kept>,
    number: BTreeMap<RequestId, u64>,
    next: u64,
    octets: usize,
}

/// What happens to a request when its element fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnFailure {
    Resend,
    Report,
}

/// One unanswered request.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) request: RequestId,
    pub(super) protocol: ProtocolId,
    pub(super) bytes: Bytes,
    on_failure: OnFailure,
    /// When it was last sent; `None` while it waits for an element.
    pub(super) sent: Option<Instant>,
}

impl Requests {
    /// The identifier of a supervised message; `None` if the message is not supervised.
    pub(super) const fn supervised(delivery: Delivery) -> Option<RequestId> {
        match delivery {
            Delivery::Once => None,
            Delivery::Retry(request) | Delivery::Report(request) => Some(request),
        }
    }

    pub(super) fn contains(&self, request: RequestId) -> bool {
        self.number.contains_key(&request)
    }

    /// Whether there is room for a request of this many `octets`, if all requests together may have `limit`.
    /// A single request is always taken.
    pub(super) fn has_room(&self, octets: usize, limit: usize) -> bool {
        let within = self.octets.saturating_add(octets) <= limit;
        self.queue.is_empty() || (self.queue.len() < MAX_UNANSWERED && within)
    }

    /// Keeps a message if it is supervised.
    pub(super) fn keep(
        &mut self,
        delivery: Delivery,
        protocol: ProtocolId,
        bytes: Bytes,
        sent: Option<Instant>,
    ) {
        let (request, on_failure) = match delivery {
            Delivery::Once => return,
            Delivery::Retry(request) => (request, OnFailure::Resend),
            Delivery::Report(request) => (request, OnFailure::Report),
        };
        self.octets = self.octets.saturating_add(bytes.len());
        self.number.insert(request, self.next);
        self.queue.insert(self.next, Kept { request, protocol, bytes, on_failure, sent });
        self.next += 1;
        debug_assert_eq!(self.queue.len(), self.number.len(), "each request is kept once");
    }

    /// Forgets a request that was answered; false if it was not there.
    pub(super) fn answered(&mut self, request: RequestId) -> bool {
        match self.number.remove(&request).and_then(|number| self.queue.remove(&number)) {
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

    /// The element has failed: removes and returns the requests that were sent to it and have to be reported.
    pub(super) fn take_reports(&mut self) -> Vec<RequestId> {
        let due =
            self.queue.values().filter(|kept| kept.on_failure == OnFailure::Report && kept.sent.is_some());
        let reports: Vec<RequestId> = due.map(|kept| kept.request).collect();
        for request in &reports {
            self.answered(*request);
        }
        reports
    }

    /// All requests, to be sent to another element.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Kept> {
        self.queue.values_mut()
    }
}
