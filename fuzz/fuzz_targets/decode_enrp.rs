//! Any octets as ENRP.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| conformance::fuzzing::decode_enrp(octets));
