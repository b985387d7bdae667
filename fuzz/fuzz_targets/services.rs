//! Services, and their users, under anything that a peer may say.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| conformance::fuzzing::services(octets));
