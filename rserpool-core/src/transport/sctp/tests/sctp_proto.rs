use crate::transport::sctp::SctpProto as Tested;

#[path = "suite/mod.rs"]
mod suite;
