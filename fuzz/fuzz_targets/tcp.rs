//! ASAP over TCP: any octets in any pieces, from clients that read or do not.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| conformance::fuzzing::tcp(octets));
