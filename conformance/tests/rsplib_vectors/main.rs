//! The messages of RSPLIB 3.4.4: decoded, compared with what Wireshark reads, and encoded again.

mod wireshark;

use bytes::Bytes;
use conformance::{Protocol, Vector, rsplib};
use rserpool_core::wire::{AsapMessage, EnrpMessage, Field, Padding, describe_asap, describe_enrp};

/// Decodes and encodes again; `None` if it does not decode.
fn recode(protocol: Protocol, octets: &[u8]) -> Option<Bytes> {
    let octets = Bytes::copy_from_slice(octets);
    let encoded = match protocol {
        Protocol::Asap => AsapMessage::decode(&octets).ok()?.message.encode(Padding::Padded),
        Protocol::Enrp => EnrpMessage::decode(&octets).ok()?.message.encode(Padding::Padded),
    };
    Some(encoded.expect("what was decoded can be encoded"))
}

fn describe(protocol: Protocol, octets: &[u8]) -> Field {
    match protocol {
        Protocol::Asap => describe_asap(octets),
        Protocol::Enrp => describe_enrp(octets),
    }
}

/// PARAM-2-01, PARAM-3-01, ASAP-2-01, ENRP-2-01
#[test]
fn encode_again_to_the_same_octets() {
    let vectors = rsplib();
    assert_eq!(vectors.len(), 86);
    for Vector { name, protocol, octets, .. } in vectors {
        assert_eq!(recode(protocol, &octets).as_deref(), Some(&*octets), "{name}");
    }
}

/// Every value that Wireshark reads is in our message, in the same order, and no other is.
/// PARAM-3.1-01, PARAM-3.2-01, PARAM-3.4-01, PARAM-3.5-01, PARAM-3.8-01, PARAM-3.9-01, PARAM-3.10-01,
/// PARAM-3.11-01, PARAM-3.12-02, PARAM-3.13-01, PARAM-3.14-01, PARAM-3.15-01, ASAP-2.2.1-01,
/// ASAP-2.2.6-01, ENRP-2.1-02, ENRP-2.3-01, ENRP-2.4-01, ENRP-2.6-01, ENRP-2.7-01
#[test]
fn values_are_those_of_wireshark() {
    for Vector { name, protocol, octets, decoded } in rsplib() {
        let octets = Bytes::from(octets);
        let ours = match protocol {
            Protocol::Asap => wireshark::asap(&AsapMessage::decode(&octets).expect(name).message),
            Protocol::Enrp => wireshark::enrp(&EnrpMessage::decode(&octets).expect(name).message),
        };
        assert_eq!(ours, wireshark::values(decoded), "{name}");
    }
}

/// The tree that we show has the parameters and causes of Wireshark's, at the same depth, with the
/// same types and lengths, and ends where the message ends.
#[test]
fn trees_are_those_of_wireshark() {
    for Vector { name, protocol, octets, decoded } in rsplib() {
        let tree = describe(protocol, &octets);
        let mut ours = Vec::new();
        wireshark::structure_of_tree(&tree, 0, &mut ours);
        assert_eq!(ours, wireshark::structure(decoded), "{name}");
        assert_eq!(covered(&tree), octets.len(), "{name}:\n{tree}");
    }
}

/// How many octets the innermost fields cover; they follow each other without gaps.
fn covered(field: &Field) -> usize {
    // Flags share the octet of the field that holds them.
    if field.fields.is_empty() || field.name == "Message Flags" {
        return field.length;
    }
    let mut at = field.offset;
    for inner in &field.fields {
        assert_eq!(inner.offset, at, "{inner}");
        at += covered(inner);
    }
    assert_eq!(at - field.offset, field.length, "{field}");
    field.length
}

#[test]
fn no_panic_when_cut_or_flipped() {
    for Vector { protocol, octets, .. } in rsplib() {
        for length in 0..octets.len() {
            let _ = recode(protocol, &octets[..length]);
            let _ = describe(protocol, &octets[..length]).to_string();
        }
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = recode(protocol, &flipped);
            let _ = describe(protocol, &flipped);
        }
    }
}
