//! A deterministic simulated world for the state machines of `rserpool-core`.
//!
//! [`World`] runs registrars, elements and users, the very code of production, under a virtual
//! clock: 20 seconds pass in milliseconds, and the same seed gives the same run, octet for octet.

mod app;
mod association;
mod capture;
pub mod explore;
mod fault;
mod host;
mod invariants;
mod network;
mod presets;
mod random;
mod trace;
mod transport;
mod verdict;
mod world;

pub use app::{Client, Conversation, Failover, Load, Note, Server, Service, Violation};
pub use fault::{Fault, Order};
pub use host::{Host, HostId, Process, Program};
pub use network::{Link, Sctp};
pub use trace::{Trace, TraceMode};
pub use world::{UDP_PORT, World, WorldConfig};
