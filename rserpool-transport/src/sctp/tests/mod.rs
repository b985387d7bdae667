//! The same tests for each engine.
#![allow(clippy::duplicate_mod, reason = "the suite is compiled once for each engine")]

#[cfg(feature = "dcsctp")]
mod dcsctp;
mod sctp_proto;
