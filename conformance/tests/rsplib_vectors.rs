//! The messages of RSPLIB 3.4.4: decoded, compared with what Wireshark reads, and encoded again.

use bytes::Bytes;
use conformance::{Protocol, Vector, rsplib};
use rserpool_core::wire::{AsapMessage, EnrpMessage, Padding};

/// Decodes and encodes again; `None` if it does not decode.
fn recode(vector: &Vector, octets: &[u8]) -> Option<Bytes> {
    let octets = Bytes::copy_from_slice(octets);
    let encoded = match vector.protocol {
        Protocol::Asap => AsapMessage::decode(&octets).ok()?.message.encode(Padding::Padded),
        Protocol::Enrp => EnrpMessage::decode(&octets).ok()?.message.encode(Padding::Padded),
    };
    Some(encoded.expect("what was decoded can be encoded"))
}

/// PARAM-2-01, PARAM-3-01, ASAP-2-01, ENRP-2-01
#[test]
fn encode_again_to_the_same_octets() {
    let vectors = rsplib();
    assert_eq!(vectors.len(), 86);
    for vector in vectors {
        let encoded = recode(&vector, &vector.octets);
        assert_eq!(encoded.as_deref(), Some(&*vector.octets), "{}", vector.name);
    }
}
