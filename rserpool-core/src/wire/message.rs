//! What the messages of both protocols have in common (RFC 5354 section 4).

use alloc::vec::Vec;

use bytes::Bytes;

use super::cause::MAX_INFORMATION;
use super::reader::{Fault, Header, Reader, discard, octets};
use super::{DecodeError, Decoded, ErrorCause, Malformed, OperationError, Reaction};

/// The lowest flag: R, S, A, H, W or T, depending on the message type.
pub(super) const FLAG_0: u8 = 0x01;
/// The M flag of ENRP_HANDLE_TABLE_RESPONSE.
pub(super) const FLAG_1: u8 = 0x02;

/// Reads the header, the value and the end of a message. `read` reads the value, given type and flags.
pub(super) fn decode_message<M>(
    bytes: &Bytes,
    error_type: u8,
    read: impl FnOnce(&mut Reader<'_>, u8, u8) -> Result<M, Fault>,
) -> Result<Decoded<M>, DecodeError> {
    let header = Header::read(bytes).map_err(|malformed| *discard(malformed))?;
    let mut report = Vec::new();
    let mut reader = Reader::new(bytes, &header, &mut report);
    let result = read(&mut reader, header.kind, header.flags)
        .and_then(|message| reader.end_of_parameters().map(|()| message));
    match result {
        // An error message is never answered with another one: two receivers would never stop.
        Ok(message) if header.kind == error_type => Ok(Decoded { message, report: Vec::new() }),
        Ok(message) => Ok(Decoded { message, report }),
        Err(error) if header.kind == error_type => Err(*discard(error.malformed)),
        Err(error) => Err(match error.malformed {
            Malformed::UnknownMessage(kind) => unknown_message(kind, bytes.slice(..header.end)),
            _ => with_skipped(*error, report),
        }),
    }
}

/// Parameters that were skipped are reported, too, if their type asks for that: the one that stopped the reader
/// says only what becomes of the message (RFC 5354 section 3). What does not fit into one answer is left out.
fn with_skipped(error: DecodeError, mut causes: Vec<ErrorCause>) -> DecodeError {
    let DecodeError { malformed, reaction } = error;
    let last = match reaction {
        Reaction::Report(stopped) => stopped.causes,
        Reaction::Discard => Vec::new(),
    };
    while octets(&causes) + octets(&last) > MAX_INFORMATION && causes.pop().is_some() {}
    causes.extend(last);
    let reaction =
        if causes.is_empty() { Reaction::Discard } else { Reaction::Report(OperationError { causes }) };
    DecodeError { malformed, reaction }
}

/// Only the top bits 01 ask for a report; 10 and 11 are reserved and do not say what to do (RFC 5354 section
/// 4).
fn unknown_message(kind: u8, message: Bytes) -> DecodeError {
    let malformed = Malformed::UnknownMessage(kind);
    match kind >> 6 {
        0b01 => DecodeError {
            malformed,
            reaction: Reaction::Report(ErrorCause::unrecognized_message(message).into()),
        },
        _ => *discard(malformed),
    }
}
