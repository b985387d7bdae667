//! Reading messages and parameters: framing, and the rules for what is not known (RFC 5354
//! sections 2 to 4). The content of a parameter is read in the file of its type.
//!
//! Three decisions where the RFC is silent:
//!
//! * A known parameter at a place where it is not expected is treated like an unknown one, by the top bits
//!   of its type: with 0x1 to 0x10 the message is dropped, the private 0x803f and 0xa6ab are skipped.
//! * If a compulsory parameter is missing inside another one, the outer one is reported with Invalid Values.
//!   If it is missing in the message itself, the message is dropped, because there is no parameter to report.
//! * Impossible lengths are never reported: the octets to be quoted could not be trusted.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::cause::MAX_INFORMATION;
use super::padding::padded;
use super::{DecodeError, ErrorCause, Malformed, ParameterType, Reaction};

/// The most skipped parameters of one message that are reported. Today's messages hold none. Without a bound,
/// a message of 16,000 unknown parameters would cause an answer of as many causes.
pub(super) const MAX_REPORTS: usize = 16;

/// What is wrong, on its way up. It is boxed because every function that reads a value may return it, and
/// hardly ever does.
pub(super) type Fault = Box<DecodeError>;

/// The first four octets of a message.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// The offset at which the message ends, without padding that its length does not count.
    pub(super) end: usize,
}

impl Header {
    pub(super) const LENGTH: usize = 4;

    /// Reads the header. Up to three octets may follow the message: padding with any content (reading A5).
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some(&[kind, flags, high, low]) = bytes.first_chunk() else {
            return Err(Malformed::Truncated { at: bytes.len(), what: "message header" });
        };
        let end = usize::from(u16::from_be_bytes([high, low]));
        if end < Self::LENGTH || end > bytes.len() {
            return Err(Malformed::Length { at: 0, what: "message", length: end });
        }
        match bytes.len() - end {
            0..=3 => Ok(Self { kind, flags, end }),
            extra => Err(Malformed::Trailing { extra }),
        }
    }
}

/// The position of a parameter or an error cause. All offsets count from the first octet of the message and
/// are within it.
#[derive(Clone, Copy)]
pub(super) struct Tlv {
    /// The type of the parameter, or the code of the cause.
    pub(super) code: u16,
    /// The offset of its first octet.
    pub(super) at: usize,
    /// The offset after its last octet, without padding.
    pub(super) end: usize,
    /// The offset of the next parameter or cause.
    pub(super) next: usize,
}

impl Tlv {
    pub(super) const HEADER: usize = 4;

    /// Reads the frame at `at`; `None` if nothing is left before `limit`. The length of what contains the
    /// last frame may count that frame's padding or not (readings A5 and A6).
    #[inline]
    pub(super) fn read(
        bytes: &[u8],
        at: usize,
        limit: usize,
        what: &'static str,
    ) -> Result<Option<Self>, Malformed> {
        let Some(rest) = bytes.get(at..limit).filter(|rest| !rest.is_empty()) else {
            return Ok(None);
        };
        let Some(&[c, d, high, low]) = rest.first_chunk() else {
            return Err(Malformed::Truncated { at: limit, what });
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < Self::HEADER || length > rest.len() {
            return Err(Malformed::Length { at, what, length });
        }
        let end = at + length;
        Ok(Some(Self { code: u16::from_be_bytes([c, d]), at, end, next: padded(end).min(limit) }))
    }

    pub(super) const fn kind(&self) -> ParameterType {
        ParameterType(self.code)
    }
}

/// A cursor over a message, or over one parameter of it.
pub(super) struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
    end: usize,
    /// The parameter whose value is read; `None` for the message itself.
    container: Option<Tlv>,
    /// Unknown parameters before this offset have been dealt with, so that none is reported twice.
    judged: usize,
    report: &'a mut Vec<ErrorCause>,
}

impl<'a> Reader<'a> {
    /// A cursor over the value of a message.
    pub(super) const fn new(bytes: &'a Bytes, header: &Header, report: &'a mut Vec<ErrorCause>) -> Self {
        Self { bytes, at: Header::LENGTH, end: header.end, container: None, judged: 0, report }
    }

    /// A cursor over the value of `tlv`.
    pub(super) const fn enter(&mut self, tlv: &Tlv) -> Reader<'_> {
        Reader {
            bytes: self.bytes,
            at: tlv.at + Tlv::HEADER,
            end: tlv.end,
            container: Some(*tlv),
            judged: 0,
            report: self.report,
        }
    }

    /// The next parameter, if it is of this type.
    #[inline]
    pub(super) fn take(&mut self, wanted: ParameterType) -> Result<Option<Tlv>, Fault> {
        self.take_if(|kind| kind == wanted)
    }

    /// The next parameter, if its type is wanted. Unknown parameters before it are skipped.
    #[inline]
    pub(super) fn take_if(&mut self, wanted: impl Fn(ParameterType) -> bool) -> Result<Option<Tlv>, Fault> {
        let found = self.find(wanted)?;
        if let Some(tlv) = &found {
            self.at = tlv.next;
        }
        Ok(found)
    }

    /// Whether the next parameter is of this type.
    pub(super) fn next_is(&mut self, wanted: ParameterType) -> Result<bool, Fault> {
        Ok(self.find(|kind| kind == wanted)?.is_some())
    }

    #[inline]
    fn find(&mut self, wanted: impl Fn(ParameterType) -> bool) -> Result<Option<Tlv>, Fault> {
        let mut at = self.at;
        while let Some(tlv) = self.tlv(at)? {
            if wanted(tlv.kind()) {
                return Ok(Some(tlv));
            }
            if tlv.kind().is_standard() {
                break;
            }
            self.judge(&tlv)?;
            at = tlv.next;
        }
        Ok(None)
    }

    /// The next parameter, which must be of this type.
    #[inline]
    pub(super) fn require(&mut self, wanted: ParameterType) -> Result<Tlv, Fault> {
        match self.take(wanted)? {
            Some(tlv) => Ok(tlv),
            None => Err(self.missing(wanted.name())),
        }
    }

    /// The next 16 bits.
    #[inline]
    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, Fault> {
        self.octets(what).map(u16::from_be_bytes)
    }

    /// The next 32 bits.
    #[inline]
    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, Fault> {
        self.octets(what).map(u32::from_be_bytes)
    }

    /// The next octets.
    #[inline]
    pub(super) fn octets<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Fault> {
        match self.bytes.get(self.at..self.end).and_then(|rest| rest.first_chunk::<N>()) {
            Some(octets) => {
                self.at += N;
                Ok(*octets)
            }
            None => Err(self.invalid(Malformed::Truncated { at: self.end, what })),
        }
    }

    /// The remaining octets, borrowed.
    #[inline]
    pub(super) fn octets_left(&self) -> &[u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }

    /// The remaining octets, shared with the message.
    pub(super) fn rest(&mut self) -> Bytes {
        let rest = self.bytes.slice(self.at..self.end);
        self.at = self.end;
        rest
    }

    /// The next error cause.
    pub(super) fn cause(&mut self) -> Result<Option<(u16, Bytes)>, Fault> {
        let Some(tlv) = Tlv::read(self.bytes, self.at, self.end, "error cause").map_err(discard)? else {
            return Ok(None);
        };
        self.at = tlv.next;
        Ok(Some((tlv.code, self.bytes.slice(tlv.at + Tlv::HEADER..tlv.end))))
    }

    /// Ends a parameter that holds only fields: no octet may be left.
    #[inline]
    pub(super) fn end_of_fields(&self, what: &'static str) -> Result<(), Fault> {
        if self.at == self.end {
            return Ok(());
        }
        let (at, length) = self.container.map_or((0, self.end), |tlv| (tlv.at, tlv.end - tlv.at));
        Err(self.invalid(Malformed::Length { at, what, length }))
    }

    /// Ends what holds parameters: all that are left must be ones that are skipped.
    #[inline]
    pub(super) fn end_of_parameters(&mut self) -> Result<(), Fault> {
        while let Some(tlv) = self.tlv(self.at)? {
            if tlv.kind().is_standard() {
                return Err(discard(Malformed::Unexpected { at: tlv.at, found: tlv.kind() }));
            }
            self.judge(&tlv)?;
            self.at = tlv.next;
        }
        Ok(())
    }

    /// The error for a field of the current parameter with a forbidden value.
    pub(super) fn bad_value(&self, what: &'static str) -> Fault {
        self.invalid(Malformed::Value { at: self.container.map_or(0, |tlv| tlv.at), what })
    }

    /// The error for a compulsory parameter that is missing.
    pub(super) fn missing(&self, what: &'static str) -> Fault {
        self.invalid(Malformed::Missing(what))
    }

    /// An Invalid Values error that quotes the current parameter. The message itself is not quoted.
    #[cold]
    fn invalid(&self, malformed: Malformed) -> Fault {
        match self.container {
            Some(tlv) => Box::new(DecodeError {
                malformed,
                reaction: Reaction::Report(
                    ErrorCause::invalid_values(self.bytes.slice(tlv.at..tlv.end)).into(),
                ),
            }),
            None => discard(malformed),
        }
    }

    #[inline]
    fn tlv(&self, at: usize) -> Result<Option<Tlv>, Fault> {
        Tlv::read(self.bytes, at, self.end, "parameter").map_err(discard)
    }

    /// Decides about a parameter that is not known here, by the two top bits of its type.
    fn judge(&mut self, tlv: &Tlv) -> Result<(), Fault> {
        if tlv.at < self.judged {
            return Ok(());
        }
        self.judged = tlv.next;
        let cause = || ErrorCause::unrecognized_parameter(self.bytes.slice(tlv.at..tlv.end));
        let malformed = Malformed::UnknownParameter(tlv.kind());
        match tlv.code >> 14 {
            0b00 => return Err(discard(malformed)),
            0b01 => {
                return Err(Box::new(DecodeError { malformed, reaction: Reaction::Report(cause().into()) }));
            }
            0b10 => {}
            _ => {
                // All reports about a message go into one ERROR; what does not fit is left out.
                let used = octets(self.report) + tlv.end - tlv.at + Tlv::HEADER;
                if self.report.len() < MAX_REPORTS && used <= MAX_INFORMATION {
                    self.report.push(cause());
                }
            }
        }
        Ok(())
    }
}

/// How many octets causes take in a message.
pub(super) fn octets(causes: &[ErrorCause]) -> usize {
    causes.iter().map(|cause| padded(Tlv::HEADER + cause.information.len())).sum()
}

/// The error for a message that is dropped silently.
#[cold]
pub(super) fn discard(malformed: Malformed) -> Fault {
    Box::new(DecodeError { malformed, reaction: Reaction::Discard })
}
