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
//! | 4 | the octets of the message: 1 to 16 MiB |

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rserpool_core::base::ProtocolId;

/// The longest message that `send_long` sends, in octets: 16 MiB.
pub const MAX_LONG_MESSAGE: usize = 16 << 20;

/// The octets that one piece carries: so many of a message wait at a time.
const PIECE: usize = 64 << 10;

const HEADER: usize = 16;

/// The octets of long messages that an element has from all its users, while they are not complete: four of the longest
/// at the same time. The session that would have more is closed.
const MAX_INCOMPLETE: usize = 64 << 20;

/// Cuts a message.
pub(super) fn cut(
    protocol: ProtocolId,
    number: u32,
    message: &Bytes,
) -> impl Iterator<Item = (ProtocolId, Bytes)> {
    (0..message.len()).step_by(PIECE).map(move |at| {
        let end = message.len().min(at + PIECE);
        let mut piece = BytesMut::with_capacity(HEADER + end - at);
        piece.put_u32(protocol.0);
        piece.put_u32(number);
        // Both fit: a message has 16 MiB at most.
        piece.put_u32(at as u32);
        piece.put_u32(message.len() as u32);
        piece.put_slice(&message[at..end]);
        let last = end == message.len();
        (if last { ProtocolId::LAST_PIECE } else { ProtocolId::PIECE }, piece.freeze())
    })
}

/// What an endpoint may hold of messages that are not complete.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowance(Arc<AtomicUsize>);

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

/// The message that arrives in a session, one at a time.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    allowance: Allowance,
    partial: Option<Partial>,
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
pub(super) enum Arrived {
    /// No piece, or the last one: this is the message.
    Message(ProtocolId, Bytes),
    /// A piece.
    Piece,
    /// A piece that fits nowhere. What there was of its message is dropped.
    Misfit,
    /// A piece for which there is no room in all sessions together.
    NoRoom,
}

impl Assembly {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { allowance, partial: None }
    }

    /// A message has come.
    pub(super) fn add(&mut self, protocol: ProtocolId, bytes: Bytes) -> Arrived {
        match protocol {
            ProtocolId::PIECE | ProtocolId::LAST_PIECE => {}
            _ => return Arrived::Message(protocol, bytes),
        }
        let last = protocol == ProtocolId::LAST_PIECE;
        match self.add_piece(bytes, last) {
            Some(true) if last => match self.take() {
                Some(Partial { protocol, octets, .. }) => {
                    Arrived::Message(ProtocolId(protocol), octets.freeze())
                }
                None => Arrived::Misfit,
            },
            Some(true) => Arrived::Piece,
            Some(false) => {
                self.clear();
                Arrived::NoRoom
            }
            None => {
                self.clear();
                Arrived::Misfit
            }
        }
    }

    /// What is incomplete is dropped.
    pub(super) fn clear(&mut self) {
        self.take();
    }

    fn take(&mut self) -> Option<Partial> {
        let partial = self.partial.take()?;
        self.allowance.give_back(partial.octets.len());
        Some(partial)
    }

    /// Adds a piece; `None`: it does not fit. False: there is no room.
    fn add_piece(&mut self, mut piece: Bytes, last: bool) -> Option<bool> {
        if piece.len() <= HEADER {
            return None;
        }
        let (protocol, number) = (piece.get_u32(), piece.get_u32());
        let (at, length) = (piece.get_u32() as usize, piece.get_u32() as usize);
        if length > MAX_LONG_MESSAGE || (at + piece.len() == length) != last || at + piece.len() > length {
            return None;
        }
        if at == 0 {
            self.clear();
            self.partial = Some(Partial { protocol, number, length, octets: BytesMut::new() });
        }
        let partial = self.partial.as_mut()?;
        if (partial.protocol, partial.number, partial.length, partial.octets.len())
            != (protocol, number, length, at)
        {
            return None;
        }
        if !self.allowance.take(piece.len()) {
            return Some(false);
        }
        partial.octets.extend_from_slice(&piece);
        Some(true)
    }
}

impl Drop for Assembly {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(whole, Some(Arrived::Message(PROTOCOL, message(length))));
            assert_eq!(assembly.allowance.0.load(Ordering::SeqCst), 0);
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped() {
        let mut assembly = Assembly::default();
        let (first, second) = (pieces(1, 3 * PIECE), pieces(2, 3 * PIECE));
        // Begun anew, in the middle: the message before is gone.
        add_all(&mut assembly, &first[..2]);
        assert_eq!(add_all(&mut assembly, &second), Some(Arrived::Message(PROTOCOL, message(3 * PIECE))));
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
            assert!(assembly.partial.is_none());
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
        assert_eq!(add_all(&mut more, &pieces), Some(Arrived::Message(PROTOCOL, message(MAX_LONG_MESSAGE))));
        assert_eq!(allowance.0.load(Ordering::SeqCst), 0);
    }
}
