//! A message as a tree of named fields, for people to read.
//!
//! The tree shows what is there, in the order of the octets, as far as the framing can be followed. Whether a
//! receiver would accept the message is decided by the decoder: if it refuses, its verdict is the last field.

mod parameters;
mod scan;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use self::scan::Scan;
use super::reader::Header;
use super::{AsapMessage, AsapType, DecodeError, EnrpMessage, EnrpType, UpdateAction};

/// One field of a message, with the fields inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name of the field, as in the RFC.
    pub name: &'static str,
    /// The value as text; empty if the field only contains others.
    pub value: String,
    /// The offset in the message, in octets.
    pub offset: usize,
    /// The length in octets.
    pub length: usize,
    /// The fields that this one contains.
    pub fields: Vec<Self>,
}

/// Describes an ASAP message, as far as it can be read. If something is wrong with the message, the last
/// field is named "Malformed" and says what.
pub fn describe_asap(bytes: &[u8]) -> Field {
    let kind = AsapType::of(bytes).unwrap_or(AsapType(0));
    let verdict = AsapMessage::decode(&Bytes::copy_from_slice(bytes)).err();
    let name = if kind.is_known() { kind.name() } else { "Unknown ASAP message" };
    describe(bytes, name, kind.to_string(), asap_flags(kind), verdict, |scan| match kind {
        AsapType::ENDPOINT_KEEP_ALIVE | AsapType::SERVER_ANNOUNCE => scan.identifier("Server Identifier"),
        known if known.is_known() => {}
        _ => scan.rest("Message Value"),
    })
}

/// Describes an ENRP message, as far as it can be read. If something is wrong with the message, the last
/// field is named "Malformed" and says what.
pub fn describe_enrp(bytes: &[u8]) -> Field {
    let kind = EnrpType::of(bytes).unwrap_or(EnrpType(0));
    let verdict = EnrpMessage::decode(&Bytes::copy_from_slice(bytes)).err();
    let name = if kind.is_known() { kind.name() } else { "Unknown ENRP message" };
    describe(bytes, name, kind.to_string(), enrp_flags(kind), verdict, |scan| {
        if !kind.is_known() {
            return scan.rest("Message Value");
        }
        scan.identifier("Sending Server's ID");
        scan.identifier("Receiving Server's ID");
        match kind {
            EnrpType::HANDLE_UPDATE => {
                scan.u16("Update Action", |value| UpdateAction(value).to_string());
                scan.hex16("Reserved");
            }
            EnrpType::INIT_TAKEOVER | EnrpType::INIT_TAKEOVER_ACK | EnrpType::TAKEOVER_SERVER => {
                scan.identifier("Targeting Server's ID");
            }
            _ => {}
        }
    })
}

impl fmt::Display for Field {
    /// An indented tree, one field a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Field {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let separator = if self.value.is_empty() { "" } else { ": " };
        writeln!(f, "{:indent$}{}{separator}{}", "", self.name, self.value, indent = 4 * depth)?;
        self.fields.iter().try_for_each(|field| field.write(f, depth + 1))
    }
}

/// A flag of a message type: its bit and its name.
type Flag = (u8, &'static str);

const fn asap_flags(kind: AsapType) -> &'static [Flag] {
    match kind {
        AsapType::REGISTRATION_RESPONSE => &[(1, "R (Reject)")],
        AsapType::HANDLE_RESOLUTION => &[(1, "S (Send updates)")],
        AsapType::HANDLE_RESOLUTION_RESPONSE => &[(1, "A (Accepts to send updates)")],
        AsapType::ENDPOINT_KEEP_ALIVE => &[(1, "H (Home ENRP server)")],
        _ => &[],
    }
}

const fn enrp_flags(kind: EnrpType) -> &'static [Flag] {
    match kind {
        EnrpType::PRESENCE => &[(1, "R (Reply required)")],
        EnrpType::HANDLE_TABLE_REQUEST => &[(1, "W (oWn-children-only)")],
        EnrpType::HANDLE_TABLE_RESPONSE => &[(2, "M (More_to_send)"), (1, "R (Reject)")],
        EnrpType::HANDLE_UPDATE => &[(1, "T (Takeover suggested)")],
        EnrpType::LIST_RESPONSE => &[(1, "R (Reject)")],
        _ => &[],
    }
}

fn describe(
    bytes: &[u8],
    name: &'static str,
    kind: String,
    flags: &[Flag],
    verdict: Option<DecodeError>,
    fixed_fields: impl FnOnce(&mut Scan<'_>),
) -> Field {
    // An impossible length does not hide what is there.
    let end = Header::read(bytes).map_or(bytes.len(), |header| header.end);
    let mut scan = Scan::new(bytes, 0, end);
    scan.u8("Message Type", |_| kind);
    scan.flags("Message Flags", flags);
    scan.u16("Message Length", |value| value.to_string());
    fixed_fields(&mut scan);
    parameters::describe(&mut scan, parameters::MAX_DEPTH);
    let mut fields = scan.into_fields();
    if end < bytes.len() {
        let mut padding = Scan::new(bytes, end, bytes.len());
        padding.rest("Padding");
        fields.extend(padding.into_fields());
    }
    if let Some(DecodeError { malformed, .. }) = verdict {
        let (offset, value) = (malformed.at().unwrap_or(0), malformed.to_string());
        fields.push(Field { name: "Malformed", value, offset, length: 0, fields: Vec::new() });
    }
    Field { name, value: String::new(), offset: 0, length: bytes.len(), fields }
}
