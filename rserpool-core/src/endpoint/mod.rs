//! What registrar, pool element and pool user have in common: the contract by which they are
//! driven, and the hunt for a registrar that element and user share.

pub(crate) mod asap;
pub(crate) mod config;
mod contract;
pub(crate) mod counters;
pub mod hunt;
#[cfg(test)]
pub(crate) mod testing;

pub use config::ConfigError;
pub use contract::{
    AbortCause, AbortReason, Action, Channel, ConnectError, DownReason, Endpoint, Event, MAX_MESSAGE, Outbox,
};
