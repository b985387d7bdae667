//! The data phase of an association, done by a library: fragmentation, retransmission,
//! congestion control, reassembly, order. Everything else is done by this stack.
//!
//! Both libraries are whole SCTP stacks. An association in them is started in the middle, as if
//! they had done the handshake, and they see DATA and SACK chunks only; of what they send only
//! those two are taken. So their cookies, tags, heartbeats, shutdowns and aborts, with whatever
//! defects they have, never run. What they see of the common header is made up.

mod clock;
#[cfg(feature = "dcsctp")]
mod dcsctp;
mod sctp_proto;

use std::fmt::Debug;
use std::num::NonZeroU64;

use bytes::{BufMut, Bytes, BytesMut};
use rserpool_core::base::{Instant, ProtocolId, SctpPort};

use super::chunk::{Data, Init, kind};
use super::config::SctpConfig;
use super::packet::{CHUNK_HEADER, Chunk, HEADER, Header};

#[cfg(feature = "dcsctp")]
pub use self::dcsctp::Dcsctp;
pub use self::sctp_proto::SctpProto;

/// A library that carries the data of associations: [`SctpProto`], or `Dcsctp` with the feature
/// `dcsctp`. What the two have in common is private to this crate, so there are no others.
pub trait Engine: Drive {}

/// What [`Engine`] stands for.
pub trait Drive: Debug + Sized {
    /// The data phase of one association.
    type Flow: Debug;

    fn new(config: &SctpConfig) -> Self;

    /// Starts the data phase after a handshake. `None` if the library refuses the values.
    fn open(&mut self, now: Instant, local: &Init, peer: &Init) -> Option<Self::Flow>;

    /// Forgets a flow.
    fn close(&mut self, flow: &Self::Flow);

    /// Queues a message. `false` if the library does not take it, which happens only to a flow
    /// that is dead.
    fn write(&mut self, now: Instant, flow: &mut Self::Flow, message: &Outgoing, receipt: Receipt) -> bool;

    /// Hands in what one packet contains, and out which messages of ours the peer has. Those of the peer wait for
    /// [`Drive::read`].
    ///
    /// # Errors
    /// The flow is dead.
    fn receive(
        &mut self,
        now: Instant,
        flow: &mut Self::Flow,
        portions: &[Portion],
        delivered: impl FnMut(Receipt),
    ) -> Result<(), Broken>;

    /// Hands out the messages of the peer. As long as they are not read they take room in the receive window.
    ///
    /// # Errors
    /// The flow is dead.
    fn read(&mut self, now: Instant, flow: &mut Self::Flow, emit: impl FnMut(Received))
    -> Result<(), Broken>;

    /// What the flow wants to send now, DATA and SACK chunks.
    fn transmit(&mut self, now: Instant, flow: &mut Self::Flow, emit: impl FnMut(Chunk));

    /// When the flow's next timer is due.
    fn timeout(&self, flow: &Self::Flow) -> Option<Instant>;

    /// Runs the flow's timers.
    fn handle_timeout(&mut self, now: Instant, flow: &mut Self::Flow);
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub(super) protocol: ProtocolId,
    pub(super) stream: u16,
    pub(super) bytes: Bytes,
}

/// What the ledger wants to know of a message when the peer has it. Means nothing to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt(pub(super) NonZeroU64);

/// What an engine reads of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Portion {
    Data(Data),
    /// A SACK that was checked, and the last TSN that it acknowledges in sequence.
    Sack(Chunk, u32),
}

impl Portion {
    /// Its octets as a chunk, padding included.
    fn size(&self) -> usize {
        match self {
            Self::Data(data) => (16 + data.payload.len()).next_multiple_of(4),
            Self::Sack(chunk, _) => chunk.size(),
        }
    }
}

/// A message that the peer has sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    pub(super) protocol: ProtocolId,
    pub(super) stream: u16,
    pub(super) bytes: Bytes,
}

/// The peer has broken the protocol, or sent a message longer than we take: the flow is dead.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

/// Two ports, for headers that never leave this stack.
const PORT: u16 = 5000;

/// A packet as a library shall see it, with a checksum of 0; `None` if nothing is left. The identifier
/// is what the library shall take for the payload protocol identifier, and what to put in front of the
/// payload. DATA is marked so that it is acknowledged at once: when that goes out is decided in
/// [`super::sacks`].
fn inward(
    tag: u32,
    portions: &[Portion],
    identifier: impl Fn(&Data) -> (u32, Option<u32>),
) -> Option<BytesMut> {
    let room: usize = portions.iter().map(|portion| portion.size() + CHUNK_HEADER).sum();
    let mut packet = BytesMut::with_capacity(HEADER + room);
    Header { source_port: SctpPort(PORT), destination_port: SctpPort(PORT), tag }.put(&mut packet);
    for portion in portions {
        let start = packet.len();
        packet.put_u32(0);
        let (kind, flags) = match portion {
            Portion::Sack(chunk, _) => {
                packet.put_slice(&chunk.body);
                (kind::SACK, 0)
            }
            Portion::Data(data) => {
                let (protocol, prefix) = identifier(data);
                packet.put_u32(data.tsn);
                packet.put_u16(data.stream);
                packet.put_u16(data.sequence);
                packet.put_u32(protocol);
                if let Some(prefix) = prefix {
                    packet.put_u32(prefix);
                }
                packet.put_slice(&data.payload);
                (kind::DATA, data.flags | Data::IMMEDIATE)
            }
        };
        // A chunk that fills a datagram of 64 KiB has no room for more.
        let Ok(length) = u16::try_from(packet.len() - start) else {
            packet.truncate(start);
            continue;
        };
        packet[start..start + 2].copy_from_slice(&[kind, flags]);
        packet[start + 2..start + CHUNK_HEADER].copy_from_slice(&length.to_be_bytes());
        packet.put_bytes(0, packet.len().next_multiple_of(4) - packet.len());
    }
    (packet.len() > HEADER).then_some(packet)
}
