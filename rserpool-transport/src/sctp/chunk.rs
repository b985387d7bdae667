//! What the chunks mean that this stack makes and reads itself (RFC 9260 section 3.3).

use std::net::IpAddr;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rserpool_core::endpoint::AbortReason;

use super::packet::{CHUNK_HEADER, Chunk, HEADER};
use super::parameters::{self, PARAMETER_HEADER, Parameters, put_parameter, take_parameter};
use super::path_mtu::SMALL_PACKET;

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
    /// RFC 4820 section 3.
    pub(in super::super) const PAD: u8 = 0x84;
}

/// Error causes (RFC 9260 section 3.3.10).
pub(super) mod cause {
    pub(in super::super) const STALE_COOKIE: u16 = 3;
    pub(in super::super) const OUT_OF_RESOURCE: u16 = 4;
    pub(in super::super) const UNRESOLVABLE_ADDRESS: u16 = 5;
    pub(in super::super) const UNRECOGNIZED_CHUNK: u16 = 6;
    pub(in super::super) const INVALID_PARAMETER: u16 = 7;
    pub(in super::super) const UNRECOGNIZED_PARAMETERS: u16 = 8;
    pub(in super::super) const USER_ABORT: u16 = 12;
    pub(in super::super) const PROTOCOL_VIOLATION: u16 = 13;
}

/// The T bit of ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own word, reflected.
pub(super) const REFLECTED: u8 = 1;

const HEARTBEAT_INFO: u16 = 1;
const INIT_FIELDS: usize = 16;
const DATA_FIELDS: usize = 12;
const SACK_FIELDS: usize = 12;

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
        self.offer(kind, &[], &[], cookie)
    }

    /// The chunk with our addresses, and with what we did not understand of the peer's.
    pub(super) fn offer(&self, kind: u8, own: &[IpAddr], unknown: &[Bytes], cookie: &[u8]) -> Chunk {
        let mut body = BytesMut::with_capacity(INIT_FIELDS + PARAMETER_HEADER + cookie.len());
        self.put(&mut body);
        parameters::put_addresses(&mut body, own);
        parameters::put_unknown(&mut body, unknown);
        if !cookie.is_empty() {
            parameters::put_cookie(&mut body, cookie);
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

    /// Reads an INIT or INIT ACK.
    pub(super) fn parse(chunk: &Chunk) -> Option<(Self, Parameters)> {
        let mut rest = chunk.body.clone();
        let init = Self::take(&mut rest)?;
        Some((init, Parameters::read(rest)))
    }

    /// Whether its values are allowed (RFC 9260 section 3.3.2). A first TSN of 0 is, but the
    /// engine refuses it: one peer in 2^32 has to try again.
    pub(super) const fn is_valid(&self) -> bool {
        self.tag != 0 && self.outbound != 0 && self.inbound != 0 && self.window >= 1500 && self.tsn != 0
    }
}

/// A DATA chunk (RFC 9260 section 3.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Data {
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
    /// The flag "this message has no order".
    pub(super) const UNORDERED: u8 = 4;
    /// The flag "first fragment of its message".
    pub(super) const BEGIN: u8 = 2;
    /// The flag "last fragment of its message".
    pub(super) const END: u8 = 1;

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

    /// The chunk.
    #[cfg(test)]
    pub(super) fn chunk(&self) -> Chunk {
        let mut body = BytesMut::with_capacity(DATA_FIELDS + self.payload.len());
        body.put_u32(self.tsn);
        body.put_u16(self.stream);
        body.put_u16(self.sequence);
        body.put_u32(self.protocol);
        body.put_slice(&self.payload);
        Chunk { kind: kind::DATA, flags: self.flags, body: body.freeze() }
    }
}

/// The largest user data of one DATA chunk in a packet of so many octets.
pub(super) const fn fragment_of(packet: usize) -> usize {
    packet - HEADER - CHUNK_HEADER - DATA_FIELDS
}

/// What a SACK says, but for the duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sack {
    /// The last TSN that the peer has received in sequence.
    pub(super) cumulative: u32,
    pub(super) window: u32,
    /// What it has received beyond, by the distance from that.
    pub(super) blocks: Vec<(u16, u16)>,
}

/// Gap blocks and duplicates together that a SACK of ours may have, so that it fits every packet.
pub(super) const MAX_BLOCKS: usize = (SMALL_PACKET - HEADER - CHUNK_HEADER - SACK_FIELDS) / 4;

/// Reads a SACK; `None` if it is cut or contradicts itself: its blocks have to ascend and may not overlap.
pub(super) fn parse_sack(chunk: &Chunk) -> Option<Sack> {
    let mut rest = chunk.body.clone();
    if rest.len() < SACK_FIELDS {
        return None;
    }
    let (cumulative, window) = (rest.get_u32(), rest.get_u32());
    let (gaps, duplicates) = (usize::from(rest.get_u16()), usize::from(rest.get_u16()));
    if rest.len() != (gaps + duplicates) * 4 {
        return None;
    }
    let mut before = 0;
    let mut blocks = Vec::with_capacity(gaps);
    for _ in 0..gaps {
        let (start, end) = (rest.get_u16(), rest.get_u16());
        if start <= before || end < start {
            return None;
        }
        before = end;
        blocks.push((start, end));
    }
    Some(Sack { cumulative, window, blocks })
}

/// A SACK without gaps.
pub(super) fn sack(cumulative: u32, window: u32) -> Chunk {
    let mut body = BytesMut::with_capacity(SACK_FIELDS);
    body.put_u32(cumulative);
    body.put_u32(window);
    body.put_u32(0);
    Chunk::new(kind::SACK, body.freeze())
}

/// A HEARTBEAT that says which address it is about.
pub(super) fn heartbeat(secret: u64) -> Chunk {
    let mut body = BytesMut::new();
    put_parameter(&mut body, HEARTBEAT_INFO, &secret.to_be_bytes());
    Chunk::new(kind::HEARTBEAT, body.freeze())
}

/// Padding that fills a packet with this HEARTBEAT to so many octets (RFC 4820). A peer that does not know it skips it, and
/// no peer sends it back.
pub(super) fn padding(heartbeat: &Chunk, packet: usize) -> Chunk {
    let octets = packet.saturating_sub(HEADER + heartbeat.size() + CHUNK_HEADER);
    Chunk::new(kind::PAD, BytesMut::zeroed(octets).freeze())
}

/// What our HEARTBEAT said that is answered here.
pub(super) fn parse_heartbeat(chunk: &Chunk) -> Option<u64> {
    let (kind, whole) = take_parameter(&mut chunk.body.clone())?;
    let secret = whole[PARAMETER_HEADER..].try_into().ok()?;
    (kind == HEARTBEAT_INFO).then(|| u64::from_be_bytes(secret))
}

/// An ABORT or ERROR with one cause.
pub(super) fn with_cause(kind: u8, cause: u16, detail: &[u8]) -> Chunk {
    let mut body = BytesMut::new();
    // What does not fit an ERROR would not fit our packets either.
    put_parameter(&mut body, cause, &detail[..detail.len().min(SMALL_PACKET / 2)]);
    Chunk::new(kind, body.freeze())
}

/// An ABORT with one cause. The text is for readers of captures; causes other than these two have
/// no place for one.
pub(super) fn abort(cause: u16, text: &str) -> Chunk {
    let place = matches!(cause, cause::USER_ABORT | cause::PROTOCOL_VIOLATION);
    with_cause(kind::ABORT, cause, if place { text.as_bytes() } else { &[] })
}

/// What an ABORT says.
pub(super) fn parse_abort(chunk: &Chunk) -> AbortReason {
    const MAX_TEXT: usize = 128;
    let Some((cause, whole)) = take_parameter(&mut chunk.body.clone()) else { return AbortReason::default() };
    let mut text = String::new();
    if matches!(cause, cause::USER_ABORT | cause::PROTOCOL_VIOLATION) {
        let said = String::from_utf8_lossy(&whole[PARAMETER_HEADER..]);
        for character in said.chars().filter(|c| !c.is_control()) {
            if text.len() + character.len_utf8() > MAX_TEXT {
                break;
            }
            text.push(character);
        }
    }
    AbortReason { cause: Some(cause), text }
}

/// An ERROR about a chunk of unknown type, with the chunk (section 3.3.10.6).
pub(super) fn unrecognized_chunk(chunk: &Chunk) -> Chunk {
    let length = u16::try_from(CHUNK_HEADER + chunk.body.len()).unwrap_or(u16::MAX);
    let detail = [&[chunk.kind, chunk.flags][..], &length.to_be_bytes(), &chunk.body].concat();
    with_cause(kind::ERROR, cause::UNRECOGNIZED_CHUNK, &detail)
}

/// Whether an ERROR says that our cookie was too old.
pub(super) fn is_stale_cookie(chunk: &Chunk) -> bool {
    take_parameter(&mut chunk.body.clone()).is_some_and(|(kind, _)| kind == cause::STALE_COOKIE)
}

/// An ERROR that says by how much a cookie has outlived its life (RFC 9260 section 3.3.10.3).
pub(super) fn stale_cookie(staleness: Duration) -> Chunk {
    let micros = u32::try_from(staleness.as_micros()).unwrap_or(u32::MAX);
    with_cause(kind::ERROR, cause::STALE_COOKIE, &micros.to_be_bytes())
}

/// An ERROR about parameters that we do not know (section 3.3.10.8).
pub(super) fn unrecognized_parameters(unknown: &[Bytes]) -> Chunk {
    let mut detail = BytesMut::new();
    for whole in unknown {
        detail.put_slice(whole);
        detail.put_bytes(0, detail.len().next_multiple_of(4) - detail.len());
    }
    with_cause(kind::ERROR, cause::UNRECOGNIZED_PARAMETERS, &detail)
}

/// The first field of a chunk's body: the TSN of DATA.
pub(super) fn first_u32(chunk: &Chunk) -> u32 {
    chunk.body.first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets))
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
        let read = |chunk: &Chunk| Init::parse(chunk).map(|(init, parameters)| (init, parameters.cookie));
        assert_eq!(read(&chunk), Some((INIT, Some(Bytes::from_static(b"cookie")))));
        for length in 0..chunk.body.len() {
            let cut = Chunk::new(kind::INIT_ACK, chunk.body.slice(..length));
            let expected = (length >= 16).then_some((INIT, None));
            assert_eq!(read(&cut), expected, "{length} octets");
        }
    }

    #[test]
    fn an_offer_lists_addresses_and_reports_in_front_of_its_cookie() {
        let own = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let unknown = [Bytes::from_static(&[0xc0, 9, 0, 5, 1])];
        let (init, parameters) = Init::parse(&INIT.offer(kind::INIT_ACK, &own, &unknown, b"c")).unwrap();
        assert_eq!((init, &parameters.addresses[..]), (INIT, &own[..]));
        assert_eq!(parameters.cookie, Some(Bytes::from_static(b"c")));
    }

    #[test]
    fn a_heartbeat_round_trips() {
        let chunk = heartbeat(0x0102_0304_0506_0708);
        assert_eq!(parse_heartbeat(&chunk), Some(0x0102_0304_0506_0708));
        for length in 0..chunk.body.len() {
            assert_eq!(parse_heartbeat(&Chunk::new(kind::HEARTBEAT_ACK, chunk.body.slice(..length))), None);
        }
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
        let chunk = data.chunk();
        assert_eq!(Data::parse(&chunk), Some(data));
        for length in 0..chunk.body.len() {
            assert_eq!(Data::parse(&Chunk::new(kind::DATA, chunk.body.slice(..length))), None);
        }
    }

    #[test]
    fn a_sack_must_be_whole_and_its_blocks_in_order() {
        let read = |blocks: &[(u16, u16)]| {
            let mut body = BytesMut::from(&[0, 0, 0, 7, 0, 0, 0, 9, 0, blocks.len() as u8, 0, 0][..]);
            for (start, end) in blocks {
                body.put_u16(*start);
                body.put_u16(*end);
            }
            let whole = parse_sack(&Chunk::new(kind::SACK, body.clone().freeze()));
            for length in 0..body.len() {
                assert_eq!(parse_sack(&Chunk::new(kind::SACK, body.clone().freeze().slice(..length))), None);
            }
            whole
        };
        for good in [&[][..], &[(2, 3)], &[(2, 3), (4, 4)], &[(2, 3), (5, 9), (11, u16::MAX)]] {
            assert_eq!(read(good), Some(Sack { cumulative: 7, window: 9, blocks: good.to_vec() }));
        }
        for bad in [&[(0, 3)][..], &[(3, 2)], &[(2, 4), (4, 5)], &[(5, 6), (2, 3)], &[(2, 3), (2, 3)]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_reason_of_an_abort_is_kept_within_bounds() {
        let reason = |cause, text: &str| AbortReason { cause, text: text.into() };
        assert_eq!(parse_abort(&abort(12, "enough\n of it")), reason(Some(12), "enough of it"));
        assert_eq!(parse_abort(&abort(4, "no place for a text")), reason(Some(4), ""));
        assert_eq!(parse_abort(&Chunk::new(kind::ABORT, Bytes::new())), reason(None, ""));
        let long = parse_abort(&abort(13, &"\u{e9}".repeat(200)));
        assert_eq!(long, reason(Some(13), &"\u{e9}".repeat(64)));
        let broken = with_cause(kind::ABORT, 12, &[0xff, b'x']);
        assert_eq!(parse_abort(&broken), reason(Some(12), "\u{fffd}x"));
    }

    #[test]
    fn serial_numbers_wrap() {
        assert!(at_or_before(u32::MAX, 0) && at_or_before(5, 5));
        assert!(!at_or_before(0, u32::MAX));
    }
}
