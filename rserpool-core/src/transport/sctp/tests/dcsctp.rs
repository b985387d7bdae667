use crate::transport::sctp::Dcsctp as Tested;

#[path = "suite/mod.rs"]
mod suite;
