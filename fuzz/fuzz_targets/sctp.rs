//! The SCTP packet layer under lost, changed and forged packets.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| conformance::fuzzing::sctp(octets));
