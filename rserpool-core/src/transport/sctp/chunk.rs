//! What the chunks mean that this stack makes and reads itself (RFC 9260 section 3.3).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::packet::{CHUNK_HEADER, Chunk, HEADER, MAX_PACKET};

/// Chunk types (RFC 9260 section 3.2).
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0;
    pub(in super::super) const INIT: u8 = 1;
    pub(in super::super) const INIT_ACK: u8 = 2;
    pub(in super::super) const SACK: u8 = 3;
    pub(in super::super) const HEARTBEAT: u8 = 4;
    pub(in super::super) const HEARTBEAT_ACK: u8 = 5;
    pub(in super::super) const ABORT: u8 = 6;
    pub(in super::super) const SHUTDOWN: u8 = 7;
    pub(in super::super) const SHUTDOWN_ACK: u8 = 8;
    pub(in super::super) const ERROR: u8 = 9;
    pub(in super::super) const COOKIE_ECHO: u8 = 10;
    pub(in super::super) const COOKIE_ACK: u8 = 11;
    pub(in super::super) const SHUTDOWN_COMPLETE: u8 = 14;
}

/// Error causes (RFC 9260 section 3.3.10).
pub(super) mod cause {
    pub(in super::super) const STALE_COOKIE: u16 = 3;
    pub(in super::super) const OUT_OF_RESOURCE: u16 = 4;
    pub(in super::super) const UNRECOGNIZED_CHUNK: u16 = 6;
    pub(in super::super) const INVALID_PARAMETER: u16 = 7;
    pub(in super::super) const USER_ABORT: u16 = 12;
    pub(in super::super) const PROTOCOL_VIOLATION: u16 = 13;
}

/// The T bit of ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own word, reflected.
pub(super) const REFLECTED: u8 = 1;

const STATE_COOKIE: u16 = 7;
const HEARTBEAT_INFO: u16 = 1;
const INIT_FIELDS: usize = 16;
const DATA_FIELDS: usize = 12;
const SACK_FIELDS: usize = 12;
const PARAMETER_HEADER: usize = 4;

/// The fixed part of INIT and INIT ACK: what one side brings into an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init {
    /// The verification tag of packets to this side; never 0.
    pub(super) tag: u32,
    /// Octets of receive window.
    pub(super) window: u32,
    /// How many streams this side wants to send on.
    pub(super) outbound: u16,
    /// How many streams this side takes.
    pub(super) inbound: u16,
    /// The first TSN of this side.
    pub(super) tsn: u32,
}

impl Init {
    /// The chunk; with the state cookie if it is an INIT ACK.
    pub(super) fn chunk(&self, kind: u8, cookie: &[u8]) -> Chunk {
        let mut body = BytesMut::with_capacity(INIT_FIELDS + PARAMETER_HEADER + cookie.len());
        self.put(&mut body);
        if !cookie.is_empty() {
            put_parameter(&mut body, STATE_COOKIE, cookie);
        }
        Chunk::new(kind, body.freeze())
    }

    /// The fields as they stand on the wire.
    pub(super) fn put(&self, to: &mut BytesMut) {
        to.put_u32(self.tag);
        to.put_u32(self.window);
        to.put_u16(self.outbound);
        to.put_u16(self.inbound);
        to.put_u32(self.tsn);
    }

    /// Reads the fields; `None` if octets are missing.
    pub(super) fn take(from: &mut Bytes) -> Option<Self> {
        (from.len() >= INIT_FIELDS).then(|| Self {
            tag: from.get_u32(),
            window: from.get_u32(),
            outbound: from.get_u16(),
            inbound: from.get_u16(),
            tsn: from.get_u32(),
        })
    }

    /// Reads an INIT or INIT ACK with its state cookie. All other parameters are skipped: the
    /// addresses because an association here has one path, the rest because it is optional.
    pub(super) fn parse(chunk: &Chunk) -> Option<(Self, Option<Bytes>)> {
        let mut rest = chunk.body.clone();
        let init = Self::take(&mut rest)?;
        let mut cookie = None;
        while let Some((kind, value)) = take_parameter(&mut rest) {
            if kind == STATE_COOKIE {
                cookie = Some(value);
            }
        }
        Some((init, cookie))
    }

    /// Whether its values are allowed (RFC 9260 section 3.3.2). A first TSN of 0 is, but the
    /// engine refuses it: one peer in 2^32 has to try again.
    pub(super) const fn is_valid(&self) -> bool {
        self.tag != 0 && self.outbound != 0 && self.inbound != 0 && self.window >= 1500 && self.tsn != 0
    }
}

/// A DATA chunk (RFC 9260 section 3.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// I, U, B and E.
    pub(super) flags: u8,
    pub(super) tsn: u32,
    pub(super) stream: u16,
    pub(super) sequence: u16,
    pub(super) protocol: u32,
    pub(super) payload: Bytes,
}

impl Data {
    /// The flag "send the SACK at once" (RFC 7053).
    pub(super) const IMMEDIATE: u8 = 8;
    /// The flag "first fragment of its message".
    pub(super) const BEGIN: u8 = 2;

    /// Reads a DATA chunk; `None` if it carries no user data.
    pub(super) fn parse(chunk: &Chunk) -> Option<Self> {
        let mut rest = chunk.body.clone();
        (rest.len() > DATA_FIELDS).then(|| Self {
            flags: chunk.flags & 0x0f,
            tsn: rest.get_u32(),
            stream: rest.get_u16(),
            sequence: rest.get_u16(),
            protocol: rest.get_u32(),
            payload: rest,
        })
    }

    /// The chunk, with some octets in front of the payload.
    pub(super) fn chunk(&self, prefix: &[u8]) -> Chunk {
        let mut body = BytesMut::with_capacity(DATA_FIELDS + prefix.len() + self.payload.len());
        body.put_u32(self.tsn);
        body.put_u16(self.stream);
        body.put_u16(self.sequence);
        body.put_u32(self.protocol);
        body.put_slice(prefix);
        body.put_slice(&self.payload);
        Chunk { kind: kind::DATA, flags: self.flags, body: body.freeze() }
    }
}

/// The largest user data of one DATA chunk.
pub(super) const MAX_FRAGMENT: usize = MAX_PACKET - HEADER - CHUNK_HEADER - DATA_FIELDS;

/// The cumulative TSN and the window of a SACK; `None` if it is cut or contradicts itself.
pub(super) fn parse_sack(chunk: &Chunk) -> Option<(u32, u32)> {
    let mut rest = chunk.body.clone();
    if rest.len() < SACK_FIELDS {
        return None;
    }
    let (cumulative, window) = (rest.get_u32(), rest.get_u32());
    let (gaps, duplicates) = (usize::from(rest.get_u16()), usize::from(rest.get_u16()));
    if rest.len() != (gaps + duplicates) * 4 {
        return None;
    }
    let ordered = (0..gaps).all(|_| {
        let (start, end) = (rest.get_u16(), rest.get_u16());
        start != 0 && start <= end
    });
    ordered.then_some((cumulative, window))
}

/// A SACK without gaps.
pub(super) fn sack(cumulative: u32, window: u32) -> Chunk {
    let mut body = BytesMut::with_capacity(SACK_FIELDS);
    body.put_u32(cumulative);
    body.put_u32(window);
    body.put_u32(0);
    Chunk::new(kind::SACK, body.freeze())
}

/// Shortens a SACK that does not fit a packet: the peer learns of the later gaps when the
/// earlier ones are closed, and duplicates are for its statistics only.
pub(super) fn fit_sack(chunk: Chunk) -> Chunk {
    const ROOM: usize = MAX_PACKET - HEADER - CHUNK_HEADER - SACK_FIELDS;
    if chunk.body.len() <= SACK_FIELDS + ROOM {
        return chunk;
    }
    let mut rest = chunk.body.slice(8..);
    let gaps = usize::from(rest.get_u16()).min(ROOM / 4);
    let mut body = BytesMut::with_capacity(SACK_FIELDS + gaps * 4);
    body.put_slice(&chunk.body[..8]);
    body.put_u16(gaps as u16);
    body.put_u16(0);
    body.put_slice(&chunk.body[SACK_FIELDS..SACK_FIELDS + gaps * 4]);
    Chunk::new(kind::SACK, body.freeze())
}

/// A SACK that promises fewer octets than it did.
#[cfg(feature = "dcsctp")]
pub(super) fn narrow_sack(chunk: &Chunk, less: u32) -> Chunk {
    let mut body = BytesMut::from(&chunk.body[..]);
    if let Some((_, window)) = parse_sack(chunk) {
        body[4..8].copy_from_slice(&window.saturating_sub(less).to_be_bytes());
    }
    Chunk::new(kind::SACK, body.freeze())
}

/// A HEARTBEAT; any answer of the peer will do, so the information says nothing.
pub(super) fn heartbeat() -> Chunk {
    let mut body = BytesMut::new();
    put_parameter(&mut body, HEARTBEAT_INFO, &[0; 8]);
    Chunk::new(kind::HEARTBEAT, body.freeze())
}

/// An ABORT or ERROR with one cause.
pub(super) fn with_cause(kind: u8, cause: u16, detail: &[u8]) -> Chunk {
    let mut body = BytesMut::new();
    put_parameter(&mut body, cause, detail);
    Chunk::new(kind, body.freeze())
}

/// An ABORT with one cause and no detail.
pub(super) fn abort(cause: u16) -> Chunk {
    with_cause(kind::ABORT, cause, &[])
}

/// Whether an ERROR says that our cookie was too old.
pub(super) fn is_stale_cookie(chunk: &Chunk) -> bool {
    take_parameter(&mut chunk.body.clone()).is_some_and(|(kind, _)| kind == cause::STALE_COOKIE)
}

/// A SHUTDOWN with the last TSN received in sequence.
pub(super) fn shutdown(cumulative: u32) -> Chunk {
    Chunk::new(kind::SHUTDOWN, Bytes::copy_from_slice(&cumulative.to_be_bytes()))
}

/// The last TSN received in sequence, from a SHUTDOWN.
pub(super) fn parse_shutdown(chunk: &Chunk) -> Option<u32> {
    let mut rest = chunk.body.clone();
    (rest.len() >= 4).then(|| rest.get_u32())
}

/// Parameters and causes share one form: type, length of all but the padding, value.
fn put_parameter(to: &mut BytesMut, kind: u16, value: &[u8]) {
    // What does not fit an ERROR would not fit our packets either.
    let value = &value[..value.len().min(MAX_PACKET / 2)];
    to.put_u16(kind);
    to.put_u16((PARAMETER_HEADER + value.len()) as u16);
    to.put_slice(value);
}

fn take_parameter(from: &mut Bytes) -> Option<(u16, Bytes)> {
    if from.len() < PARAMETER_HEADER {
        return None;
    }
    let (kind, length) =
        (u16::from_be_bytes([from[0], from[1]]), usize::from(u16::from_be_bytes([from[2], from[3]])));
    if length < PARAMETER_HEADER || length > from.len() {
        return None;
    }
    let value = from.slice(PARAMETER_HEADER..length);
    from.advance(length.next_multiple_of(4).min(from.len()));
    Some((kind, value))
}

/// Whether `a` comes at or before `b` in serial number arithmetic (RFC 1982).
pub(super) const fn at_or_before(a: u32, b: u32) -> bool {
    b.wrapping_sub(a) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: Init = Init { tag: 1, window: 65_536, outbound: 3, inbound: 4, tsn: 5 };

    #[test]
    fn init_with_cookie_round_trips_at_every_length() {
        let chunk = INIT.chunk(kind::INIT_ACK, b"cookie");
        assert_eq!(Init::parse(&chunk), Some((INIT, Some(Bytes::from_static(b"cookie")))));
        for length in 0..chunk.body.len() {
            let cut = Chunk::new(kind::INIT_ACK, chunk.body.slice(..length));
            let expected = (length >= 16).then_some((INIT, None));
            assert_eq!(Init::parse(&cut), expected, "{length} octets");
        }
    }

    /// A peer with several addresses lists them in front of its cookie.
    #[test]
    fn init_parameters_of_others_are_skipped() {
        let mut body = BytesMut::new();
        INIT.put(&mut body);
        put_parameter(&mut body, 5, &[127, 0, 0, 1]);
        put_parameter(&mut body, 0xc000, &[]);
        put_parameter(&mut body, STATE_COOKIE, b"c");
        let parsed = Init::parse(&Chunk::new(kind::INIT_ACK, body.freeze()));
        assert_eq!(parsed, Some((INIT, Some(Bytes::from_static(b"c")))));
    }

    #[test]
    fn init_values_are_checked() {
        assert!(INIT.is_valid());
        assert!(!Init { tag: 0, ..INIT }.is_valid());
        assert!(!Init { outbound: 0, ..INIT }.is_valid());
        assert!(!Init { inbound: 0, ..INIT }.is_valid());
        assert!(!Init { window: 1499, ..INIT }.is_valid());
    }

    #[test]
    fn data_round_trips_and_needs_user_data() {
        let data = Data {
            flags: 3,
            tsn: 1,
            stream: 2,
            sequence: 3,
            protocol: 11,
            payload: Bytes::from_static(b"x"),
        };
        let chunk = data.chunk(&[]);
        assert_eq!(Data::parse(&chunk), Some(data));
        for length in 0..chunk.body.len() {
            assert_eq!(Data::parse(&Chunk::new(kind::DATA, chunk.body.slice(..length))), None);
        }
    }

    #[test]
    fn a_sack_must_be_whole_and_its_gaps_in_order() {
        assert_eq!(parse_sack(&sack(7, 9)), Some((7, 9)));
        let with_gap = |start: u16, end: u16| {
            let mut body = BytesMut::from(&[0, 0, 0, 7, 0, 0, 0, 9, 0, 1, 0, 0][..]);
            body.put_u16(start);
            body.put_u16(end);
            Chunk::new(kind::SACK, body.freeze())
        };
        assert_eq!(parse_sack(&with_gap(2, 3)), Some((7, 9)));
        assert_eq!(parse_sack(&with_gap(0, 3)), None);
        assert_eq!(parse_sack(&with_gap(3, 2)), None);
        for length in 0..16 {
            assert_eq!(parse_sack(&Chunk::new(kind::SACK, with_gap(2, 3).body.slice(..length))), None);
        }
    }

    #[test]
    fn a_long_sack_is_shortened_to_a_packet() {
        let mut body = BytesMut::from(&[0, 0, 0, 7, 0, 0, 0, 9][..]);
        body.put_u16(1000);
        body.put_u16(500);
        (0..1000u16).for_each(|n| body.put_u32(u32::from(n * 2 + 1) << 16 | u32::from(n * 2 + 1)));
        body.put_bytes(0, 2000);
        let chunk = fit_sack(Chunk::new(kind::SACK, body.freeze()));
        assert_eq!(parse_sack(&chunk), Some((7, 9)));
        assert_eq!(chunk.body.len() + CHUNK_HEADER + HEADER, MAX_PACKET);
        assert_eq!(fit_sack(sack(1, 2)), sack(1, 2));
    }

    #[test]
    fn serial_numbers_wrap() {
        assert!(at_or_before(u32::MAX, 0) && at_or_before(5, 5));
        assert!(!at_or_before(0, u32::MAX));
    }
}
