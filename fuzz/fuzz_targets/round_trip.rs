//! Any valid message: it is the same after encoding and decoding, with both forms of padding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rserpool_core::wire::{AsapMessage, Decoded, EncodeError, EnrpMessage, Padding};

fuzz_target!(|messages: (AsapMessage, EnrpMessage)| {
    let (asap, enrp) = messages;
    for padding in [Padding::Strict, Padding::Padded] {
        match asap.encode(padding) {
            Ok(octets) => {
                let expected = Decoded { message: asap.clone(), report: Vec::new() };
                assert_eq!(AsapMessage::decode(&octets), Ok(expected));
            }
            Err(error) => assert!(matches!(error, EncodeError::TooLong(_))),
        }
        match enrp.encode(padding) {
            Ok(octets) => {
                let expected = Decoded { message: enrp.clone(), report: Vec::new() };
                assert_eq!(EnrpMessage::decode(&octets), Ok(expected));
            }
            Err(error) => assert!(matches!(error, EncodeError::TooLong(_))),
        }
    }
});
