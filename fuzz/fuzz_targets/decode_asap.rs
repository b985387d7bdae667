//! Any octets as ASAP.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| conformance::fuzzing::decode_asap(octets));
