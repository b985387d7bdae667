//! Every vector in `vectors/*.toml`, as `vectors/README.md` says that it is to be checked.

mod meaning;

use std::collections::BTreeSet;

use bytes::Bytes;
use conformance::{Expectation, Protocol, TomlVector, vectors};
use rserpool_core::base::{ElementId, Instant, SctpPort};
use rserpool_core::endpoint::Event;
use rserpool_core::handlespace::Checksum;
use rserpool_core::wire::{AsapMessage, DecodeError, EnrpMessage, ErrorCause, Padding, Reaction};
use rserpool_transport::tcp::{Tcp, TcpConfig};
use rserpool_transport::{ConnectionEvent, Stack, Streams};
use toml::{Table, Value};

/// What our decoder makes of octets: the meaning, the reported parameters, and the message written
/// again.
fn decode(protocol: Protocol, octets: &Bytes) -> Result<(Table, Vec<ErrorCause>, Bytes), DecodeError> {
    let again = "what was decoded can be encoded";
    Ok(match protocol {
        Protocol::Asap => {
            let decoded = AsapMessage::decode(octets)?;
            let encoded = decoded.message.encode(Padding::Strict).expect(again);
            (meaning::asap(&decoded.message), decoded.report, encoded)
        }
        Protocol::Enrp => {
            let decoded = EnrpMessage::decode(octets)?;
            let encoded = decoded.message.encode(Padding::Strict).expect(again);
            (meaning::enrp(&decoded.message), decoded.report, encoded)
        }
    })
}

fn reports(causes: &[ErrorCause]) -> Vec<Value> {
    causes.iter().map(meaning::cause).collect()
}

/// Says what is wrong with a vector, or nothing.
fn judge(vector: &TomlVector) -> Result<(), String> {
    let octets = Bytes::from(conformance::octets(&vector.hex));
    let expected: Vec<_> = vector.reports.iter().cloned().map(Value::Table).collect();
    match (vector.expect, decode(vector.protocol, &octets)) {
        (Expectation::Accept, Ok((meaning, reported, encoded))) => {
            let mut message = Value::Table(vector.message.clone().ok_or("no message")?);
            meaning::with_address_octets(&mut message);
            same("meaning", &message, &Value::Table(meaning))?;
            same("reports", &expected, &reports(&reported))?;
            if vector.canonical { same("octets", &octets, &encoded) } else { Ok(()) }
        }
        (Expectation::Discard, Err(DecodeError { reaction: Reaction::Discard, .. })) => Ok(()),
        (Expectation::Report, Err(DecodeError { reaction: Reaction::Report(error), .. })) => {
            same("reports", &expected, &reports(&error.causes))
        }
        (expectation, other) => Err(format!("{expectation:?} was expected: {other:?}")),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, ours: &T) -> Result<(), String> {
    if expected == ours { Ok(()) } else { Err(format!("{what}: expected {expected:?}, ours {ours:?}")) }
}

/// PARAM-2-01, PARAM-2-02, PARAM-3-01 to -3-10, PARAM-3.1-01, PARAM-3.2-01, PARAM-3.3-01,
/// PARAM-3.4-01 to -3.4-03, PARAM-3.5-01, PARAM-3.6-01, PARAM-3.7-01, PARAM-3.8-01, PARAM-3.8-02,
/// PARAM-3.9-01, PARAM-3.10-01 to -3.10-05, PARAM-3.11-01, PARAM-3.12-01, PARAM-3.12-02,
/// PARAM-3.12.1-01, PARAM-3.12.2-01, PARAM-3.12.3-01, PARAM-3.12.4-01, PARAM-3.12.7-01,
/// PARAM-3.12.10-01, PARAM-3.13-01, PARAM-3.14-01, PARAM-3.15-01, PARAM-3.16-01, PARAM-4-01 to
/// -4-07, ASAP-2-01, ASAP-2.2-01, ENRP-2-01, ENRP-2-02, POL-3.1-01, POL-4.1.4-01, POL-4.2.4-01,
/// POL-4.3.4-01, POL-4.4.4-01, POL-4.5.4-01, POL-5.1.4-01, POL-5.2.4-01, POL-5.3.4-01,
/// POL-5.4.4-01, POL-7.1-01, POL-7.1-02, and the layout of every message: ASAP-2.2.1-01,
/// ASAP-2.2.2-01, ASAP-2.2.3-01, ASAP-2.2.4-01, ASAP-2.2.5-01, ASAP-2.2.6-01, ASAP-2.2.7-01,
/// ASAP-2.2.8-01, ASAP-2.2.9-01, ASAP-2.2.10-01, ASAP-2.2.10-02, ASAP-2.2.11-01, ASAP-2.2.12-01,
/// ASAP-2.2.13-01, ASAP-2.2.14-01, ENRP-2.1-01, ENRP-2.1-02, ENRP-2.2-01, ENRP-2.3-01, ENRP-2.3-03,
/// ENRP-2.4-01 to -2.4-03, ENRP-2.5-01, ENRP-2.6-01, ENRP-2.7-01, ENRP-2.8-01, ENRP-2.9-01,
/// ENRP-2.10-01.
#[test]
fn every_vector_holds() {
    let vectors = vectors();
    let wrong: Vec<_> = vectors
        .iter()
        .filter_map(|v| judge(v).err().map(|error| format!("{}/{}: {error}\n{}", v.file, v.name, v.hex)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), vectors.len(), wrong.join("\n\n"));
}

/// Enough of them, each with a name of its own, and every message type among the good ones.
#[test]
fn vectors_are_many_and_cover_every_message() {
    let vectors = vectors();
    let names: BTreeSet<_> = vectors.iter().map(|v| (&v.file, &v.name)).collect();
    assert_eq!(names.len(), vectors.len());
    assert!(vectors.iter().filter(|v| v.origin.is_none()).count() >= 300);
    assert_eq!(vectors.iter().filter(|v| v.origin.is_some()).count(), 86);
    let types: BTreeSet<_> = vectors
        .iter()
        .filter(|v| v.origin.is_none() && v.canonical)
        .filter_map(|v| v.message.as_ref()?.get("type")?.as_str())
        .collect();
    assert_eq!(types.len(), 14 + 10);
}

/// The vectors cite requirements that exist.
#[test]
fn vectors_cite_what_exists() {
    let known = conformance::requirements();
    for vector in vectors() {
        for id in &vector.requirements {
            assert!(known.iter().any(|row| row.id == *id), "{}/{} cites {id}", vector.file, vector.name);
        }
    }
}

/// ENRP-3.6.2-01, ENRP-3.6.2-02, ENRP-3.6.2-05
#[test]
fn checksums_are_those_of_the_vectors() {
    let vectors = conformance::checksum_vectors();
    assert!(vectors.len() >= 10);
    for vector in vectors {
        let mut sum = Checksum::default();
        let elements = vector
            .elements
            .iter()
            .map(|e| (rserpool_core::base::PoolHandle::new(conformance::octets(&e.handle)), ElementId(e.id)));
        let elements: Vec<_> = elements.collect();
        elements.iter().for_each(|(handle, id)| sum.add(handle, *id));
        assert_eq!(sum.value(), vector.checksum, "{}", vector.name);
        // One more, and out again: incremental subtraction is exact.
        let other = rserpool_core::base::PoolHandle::from("other");
        sum.add(&other, ElementId(0xffff_ffff));
        sum.remove(&other, ElementId(0xffff_ffff));
        assert_eq!(sum.value(), vector.checksum, "{}", vector.name);
    }
}

/// ASAP-2.1-02, ASAP-3.3-10, reading B14: whole, and octet by octet.
#[test]
fn streams_are_cut_as_the_vectors_say() {
    let vectors = conformance::stream_vectors();
    assert!(vectors.len() >= 10);
    for vector in vectors {
        let octets = conformance::octets(&vector.hex);
        let expected: Vec<Bytes> =
            vector.messages.iter().map(|message| conformance::octets(message).into()).collect();
        for piece in [1, octets.len().max(1)] {
            assert_eq!(cut(&octets, piece), (expected.clone(), vector.ends), "{} by {piece}", vector.name);
        }
    }
}

/// The messages that a registrar reads from these octets, and whether it ends the connection.
fn cut(octets: &[u8], piece: usize) -> (Vec<Bytes>, bool) {
    let now = Instant::ORIGIN;
    let mut tcp = Tcp::new(TcpConfig::default(), SctpPort(3863));
    let client = "192.0.2.1:50000".parse().expect("an address");
    let connection = tcp.accept(now, client).expect("there is room");
    for octets in octets.chunks(piece) {
        tcp.handle_connection(now, connection, ConnectionEvent::Received(Bytes::copy_from_slice(octets)));
    }
    let (mut messages, mut ends) = (Vec::new(), false);
    while let Some(event) = tcp.poll_event() {
        match event {
            Event::Message { bytes, .. } => messages.push(bytes),
            Event::Disconnected { .. } => ends = true,
            _ => {}
        }
    }
    (messages, ends)
}
