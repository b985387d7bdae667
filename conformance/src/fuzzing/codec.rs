//! Octets as messages, and messages as octets.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use rserpool_core::wire::{
    AsapMessage, Decoded, EncodeError, EnrpMessage, Field, Padding, describe_asap, describe_enrp,
};

/// Any octets as ASAP: decoding and describing never panics, and what decodes means the same after
/// it is encoded again.
pub fn decode_asap(octets: &[u8]) {
    let described = describe_asap(octets);
    let Ok(decoded) = AsapMessage::decode(&Bytes::copy_from_slice(octets)) else {
        return says_malformed(&described);
    };
    match decoded.message.encode(Padding::Padded) {
        Ok(again) => assert_eq!(AsapMessage::decode(&again).map(|d| d.message), Ok(decoded.message)),
        Err(error) => only_too_long(error, octets),
    }
}

/// The same for ENRP.
pub fn decode_enrp(octets: &[u8]) {
    let described = describe_enrp(octets);
    let Ok(decoded) = EnrpMessage::decode(&Bytes::copy_from_slice(octets)) else {
        return says_malformed(&described);
    };
    match decoded.message.encode(Padding::Padded) {
        Ok(again) => assert_eq!(EnrpMessage::decode(&again).map(|d| d.message), Ok(decoded.message)),
        Err(error) => only_too_long(error, octets),
    }
}

/// Any valid message: it is the same after encoding and decoding, with both forms of padding.
pub fn round_trip(octets: &[u8]) {
    let Ok((asap, enrp)) = <(AsapMessage, EnrpMessage)>::arbitrary_take_rest(Unstructured::new(octets))
    else {
        return;
    };
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
}

fn says_malformed(described: &Field) {
    assert!(described.fields.last().is_some_and(|last| last.name == "Malformed"), "{described}");
    let _ = described.to_string();
}

/// A message of 65,533 octets and more has no room to count its padding.
fn only_too_long(error: EncodeError, octets: &[u8]) {
    assert!(matches!(error, EncodeError::TooLong(_)) && octets.len() > 65_532, "{error}");
}
