//! A message as a tree of named fields, for people.

use alloc::string::String;
use alloc::vec::Vec;

/// One field of a message, with the fields inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, as in the RFC.
    pub name: &'static str,
    /// Its value as text; empty if it only holds others.
    pub value: String,
    /// Where it starts in the message, in octets.
    pub offset: usize,
    /// How many octets it takes.
    pub length: usize,
    /// The fields inside it.
    pub fields: Vec<Field>,
}

/// Describes an ASAP message, as far as it can be read.
pub fn describe_asap(bytes: &[u8]) -> Field {
    describe(bytes)
}
/// Describes an ENRP message, as far as it can be read.
pub fn describe_enrp(bytes: &[u8]) -> Field {
    describe(bytes)
}
fn describe(bytes: &[u8]) -> Field {
    Field { name: "", value: String::new(), offset: 0, length: bytes.len(), fields: Vec::new() }
}
