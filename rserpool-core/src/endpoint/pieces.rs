//! Messages that are too long for one: they travel in pieces, in a framing of ours that both ends know.
//!
//! A piece is 16 octets, big-endian, and then its part of the message. All but the last piece have the payload protocol
//! identifier [`ProtocolId::PIECE`], the last one has [`ProtocolId::LAST_PIECE`].
//!
//! | octets | content |
//! |---|---|
//! | 4 | the payload protocol identifier of the message |
//! | 4 | the number of the message: any, but another one than that of the message before |
//! | 4 | where in the message the piece begins |
//! | 4 | the octets of the message: 1 to 16 MiB, and 24 more for the framing of a [call](super::CallFrame) |
//!
//! One end sends one call in pieces at a time, and one other message; the pieces of both may be mixed.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::call;
use crate::base::ProtocolId;

/// The longest message that travels in pieces, and the longest request or answer of a call, in octets: 16 MiB.
pub const MAX_LONG_MESSAGE: usize = 16 << 20;

/// The longest call, with its framing.
const MAX_WHOLE: usize = MAX_LONG_MESSAGE + call::HEADER;

/// The octets that one piece carries: so many of a message wait at a time.
const PIECE: usize = 64 << 10;

const HEADER: usize = 16;

/// The octets of long messages that an element has from all its users, while they are not complete: four of the longest
/// at the same time. The session that would have more is closed.
const MAX_INCOMPLETE: usize = 4 * MAX_WHOLE;

/// Cuts a message.
pub fn cut(protocol: ProtocolId, number: u32, message: &Bytes) -> impl Iterator<Item = (ProtocolId, Bytes)> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let (protocol, piece, next) = piece(protocol, number, message, at)?;
        at = next;
        Some((protocol, piece))
    })
}

/// The piece of a message that begins at an octet, its payload protocol identifier, and where the next one begins. `None`:
/// the message ends there.
pub fn piece(
    protocol: ProtocolId,
    number: u32,
    message: &Bytes,
    at: usize,
) -> Option<(ProtocolId, Bytes, usize)> {
    let end = message.len().min(at.saturating_add(PIECE));
    let part = message.get(at..end).filter(|part| !part.is_empty())?;
    let mut piece = BytesMut::with_capacity(HEADER + part.len());
    piece.put_u32(protocol.0);
    piece.put_u32(number);
    // Both fit: a message has little more than 16 MiB at most.
    piece.put_u32(at as u32);
    piece.put_u32(message.len() as u32);
    piece.put_slice(part);
    let last = end == message.len();
    Some((if last { ProtocolId::LAST_PIECE } else { ProtocolId::PIECE }, piece.freeze(), end))
}

/// Whether a message is a piece of a call.
pub(crate) fn is_of_call(protocol: ProtocolId, bytes: &Bytes) -> bool {
    is_piece(protocol) && bytes.starts_with(&ProtocolId::CALL.0.to_be_bytes())
}

/// What a call begins with, if this is its first piece.
pub(crate) fn beginning_of_call(piece: &Bytes) -> Option<Bytes> {
    let begins = piece.get(8..12)? == [0; 4];
    (begins && piece.len() > HEADER).then(|| piece.slice(HEADER..))
}

const fn is_piece(protocol: ProtocolId) -> bool {
    matches!(protocol, ProtocolId::PIECE | ProtocolId::LAST_PIECE)
}

/// What an endpoint may hold of messages that are not complete.
#[derive(Clone, Debug, Default)]
pub struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    fn take(&self, octets: usize) -> bool {
        let held = self.0.fetch_add(octets, Ordering::SeqCst) + octets;
        if held > MAX_INCOMPLETE {
            self.give_back(octets);
        }
        held <= MAX_INCOMPLETE
    }

    fn give_back(&self, octets: usize) {
        self.0.fetch_sub(octets, Ordering::SeqCst);
    }
}

/// The messages that arrive in a session: one call at a time, and one other message.
#[derive(Debug, Default)]
pub struct Assembly {
    allowance: Allowance,
    message: Option<Partial>,
    call: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    protocol: u32,
    number: u32,
    length: usize,
    octets: BytesMut,
}

/// What a message is, as far as pieces are concerned.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrived {
    /// No piece: this is the message.
    Message(ProtocolId, Bytes),
    /// The last piece: this is the whole message.
    Whole(ProtocolId, Bytes),
    /// A piece.
    Piece,
    /// A piece that fits nowhere. What there was of its message is dropped.
    Misfit,
    /// A piece for which there is no room in all sessions together.
    NoRoom,
}

impl Assembly {
    /// Nothing has arrived yet. All that share the allowance may hold 64 MiB in all.
    pub fn new(allowance: Allowance) -> Self {
        Self { allowance, message: None, call: None }
    }

    /// A message has come.
    pub fn add(&mut self, protocol: ProtocolId, bytes: Bytes) -> Arrived {
        if !is_piece(protocol) {
            return Arrived::Message(protocol, bytes);
        }
        let (of_call, last) = (is_of_call(protocol, &bytes), protocol == ProtocolId::LAST_PIECE);
        let partial = if of_call { &mut self.call } else { &mut self.message };
        let arrived = add_piece(partial, &self.allowance, bytes, last);
        if !matches!(arrived, Arrived::Piece) {
            let held = partial.take().map_or(0, |partial| partial.octets.len());
            // The whole was counted, too.
            let whole = if let Arrived::Whole(_, whole) = &arrived { whole.len() } else { 0 };
            self.allowance.give_back(held + whole);
        }
        arrived
    }

    /// What is incomplete is dropped.
    pub fn clear(&mut self) {
        for partial in [self.message.take(), self.call.take()].into_iter().flatten() {
            self.allowance.give_back(partial.octets.len());
        }
    }
}

/// Adds a piece to what there is of its message.
fn add_piece(partial: &mut Option<Partial>, allowance: &Allowance, mut piece: Bytes, last: bool) -> Arrived {
    if piece.len() <= HEADER {
        return Arrived::Misfit;
    }
    let (protocol, number) = (piece.get_u32(), piece.get_u32());
    let (at, length) = (piece.get_u32() as usize, piece.get_u32() as usize);
    let longest = if ProtocolId(protocol) == ProtocolId::CALL { MAX_WHOLE } else { MAX_LONG_MESSAGE };
    if length > longest || (at + piece.len() == length) != last || at + piece.len() > length {
        return Arrived::Misfit;
    }
    if at == 0 {
        let before = partial.replace(Partial { protocol, number, length, octets: BytesMut::new() });
        allowance.give_back(before.map_or(0, |before| before.octets.len()));
    }
    let Some(message) = partial else { return Arrived::Misfit };
    if (message.protocol, message.number, message.length, message.octets.len())
        != (protocol, number, length, at)
    {
        return Arrived::Misfit;
    }
    if !allowance.take(piece.len()) {
        return Arrived::NoRoom;
    }
    message.octets.extend_from_slice(&piece);
    if !last {
        return Arrived::Piece;
    }
    Arrived::Whole(ProtocolId(protocol), core::mem::take(&mut message.octets).freeze())
}

impl Drop for Assembly {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    const PROTOCOL: ProtocolId = ProtocolId(5);

    fn message(length: usize) -> Bytes {
        (0..length).map(|n| (n / 7) as u8).collect::<Vec<_>>().into()
    }

    fn pieces(number: u32, length: usize) -> Vec<(ProtocolId, Bytes)> {
        cut(PROTOCOL, number, &message(length)).collect()
    }

    fn add_all(assembly: &mut Assembly, pieces: &[(ProtocolId, Bytes)]) -> Option<Arrived> {
        pieces.iter().map(|(protocol, bytes)| assembly.add(*protocol, bytes.clone())).last()
    }

    #[test]
    fn messages_of_every_length_are_put_together() {
        let mut assembly = Assembly::default();
        for length in [1, 2, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, MAX_LONG_MESSAGE] {
            let pieces = pieces(7, length);
            assert_eq!(pieces.len(), length.div_ceil(PIECE));
            let (last, before) = pieces.split_last().unwrap();
            assert!(before.iter().all(|(protocol, _)| *protocol == ProtocolId::PIECE));
            assert!(before.is_empty() || add_all(&mut assembly, before) == Some(Arrived::Piece));
            // Others in between are not touched.
            let other = (PROTOCOL, Bytes::from_static(b"other"));
            assert_eq!(
                add_all(&mut assembly, std::slice::from_ref(&other)),
                Some(Arrived::Message(PROTOCOL, other.1))
            );
            let whole = add_all(&mut assembly, std::slice::from_ref(last));
            assert_eq!(whole, Some(Arrived::Whole(PROTOCOL, message(length))));
            assert_eq!(assembly.allowance.0.load(Ordering::SeqCst), 0);
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped() {
        let mut assembly = Assembly::default();
        let (first, second) = (pieces(1, 3 * PIECE), pieces(2, 3 * PIECE));
        // Begun anew, in the middle: the message before is gone.
        add_all(&mut assembly, &first[..2]);
        assert_eq!(add_all(&mut assembly, &second), Some(Arrived::Whole(PROTOCOL, message(3 * PIECE))));
        let misfits = [
            vec![first[1].clone()],
            vec![first[0].clone(), first[2].clone()],
            vec![first[0].clone(), second[1].clone()],
            vec![first[0].clone(), first[1].clone(), first[1].clone()],
            vec![(ProtocolId::LAST_PIECE, first[0].1.clone())],
            vec![first[0].clone(), first[1].clone(), (ProtocolId::PIECE, first[2].1.clone())],
            vec![(ProtocolId::PIECE, first[0].1.slice(..HEADER))],
            vec![(ProtocolId::PIECE, Bytes::new())],
        ];
        for misfit in misfits {
            assert_eq!(add_all(&mut assembly, &misfit), Some(Arrived::Misfit));
            assert!(assembly.message.is_none());
        }
        let mut long = BytesMut::from(&first[0].1[..]);
        long[12..16].copy_from_slice(&(MAX_LONG_MESSAGE as u32 + 1).to_be_bytes());
        assert_eq!(assembly.add(ProtocolId::PIECE, long.freeze()), Arrived::Misfit);
        assert_eq!(assembly.allowance.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn all_sessions_together_hold_no_more_than_permitted() {
        let allowance = Allowance::default();
        let pieces = pieces(1, MAX_LONG_MESSAGE);
        let (_, begun) = pieces.split_last().unwrap();
        let mut full = [(); 4].map(|()| Assembly::new(allowance.clone()));
        for assembly in &mut full {
            assert_eq!(add_all(assembly, begun), Some(Arrived::Piece));
        }
        let mut more = Assembly::new(allowance.clone());
        for _ in 0..4 {
            add_all(&mut more, &pieces[..1]);
            more.clear();
        }
        assert_eq!(add_all(&mut more, &pieces[..5]), Some(Arrived::NoRoom));
        assert!(allowance.0.load(Ordering::SeqCst) <= MAX_INCOMPLETE);
        drop(full);
        assert_eq!(add_all(&mut more, &pieces), Some(Arrived::Whole(PROTOCOL, message(MAX_LONG_MESSAGE))));
        assert_eq!(allowance.0.load(Ordering::SeqCst), 0);
    }

    /// A call and another message arrive at the same time, piece by piece, and a call may be as much longer as its framing is.
    #[test]
    fn a_call_and_a_message_do_not_disturb_each_other() {
        let mut assembly = Assembly::default();
        let call = message(MAX_WHOLE);
        let pieces_of_call = cut(ProtocolId::CALL, 1, &call).collect::<Vec<_>>();
        let others = pieces(1, 3 * PIECE);
        for n in 0..2 {
            assert_eq!(add_all(&mut assembly, &pieces_of_call[n..=n]), Some(Arrived::Piece));
            assert_eq!(add_all(&mut assembly, &others[n..=n]), Some(Arrived::Piece));
        }
        assert_eq!(add_all(&mut assembly, &others[1..]), Some(Arrived::Misfit));
        assert_eq!(
            add_all(&mut assembly, &pieces_of_call[2..]),
            Some(Arrived::Whole(ProtocolId::CALL, call))
        );
        let longer = cut(ProtocolId::CALL, 1, &message(MAX_WHOLE + 1)).collect::<Vec<_>>();
        assert_eq!(add_all(&mut assembly, &longer[..1]), Some(Arrived::Misfit));
        assert_eq!(assembly.allowance.0.load(Ordering::SeqCst), 0);
    }
}
