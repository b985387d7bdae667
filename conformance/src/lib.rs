//! Conformance of RSerPool: vectors, the coverage of the requirements, and what fuzzers drive.
//!
//! * [`vectors`] reads the messages in `vectors/`, whose README tells others how to use them;
//! * [`coverage`] finds the tests that cite each requirement of the RFCs;
//! * [`fuzzing`] holds what the fuzz targets do, so that tests can replay their corpora;
//! * [`transport`] is the table of what the transport has to do with other SCTP stacks;
//! * `throughput` (feature of the same name) is how fast it is;
//! * `sessions` (features `scenarios` and `throughput`) is what sessions keep and cost;
//! * `scenarios` (feature of the same name) is what a scope must do on every runtime.
//!
//! Nothing here is part of the implementation.

pub mod coverage;
pub mod fuzzing;
#[cfg(feature = "scenarios")]
pub mod scenarios;
#[cfg(all(feature = "scenarios", feature = "throughput"))]
pub mod sessions;
#[cfg(feature = "throughput")]
pub mod throughput;
pub mod transport;
mod vector;

use std::path::{Path, PathBuf};

pub use coverage::requirements;
pub use vector::{
    ChecksumElement, ChecksumVector, Expectation, StreamVector, TomlVector, checksum_vectors, stream_vectors,
    vectors,
};

/// Any stack over UDP, to be chosen at run time.
trait UdpStack: rserpool_transport::Stack + rserpool_transport::Datagrams {}

impl<S: rserpool_transport::Stack + rserpool_transport::Datagrams> UdpStack for S {}

/// Which protocol a vector belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum Protocol {
    /// ASAP (RFC 5352).
    #[serde(rename = "ASAP")]
    Asap,
    /// ENRP (RFC 5353).
    #[serde(rename = "ENRP")]
    Enrp,
}

/// A folder or file of this crate.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// One message as it was on the wire.
#[derive(Clone, Debug)]
pub struct Vector {
    /// What is special about it.
    pub name: &'static str,
    /// Its protocol.
    pub protocol: Protocol,
    /// The message.
    pub octets: Vec<u8>,
    /// The message as Wireshark reads it, one field a line, without the line of its name.
    pub decoded: &'static str,
}

/// All messages of RSPLIB 3.4.4 in `vectors/`.
///
/// # Panics
///
/// A file is damaged.
pub fn rsplib() -> Vec<Vector> {
    parse(include_str!("../vectors/rsplib-3.4.4.txt"), include_str!("../vectors/rsplib-3.4.4.decoded.txt"))
}

/// Joins a file of `name protocol hex` lines with a file of decoded messages, each under a line
/// `=== name ...`.
fn parse(messages: &'static str, decoded: &'static str) -> Vec<Vector> {
    let decoded: std::collections::BTreeMap<&str, &str> = decoded
        .split("=== ")
        .filter_map(|section| section.split_once('\n'))
        .map(|(title, text)| (title.split(' ').next().unwrap_or(title), text))
        .collect();
    let vectors = messages.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    vectors
        .map(|line| {
            let mut words = line.split_whitespace();
            let (Some(name), Some(protocol), Some(hex)) = (words.next(), words.next(), words.next()) else {
                panic!("not a vector: {line}");
            };
            let protocol = match protocol {
                "ASAP" => Protocol::Asap,
                "ENRP" => Protocol::Enrp,
                other => panic!("not a protocol: {other}"),
            };
            let decoded = decoded.get(name).copied().unwrap_or_else(|| panic!("{name} is not decoded"));
            Vector { name, protocol, octets: octets(hex), decoded }
        })
        .collect()
}

/// The octets that hexadecimal digits stand for.
///
/// # Panics
///
/// Something else is among the digits.
pub fn octets(hex: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).unwrap_or_else(|| panic!("not hexadecimal: {hex}")) as u8;
    hex.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |octet, c| octet << 4 | digit(*c))).collect()
}
