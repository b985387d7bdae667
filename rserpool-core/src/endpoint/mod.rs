//! What registrar, pool element and pool user have in common: the contract by which they are
//! driven, and the hunt for a registrar that element and user share.

mod contract;
pub mod hunt;

pub use contract::{AbortCause, Action, Channel, ConnectError, DownReason, Endpoint, Event, Outbox};
