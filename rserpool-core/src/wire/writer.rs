//! Writing parameters and messages.

use alloc::vec::Vec;

use bytes::Bytes;

use super::padding::{Padding, padded};
use super::{EncodeError, ParameterType};

/// A message under construction.
///
/// Padding is written before what follows it, so the length of a parameter never counts the padding of the
/// last parameter inside it (RFC 5354 section 2, reading A6).
pub(super) struct Writer {
    octets: Vec<u8>,
}

impl Writer {
    /// Enough for most messages: a registration has 64 to 130 octets.
    const CAPACITY: usize = 256;

    /// Enough for each listed element: one with four addresses has 80 octets.
    const CAPACITY_OF_ELEMENT: usize = 96;

    /// Begins a message that may list so many `elements`.
    pub(super) fn new(kind: u8, flags: u8, elements: usize) -> Self {
        let mut octets = Vec::with_capacity(Self::CAPACITY + elements * Self::CAPACITY_OF_ELEMENT);
        octets.extend_from_slice(&[kind, flags, 0, 0]);
        Self { octets }
    }

    /// Writes 16 bits.
    pub(super) fn u16(&mut self, value: u16) {
        self.octets.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes 32 bits.
    pub(super) fn u32(&mut self, value: u32) {
        self.octets.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes octets as they are.
    #[inline]
    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// Writes a parameter with the content that `value` writes.
    #[inline]
    pub(super) fn parameter(
        &mut self,
        kind: ParameterType,
        value: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.tlv(kind.0, kind.name(), value)
    }

    /// Writes a type, or the code of a cause, a length, and the content that `value` writes.
    #[inline]
    pub(super) fn tlv(
        &mut self,
        code: u16,
        name: &'static str,
        value: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.pad();
        let start = self.octets.len();
        self.u16(code);
        self.u16(0);
        value(self)?;
        self.set_length(start, self.octets.len(), name)
    }

    /// Ends the message.
    pub(super) fn finish(mut self, padding: Padding, name: &'static str) -> Result<Bytes, EncodeError> {
        let strict = self.octets.len();
        self.pad();
        let end = match padding {
            Padding::Strict => strict,
            Padding::Padded => self.octets.len(),
        };
        self.set_length(0, end, name)?;
        Ok(self.octets.into())
    }

    /// Writes a single parameter outside a message, as causes quote it.
    pub(super) fn quote(
        write: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<Bytes, EncodeError> {
        let mut writer = Self { octets: Vec::new() };
        write(&mut writer)?;
        Ok(writer.octets.into())
    }

    #[inline]
    fn pad(&mut self) {
        let padding = padded(self.octets.len()) - self.octets.len();
        if padding > 0 {
            self.octets.extend_from_slice(&[0; 3][..padding]);
        }
    }

    fn set_length(&mut self, start: usize, end: usize, name: &'static str) -> Result<(), EncodeError> {
        let length = u16::try_from(end - start).map_err(|_| EncodeError::TooLong(name))?;
        if let Some(field) = self.octets.get_mut(start + 2..start + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
}
