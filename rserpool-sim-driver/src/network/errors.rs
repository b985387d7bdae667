//! What the network says of datagrams of whole nodes that are not delivered: true, late, lost or forged.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::Random;
use rserpool_transport::{Obstacle, Undelivered};

use super::Network;
use crate::id::HostId;
use crate::random::{Purpose, stream};

/// Of so many reports one is lost, as where they are limited in rate, and another one is late.
const SPOILT: u64 = 8;
/// How late it is at most: the process that it speaks of may have a successor by then.
const LATE: u64 = 1_000;
/// Of so many datagrams one gets a report that nobody has caused.
const FORGED: u64 = 64;
/// Octets of a datagram that are returned, as by Linux.
const QUOTED: usize = 520;

#[derive(Debug)]
pub(super) struct Errors(Random);

impl Errors {
    pub(super) fn new(seed: u64) -> Self {
        Self(stream(seed, HostId(0), Purpose::Errors))
    }
}

impl Network {
    /// How long the report takes that a datagram was not delivered; `None` if it is lost.
    pub(crate) fn report(&mut self, from: HostId, to: HostId) -> Option<Duration> {
        let travel = self.datagram(from, to)?;
        let Errors(random) = &mut self.errors;
        match random.below(SPOILT) {
            0 => None,
            1 => Some(travel + Duration::from_millis(random.below(LATE))),
            _ => Some(travel),
        }
    }

    /// Now and then somebody says that a datagram was not delivered. Who does not see it cannot know its tag. Who does may
    /// return it, but neither what opens an association nor HEARTBEATs: by these he could end it, as he could by an
    /// ABORT.
    pub(crate) fn forge(&mut self, destination: SocketAddr, bytes: &Bytes) -> Option<Undelivered> {
        const FIRST_CHUNK: usize = 12;
        const DATA_OR_SACK: [u8; 2] = [0, 3];
        let Errors(random) = &mut self.errors;
        if random.below(FORGED) > 0 {
            return None;
        }
        let obstacle = match random.below(3) {
            0 => Obstacle::PortClosed,
            1 => Obstacle::NoRoute,
            _ => Obstacle::TooBig { mtu: random.next_u32() % 2_000 },
        };
        let mut quote = quote(bytes).to_vec();
        let returnable = quote.get(FIRST_CHUNK).is_some_and(|kind| DATA_OR_SACK.contains(kind));
        if !returnable || random.below(2) > 0 {
            let wrong = 1 << random.below(8);
            quote.get_mut(4 + random.below(4) as usize).into_iter().for_each(|octet| *octet ^= wrong);
        }
        Some(Undelivered { destination, obstacle, quote: quote.into() })
    }
}

/// What comes back of a datagram.
pub(crate) fn quote(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len().min(QUOTED))
}
