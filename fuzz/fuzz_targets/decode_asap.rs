//! Any octets as ASAP: decoding and describing never panics, and what decodes means the same
//! after it is encoded again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rserpool_core::wire::{AsapMessage, EncodeError, Padding, describe_asap};

fuzz_target!(|octets: &[u8]| {
    let _ = describe_asap(octets).to_string();
    let Ok(decoded) = AsapMessage::decode(&Bytes::copy_from_slice(octets)) else { return };
    match decoded.message.encode(Padding::Padded) {
        Ok(again) => assert_eq!(AsapMessage::decode(&again).map(|d| d.message), Ok(decoded.message)),
        // A message of 65,533 octets and more has no room to count its padding.
        Err(error) => assert!(matches!(error, EncodeError::TooLong(_)) && octets.len() > 65_532),
    }
});
