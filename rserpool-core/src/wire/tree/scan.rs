//! Reading fields one after the other. The octets of a field that does not fit are left for the next one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Field, Flag};
use crate::wire::reader::Tlv;

/// A cursor that turns octets into fields. A field that does not fit is left out.
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    fields: Vec<Field>,
}

impl<'a> Scan<'a> {
    pub(super) const fn new(bytes: &'a [u8], at: usize, end: usize) -> Self {
        Self { bytes, at, end, fields: Vec::new() }
    }

    pub(super) fn into_fields(self) -> Vec<Field> {
        self.fields
    }

    /// Adds a field of eight bits.
    pub(super) fn u8(&mut self, name: &'static str, text: impl FnOnce(u8) -> String) {
        self.number(name, |[value]| text(value));
    }

    /// Adds a field of 16 bits.
    pub(super) fn u16(&mut self, name: &'static str, text: impl FnOnce(u16) -> String) {
        self.number(name, |octets| text(u16::from_be_bytes(octets)));
    }

    /// Adds a field of 16 bits in hexadecimal digits.
    pub(super) fn hex16(&mut self, name: &'static str) {
        self.u16(name, |value| format!("{value:#06x}"));
    }

    /// Adds a field of 32 bits.
    pub(super) fn u32(&mut self, name: &'static str, text: impl FnOnce(u32) -> String) {
        self.number(name, |octets| text(u32::from_be_bytes(octets)));
    }

    /// Adds an identifier of 32 bits.
    pub(super) fn identifier(&mut self, name: &'static str) {
        self.u32(name, |value| format!("{value:#x}"));
    }

    /// Adds the octet of flags, with one field inside for each flag that has a name.
    pub(super) fn flags(&mut self, name: &'static str, flags: &[Flag]) {
        let offset = self.at;
        let mut bits = 0;
        self.u8(name, |value| {
            bits = value;
            format!("{value:#04x}")
        });
        if let Some(field) = self.fields.last_mut().filter(|field| field.offset == offset) {
            let one = |(bit, name): &Flag| Field {
                name,
                value: if bits & bit == 0 { "not set" } else { "set" }.into(),
                offset,
                length: 1,
                fields: Vec::new(),
            };
            field.fields = flags.iter().map(one).collect();
        }
    }

    /// Adds a field of `N` octets.
    pub(super) fn number<const N: usize>(
        &mut self,
        name: &'static str,
        text: impl FnOnce([u8; N]) -> String,
    ) {
        if let Some(octets) = self.left().first_chunk() {
            self.add(name, text(*octets), N);
        }
    }

    /// Adds the remaining octets, if there are any, in hexadecimal digits.
    pub(super) fn rest(&mut self, name: &'static str) {
        self.rest_as(name, hex);
    }

    /// Adds the remaining octets, if there are any, as text.
    pub(super) fn rest_as(&mut self, name: &'static str, text: impl FnOnce(&[u8]) -> String) {
        let left = self.left();
        if !left.is_empty() {
            self.add(name, text(left), left.len());
        }
    }

    /// Adds the next parameter or cause: `name` and what `inside` finds in it. If there is none with correct
    /// framing, returns false and adds the remaining octets as they are.
    pub(super) fn tlv(
        &mut self,
        name: impl FnOnce(u16) -> &'static str,
        inside: impl FnOnce(&mut Scan<'_>, u16),
    ) -> bool {
        let Ok(Some(tlv)) = Tlv::read(self.bytes, self.at, self.end, "") else {
            self.rest("Data");
            return false;
        };
        let mut scan = Scan::new(self.bytes, tlv.at, tlv.end);
        inside(&mut scan, tlv.code);
        scan.rest("Data");
        scan.end = tlv.next;
        scan.rest("Padding");
        let (offset, length) = (tlv.at, tlv.next - tlv.at);
        let fields = scan.into_fields();
        self.fields.push(Field { name: name(tlv.code), value: String::new(), offset, length, fields });
        self.at = tlv.next;
        true
    }

    fn add(&mut self, name: &'static str, value: String, length: usize) {
        self.fields.push(Field { name, value, offset: self.at, length, fields: Vec::new() });
        self.at += length;
    }

    fn left(&self) -> &'a [u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }
}

/// Octets as hexadecimal digits.
pub(super) fn hex(octets: &[u8]) -> String {
    use core::fmt::Write;
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
