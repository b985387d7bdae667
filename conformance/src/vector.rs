//! The vectors in `vectors/*.toml`; `vectors/README.md` says what their keys mean.

use serde::Deserialize;

use crate::Protocol;

/// What the receiver of a vector does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// It takes the message.
    Accept,
    /// It drops the message without a word.
    Discard,
    /// It drops the message and sends an ERROR.
    Report,
}

/// A vector of a file in `vectors/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TomlVector {
    /// The file, without its ending.
    #[serde(skip)]
    pub file: String,
    /// The name, unique within the file.
    pub name: String,
    /// Where it comes from, if it is not our own.
    pub origin: Option<String>,
    /// The requirements on which it rests.
    pub requirements: Vec<String>,
    /// The protocol.
    pub protocol: Protocol,
    /// The octets, in hexadecimal digits.
    pub hex: String,
    /// What the receiver does.
    pub expect: Expectation,
    /// Whether an encoder that follows the RFCs writes exactly these octets.
    #[serde(default)]
    pub canonical: bool,
    /// On what the expectation rests if the RFCs do not settle it: a reading of READINGS.md, or a
    /// choice of this project that others may make otherwise.
    pub basis: Option<String>,
    /// The error causes with which the receiver answers.
    #[serde(default)]
    pub reports: Vec<toml::Table>,
    /// What an accepted message means.
    pub message: Option<toml::Table>,
}

/// An element in a vector of the PE checksum.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecksumElement {
    /// The octets of the pool handle, in hexadecimal digits.
    pub handle: String,
    /// The PE identifier.
    pub id: u32,
}

/// A vector of the PE checksum (RFC 5353 section 3.6.2).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecksumVector {
    /// The name.
    pub name: String,
    /// The requirements on which it rests.
    pub requirements: Vec<String>,
    /// The elements.
    pub elements: Vec<ChecksumElement>,
    /// The checksum over them.
    pub checksum: u16,
}

/// A vector of octets that a user sends to a registrar over TCP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamVector {
    /// The name.
    pub name: String,
    /// The requirements on which it rests.
    pub requirements: Vec<String>,
    /// The reading, or the choice of this project, on which it rests.
    pub basis: String,
    /// The octets, in hexadecimal digits.
    pub hex: String,
    /// The messages in them, padding included.
    pub messages: Vec<String>,
    /// Whether the registrar ends the connection then, because of a length that cannot be.
    pub ends: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<V> {
    vector: Vec<V>,
}

/// The files of the checksum vectors and of the streams; all others hold messages.
const CHECKSUMS: &str = "checksums";
const STREAMS: &str = "tcp-streams";

/// All vectors that are messages, our own and those of others.
///
/// # Panics
///
/// A file is damaged.
pub fn vectors() -> Vec<TomlVector> {
    let folder = crate::folder("vectors");
    let mut files: Vec<_> = folder
        .read_dir()
        .expect("there is a folder of vectors")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_string()))
        .filter(|file| ![CHECKSUMS, STREAMS].contains(&file.as_str()))
        .collect();
    files.sort();
    files
        .into_iter()
        .flat_map(|file| {
            let vectors: Vec<TomlVector> = read(&file);
            vectors.into_iter().map(move |vector| TomlVector { file: file.clone(), ..vector })
        })
        .collect()
}

/// All vectors of the PE checksum.
///
/// # Panics
///
/// The file is damaged.
pub fn checksum_vectors() -> Vec<ChecksumVector> {
    read(CHECKSUMS)
}

/// All vectors of octets over TCP.
///
/// # Panics
///
/// The file is damaged.
pub fn stream_vectors() -> Vec<StreamVector> {
    read(STREAMS)
}

fn read<V: serde::de::DeserializeOwned>(file: &str) -> Vec<V> {
    let path = crate::folder("vectors").join(format!("{file}.toml"));
    let text = std::fs::read_to_string(&path).expect("readable");
    let File { vector } = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    vector
}
