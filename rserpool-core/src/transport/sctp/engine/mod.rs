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

use bytes::Bytes;

use super::chunk::{Data, Init};
use super::config::SctpConfig;
use super::packet::Chunk;
use crate::base::{Instant, ProtocolId};

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

    /// Hands in what one packet contains, and out what follows from it.
    ///
    /// # Errors
    /// The flow is dead.
    fn receive(
        &mut self,
        now: Instant,
        flow: &mut Self::Flow,
        portions: &[Portion],
        emit: impl FnMut(Arrival),
    ) -> Result<(), Broken>;

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

/// What follows from a packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The peer has sent a message.
    Message { protocol: ProtocolId, stream: u16, bytes: Bytes },
    /// The peer has the whole message that was queued with this receipt.
    Delivered(Receipt),
}

/// The peer has broken the protocol, or sent a message longer than we take: the flow is dead.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

/// Two ports, for headers that nobody sees.
const PORT: u16 = 5000;
