//! What all other modules are built on: time, identifiers, deadlines, seeded randomness.
//!
//! Nothing here knows a protocol, reads a clock or asks the operating system for entropy. The driver hands in
//! time and seeds.

mod address;
mod deadlines;
mod id;
mod random;
mod source;
mod time;

pub use address::{
    ASAP_PORT, ASAP_TCP_PORT, Carrier, DEFAULT_ENCAPSULATION_PORT, ENRP_PORT, MAX_KEPT_ADDRESSES,
    MAX_TRIED_ADDRESSES, SctpAddress, SctpPort, TcpAddress, TransportAddress, UdpPort, is_usable_address,
};
pub use deadlines::Deadlines;
pub use id::{AssociationId, CommandId, ConnectId, ElementId, PoolHandle, ProtocolId, RegistrarId};
pub use random::Random;
pub use source::Source;
pub use time::Instant;
