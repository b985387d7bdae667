//! What we send over an association, done by a library: retransmission and congestion control. Everything else is
//! done by this stack, also the cutting of messages ([`fragments`]), and what the peer sends
//! ([`super::receiver`]).
//!
//! Both libraries are whole SCTP stacks. An association in them is started in the middle, as if
//! they had done the handshake, and they see SACK chunks only; of what they send only DATA is
//! taken. So their cookies, tags, heartbeats, shutdowns and aborts, with whatever
//! defects they have, never run. What they see of the common header is made up.

mod clock;
#[cfg(feature = "dcsctp")]
mod dcsctp;
mod fragments;
mod sctp_proto;

use std::fmt::Debug;
use std::num::NonZeroU64;

use bytes::{BufMut, Bytes, BytesMut};
use rserpool_core::base::{Instant, ProtocolId, SctpPort};

use super::chunk::{Init, kind};
use super::config::SctpConfig;
use super::packet::{CHUNK_HEADER, Chunk, HEADER, Header};

#[cfg(feature = "dcsctp")]
pub use self::dcsctp::Dcsctp;
pub use self::sctp_proto::SctpProto;

/// A library that sends the data of associations: [`SctpProto`], or `Dcsctp` with the feature
/// `dcsctp`. What the two have in common is private to this crate, so there are no others.
pub trait Engine: Drive {}

/// What [`Engine`] stands for.
pub trait Drive: Debug + Sized {
    /// What is sent over one association.
    type Flow: Debug;

    fn new(config: &SctpConfig) -> Self;

    /// Starts after a handshake. `None` if the library refuses the values.
    fn open(&mut self, now: Instant, local: &Init, peer: &Init) -> Option<Self::Flow>;

    /// Forgets a flow.
    fn close(&mut self, flow: &Self::Flow);

    /// Queues a message, in fragments of at most `size` octets; no more than [`SctpConfig::max_fragment`]. `false` if
    /// the library does not take it, which happens only to a flow that is dead.
    fn write(
        &mut self,
        now: Instant,
        flow: &mut Self::Flow,
        message: &Outgoing,
        receipt: Receipt,
        size: usize,
    ) -> bool;

    /// The peer has acknowledged something: hands in a SACK that was checked, and out the receipts of the messages
    /// that the peer has.
    ///
    /// # Errors
    /// The flow is dead.
    fn acknowledge(
        &mut self,
        now: Instant,
        flow: &mut Self::Flow,
        sack: &Acknowledgement,
        delivered: impl FnMut(Receipt),
    ) -> Result<(), Broken>;

    /// What the flow wants to send now, DATA chunks.
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

/// A SACK that was checked: the chunk, and the last TSN that it acknowledges in sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub(super) chunk: Chunk,
    pub(super) cumulative: u32,
}

/// The library has given the flow up.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

/// Two ports, for headers that never leave this stack.
const PORT: u16 = 5000;

/// A packet with a SACK as a library shall see it, with a checksum of 0.
fn inward(tag: u32, sack: &Chunk) -> BytesMut {
    let mut packet = BytesMut::with_capacity(HEADER + sack.size());
    Header { source_port: SctpPort(PORT), destination_port: SctpPort(PORT), tag }.put(&mut packet);
    packet.put_u8(kind::SACK);
    packet.put_u8(0);
    // It came out of a datagram: it fits.
    packet.put_u16(u16::try_from(CHUNK_HEADER + sack.body.len()).unwrap_or(u16::MAX));
    packet.put_slice(&sack.body);
    packet
}
