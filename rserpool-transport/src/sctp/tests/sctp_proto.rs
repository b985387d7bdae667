use crate::sctp::SctpProto as Tested;

#[path = "suite/mod.rs"]
mod suite;
