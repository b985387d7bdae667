//! What the DATA chunks of a library are parts of.
//!
//! Messages are cut here and not by the library, since how large a packet may be changes while an association
//! lives ([`PathMtu`](crate::sctp::path_mtu::PathMtu)). To the library each fragment is a message of its own, and all are
//! on one stream, so their TSNs follow each other in the order in which they were handed over, and the sequence number
//! says which one a chunk is. The fields that belong to the real message are put in when a chunk comes out.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes, BytesMut};
use rserpool_core::base::ProtocolId;

use super::{Outgoing, Receipt};
use crate::sctp::chunk::{Data, kind};
use crate::sctp::packet::{CHUNK_HEADER, Chunk, Chunks, HEADER};

/// The messages that the library was given and the peer does not have yet.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    messages: VecDeque<Message>,
    /// The number of the next fragment: the library counts them in 16 bits, as the messages of its stream.
    next: u64,
    /// The sequence number of the next message of each stream, where it is not 0.
    sequences: BTreeMap<u16, u16>,
}

#[derive(Debug)]
struct Message {
    /// The numbers of its fragments.
    first: u64,
    last: u64,
    label: Label,
    receipt: Receipt,
}

/// What the fragments of a message have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Label {
    stream: u16,
    sequence: u16,
    protocol: ProtocolId,
}

impl Fragments {
    /// Cuts a message into fragments of at most `size` octets. The library has to get all of them, in their order.
    pub(super) fn cut(
        &mut self,
        message: &Outgoing,
        receipt: Receipt,
        size: usize,
    ) -> impl Iterator<Item = Bytes> + use<> {
        let Outgoing { protocol, stream, bytes } = message.clone();
        let count = bytes.len().div_ceil(size).max(1);
        let next = self.sequences.entry(stream).or_default();
        let sequence = std::mem::replace(next, next.wrapping_add(1));
        let (first, last) = (self.next, self.next + count as u64 - 1);
        self.next = last + 1;
        // The window of the ledger, and one message: that the numbers are unique in 16 bits.
        debug_assert!(self.messages.front().is_none_or(|front| last - front.first <= u64::from(u16::MAX)));
        self.messages.push_back(Message {
            first,
            last,
            label: Label { stream, sequence, protocol },
            receipt,
        });
        (0..count).map(move |n| bytes.slice(n * size..((n + 1) * size).min(bytes.len())))
    }

    /// The DATA chunks of a packet of the library, with the fields of their messages put in.
    pub(super) fn chunks(&self, mut packet: BytesMut) -> impl Iterator<Item = Chunk> + use<> {
        let mut rest = packet.get_mut(HEADER..).unwrap_or_default();
        while let Some([kind, _, high, low]) = rest.first_chunk().copied() {
            let length = usize::from(u16::from_be_bytes([high, low])).max(CHUNK_HEADER);
            if kind == kind::DATA
                && let Some((header, fields)) = rest.split_at_mut_checked(CHUNK_HEADER)
                && let Some(flags) = self.label(header[1], fields)
            {
                header[1] = flags;
            }
            rest = rest.get_mut(length.next_multiple_of(4)..).unwrap_or_default();
        }
        let mut packet = packet.freeze();
        packet.advance(HEADER.min(packet.len()));
        Chunks::of(packet).filter(|chunk| chunk.kind == kind::DATA)
    }

    /// Puts into the fields of a DATA chunk what it is a part of; its flags. The library may have cut a fragment again, to
    /// fill a packet.
    fn label(&self, flags: u8, fields: &mut [u8]) -> Option<u8> {
        let sequence = u16::from_be_bytes(*fields.get(6..)?.first_chunk()?);
        let front = self.messages.front()?.first;
        let number = front + u64::from(sequence.wrapping_sub(front as u16));
        let index = self.messages.partition_point(|m| m.last < number);
        let message = self.messages.get(index)?;
        let Label { stream, sequence, protocol } = message.label;
        fields.get_mut(4..6)?.copy_from_slice(&stream.to_be_bytes());
        fields.get_mut(6..8)?.copy_from_slice(&sequence.to_be_bytes());
        fields.get_mut(8..12)?.copy_from_slice(&protocol.0.to_be_bytes());
        let begin = if number == message.first { Data::BEGIN } else { 0 };
        let end = if number == message.last { Data::END } else { 0 };
        Some(flags & (begin | end))
    }

    /// How many fragments the next message has that the peer does not have yet.
    pub(super) fn next_size(&self) -> Option<u64> {
        self.messages.front().map(|message| message.last - message.first + 1)
    }

    /// The peer has the next message.
    pub(super) fn delivered(&mut self) -> Option<Receipt> {
        self.messages.pop_front().map(|message| message.receipt)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    /// The fields of a DATA chunk of the library with this sequence number, and the flags B and E, as they come out.
    fn label(fragments: &Fragments, flags: u8, sequence: u16) -> Option<(u8, u16, u16, u32)> {
        let mut fields = [0; 12];
        fields[6..8].copy_from_slice(&sequence.to_be_bytes());
        let flags = fragments.label(flags, &mut fields)?;
        let number = |at: usize| u16::from_be_bytes([fields[at], fields[at + 1]]);
        Some((flags, number(4), number(6), u32::from(number(10))))
    }

    fn labels(fragments: &Fragments) -> Vec<Option<(u8, u16, u16, u32)>> {
        (0..6).map(|n| label(fragments, 3, 0xfffe_u16.wrapping_add(n))).collect()
    }

    #[test]
    fn every_fragment_has_the_fields_of_its_message_across_the_wrap() {
        let mut fragments = Fragments { next: 0xfffe, ..Fragments::default() };
        let mut cut = |stream, protocol, length: usize, size| {
            let message = Outgoing { protocol: ProtocolId(protocol), stream, bytes: vec![0; length].into() };
            let receipt = Receipt(NonZeroU64::new(length as u64).unwrap());
            fragments.cut(&message, receipt, size).map(|part| part.len()).collect::<Vec<_>>()
        };
        assert_eq!(cut(0, 0, 1, 100), [1]);
        assert_eq!(cut(7, 11, 101, 50), [50, 50, 1]);
        assert_eq!(cut(0, 12, 100, 100), [100]);
        let all = [(3, 0, 0, 0), (2, 7, 0, 11), (0, 7, 0, 11), (1, 7, 0, 11), (3, 0, 1, 12)].map(Some);
        assert_eq!(labels(&fragments), [&all[..], &[None]].concat());
        // The library has cut the first fragment of the second message, and the last, into three each.
        let parts = |n| [2, 0, 1].map(|flags| label(&fragments, flags, n).map(|label| label.0));
        assert_eq!((parts(0xffff), parts(1)), ([2, 0, 0].map(Some), [0, 0, 1].map(Some)));
        assert_eq!(fragments.delivered().map(|receipt| receipt.0.get()), Some(1));
        assert_eq!((fragments.next_size(), &labels(&fragments)[1..5]), (Some(3), &all[1..]));
        let rest: Vec<_> = std::iter::from_fn(|| fragments.delivered()).map(|r| r.0.get()).collect();
        assert_eq!((rest, labels(&fragments)), (vec![101, 100], vec![None; 6]));
    }
}
