//! Messages in the stream of octets that TLS carries. See [the crate](crate) for the format.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rserpool_core::base::ProtocolId;
use rserpool_core::endpoint::MAX_MESSAGE;

/// Type, flags and length: what every message of ASAP and ENRP begins with (RFC 5354 section 4).
const HEADER: usize = 4;

/// The first octet of our own header. RFC 5352 and RFC 5353 leave this type to later standards.
const OURS: u8 = 0xff;

/// The octets of our own header.
const OUR_HEADER: usize = 12;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) protocol: ProtocolId,
    pub(crate) stream: u16,
    pub(crate) bytes: Bytes,
}

/// A length that no message has: where the next one begins is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadLength;

impl Frame {
    /// The octets of the message. `native` is the protocol that needs no header of ours.
    pub(crate) fn encode(&self, native: ProtocolId) -> Bytes {
        let Self { protocol, stream, bytes } = self;
        let filled = bytes.len().next_multiple_of(4);
        if *protocol == native
            && *stream == 0
            && length(bytes).map(|own| own.next_multiple_of(4)) == Some(filled)
        {
            let mut octets = BytesMut::with_capacity(filled);
            octets.extend_from_slice(bytes);
            octets.resize(filled, 0);
            return octets.freeze();
        }
        debug_assert!(bytes.len() <= MAX_MESSAGE, "endpoints send no longer messages");
        let mut octets = BytesMut::with_capacity(OUR_HEADER + bytes.len());
        octets.put_slice(&[OURS, 0]);
        octets.put_u16(*stream);
        octets.put_u32(protocol.0);
        octets.put_u32(bytes.len() as u32);
        octets.put_slice(bytes);
        octets.freeze()
    }
}

/// What a message of ASAP or ENRP says how long it is; `None` if it is none.
fn length(octets: &[u8]) -> Option<usize> {
    let [first, _, high, low] = *octets.first_chunk::<HEADER>()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    (first != OURS && length >= HEADER).then_some(length)
}

/// The octets that are no whole message yet, or wait to be fetched.
#[derive(Debug, Default)]
pub(crate) struct Frames(BytesMut);

impl Frames {
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    /// How many octets wait.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next whole message, if it has come in. A length that cannot be is found as soon as it is there.
    pub(crate) fn next(&mut self, native: ProtocolId) -> Result<Option<Frame>, BadLength> {
        if self.0.is_empty() {
            // Room that a long message has needed is not kept.
            self.0 = BytesMut::new();
            return Ok(None);
        }
        if self.0.first() == Some(&OURS) {
            return self.next_of_ours();
        }
        if self.0.len() < HEADER {
            return Ok(None);
        }
        let filled = length(&self.0).ok_or(BadLength)?.next_multiple_of(4);
        let whole = (self.0.len() >= filled).then(|| self.0.split_to(filled).freeze());
        Ok(whole.map(|bytes| Frame { protocol: native, stream: 0, bytes }))
    }

    fn next_of_ours(&mut self) -> Result<Option<Frame>, BadLength> {
        let Some(mut header) = self.0.get(2..OUR_HEADER) else { return Ok(None) };
        let (stream, protocol) = (header.get_u16(), ProtocolId(header.get_u32()));
        let length = header.get_u32() as usize;
        if !(1..=MAX_MESSAGE).contains(&length) {
            return Err(BadLength);
        }
        if self.0.len() < OUR_HEADER + length {
            return Ok(None);
        }
        self.0.advance(OUR_HEADER);
        Ok(Some(Frame { protocol, stream, bytes: self.0.split_to(length).freeze() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(protocol: ProtocolId, stream: u16, bytes: &'static [u8]) -> Frame {
        Frame { protocol, stream, bytes: Bytes::from_static(bytes) }
    }

    #[test]
    fn messages_of_the_protocol_travel_as_they_are_and_others_with_a_header() {
        let asap = frame(ProtocolId::ASAP, 0, &[5, 0, 0, 6, 1, 2]);
        let sent = [
            asap.clone(),
            frame(ProtocolId::ENRP, 0, &[1, 0, 0, 4]),
            frame(ProtocolId(0), 3, b"data"),
            frame(ProtocolId::ASAP, 2, &[5, 0, 0, 4]),
            frame(ProtocolId::ASAP, 0, b"no"),
        ];
        let octets: Vec<Bytes> = sent.iter().map(|frame| frame.encode(ProtocolId::ASAP)).collect();
        assert_eq!(octets[0], &[5, 0, 0, 6, 1, 2, 0, 0][..]);
        assert_eq!(octets[2], &b"\xff\0\0\x03\0\0\0\0\0\0\0\x04data"[..]);
        let octets = octets.concat();
        // In pieces of every size they come out the same.
        for size in 1..octets.len() {
            let (mut frames, mut got) = (Frames::default(), Vec::new());
            for piece in octets.chunks(size) {
                frames.push(piece);
                while let Some(frame) = frames.next(ProtocolId::ASAP).unwrap() {
                    got.push(frame);
                }
            }
            let filled = frame(ProtocolId::ASAP, 0, &[5, 0, 0, 6, 1, 2, 0, 0]);
            assert_eq!((got.len(), &got[0], &got[1..]), (5, &filled, &sent[1..]), "{size}");
            assert_eq!(frames.len(), 0);
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_found_at_once() {
        for octets in [&[5, 0, 0, 3][..], b"\xff\0\0\0\0\0\0\0\0\0\0\0", b"\xff\0\0\0\0\0\0\0\0\x10\0\x01"] {
            let mut frames = Frames::default();
            frames.push(octets);
            assert_eq!(frames.next(ProtocolId::ASAP), Err(BadLength));
        }
    }
}
