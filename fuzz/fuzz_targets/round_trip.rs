//! Any valid message, written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| conformance::fuzzing::round_trip(octets));
