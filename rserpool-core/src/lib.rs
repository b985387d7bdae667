//! Reliable Server Pooling (RFC 5351-5356) as pure state machines without I/O.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod base;
#[cfg(feature = "driver")]
pub mod driver;
pub mod element;
pub mod endpoint;
pub mod handlespace;
pub mod inspector;
#[cfg(feature = "sctp")]
pub mod node;
pub mod policy;
pub mod registrar;
#[cfg(feature = "sctp")]
pub mod transport;
pub mod user;
pub mod wire;
