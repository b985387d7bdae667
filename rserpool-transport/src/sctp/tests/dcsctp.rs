use crate::sctp::Dcsctp as Tested;

#[path = "suite/mod.rs"]
mod suite;
