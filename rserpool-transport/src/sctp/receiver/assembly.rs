//! Messages from their fragments, in the order of their streams (RFC 9260 sections 6.5, 6.6 and 6.9).
//!
//! What neighbours in the sequence of TSNs say of themselves has to fit together: the fragments of a message
//! follow each other without another between them. So in what has arrived in sequence there is at most one
//! message that is not whole, the last, and none that waits for an earlier one of its stream. A peer that does
//! otherwise could have us keep whatever it likes; it has broken the protocol.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rserpool_core::base::ProtocolId;

use super::Message;
use super::tsns::Tsns;
use crate::sctp::chunk::Data;

/// What a fragment costs beyond its octets.
const OVERHEAD: usize = 256;

/// The smallest fragments of which the longest message may consist, on average. Those of a path with the smallest MTU of
/// IPv4, 576 octets, have 500; libraries that fill each packet with what still fits cut some of them once more.
const SMALL_FRAGMENT: usize = 300;

#[derive(Debug)]
pub(super) struct Assembly {
    /// Fragments that follow each other and belong to one message, by their first TSN.
    runs: BTreeMap<u64, Run>,
    /// Whole messages that wait for an earlier one of their stream: where they begin, by stream and sequence
    /// number.
    waiting: BTreeMap<(u16, u16), u64>,
    /// The sequence number of the next message of each stream, where it is not 0.
    expected: BTreeMap<u16, u16>,
    /// What all runs cost.
    cost: usize,
    longest: usize,
}

#[derive(Debug)]
struct Run {
    last: u64,
    /// What all fragments of a message have in common.
    common: Common,
    /// The protocol that the first fragment states; that of the others means nothing (section 3.3.1).
    protocol: u32,
    begins: bool,
    ends: bool,
    parts: VecDeque<Bytes>,
    octets: usize,
}

/// What is the same in every fragment of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Common {
    stream: u16,
    sequence: u16,
    unordered: bool,
}

/// The peer has broken the protocol; in words for its operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sctp) struct Violation(pub(in crate::sctp) &'static str);

impl Assembly {
    pub(super) const fn new(longest: usize) -> Self {
        Self { runs: BTreeMap::new(), waiting: BTreeMap::new(), expected: BTreeMap::new(), cost: 0, longest }
    }

    /// What is kept costs this many octets.
    pub(super) const fn cost(&self) -> usize {
        self.cost
    }

    /// What a fragment of so many octets costs.
    pub(super) const fn cost_of(octets: usize) -> usize {
        octets + OVERHEAD
    }

    /// A fragment has arrived, and its TSN has been added to the others. Whole messages whose turn it is are
    /// handed out.
    ///
    /// # Errors
    /// The fragment does not fit the others, or the message gets too long.
    pub(super) fn add(
        &mut self,
        tsn: u64,
        data: &Data,
        tsns: &Tsns,
        emit: impl FnMut(Message),
    ) -> Result<(), Violation> {
        let run = Run::new(tsn, data);
        let before = self.runs.range(..tsn).next_back().filter(|(_, before)| before.last + 1 == tsn);
        let after = self.runs.get(&(tsn + 1));
        // A neighbour that has been handed out already was whole.
        let fits_before = || run.begins || !tsns.contains(tsn - 1);
        let fits_after = || run.ends || !tsns.contains(tsn + 1);
        if !(before.map_or_else(fits_before, |(_, before)| run.follows(before))
            && after.map_or_else(fits_after, |after| after.follows(&run)))
        {
            return Err(Violation("fragments that do not fit together"));
        }
        let joins_after = after.is_some() && !run.ends;
        let joined = before.filter(|(_, before)| !before.ends).map(|(first, _)| *first);
        self.cost += Self::cost_of(run.octets);
        let (mut first, mut whole) = (tsn, run);
        if let Some(start) = joined
            && let Some(earlier) = self.runs.remove(&start)
        {
            (first, whole) = (start, earlier.join(whole));
        }
        if joins_after && let Some(later) = self.runs.remove(&(tsn + 1)) {
            whole = whole.join(later);
        }
        if whole.octets > self.longest {
            return Err(Violation("message too long"));
        }
        if whole.parts.len() > self.longest / SMALL_FRAGMENT + 1 {
            return Err(Violation("message in too many fragments"));
        }
        let complete = whole.begins && whole.ends;
        let Common { stream, sequence, unordered } = whole.common;
        if complete && (unordered || sequence == self.next_of(stream)) {
            self.hand_out(whole, emit);
        } else {
            if complete && self.waiting.insert((stream, sequence), first).is_some() {
                return Err(Violation("two messages with the same sequence number"));
            }
            self.runs.insert(first, whole);
        }
        self.check(tsns)
    }

    /// In what has arrived in sequence, only the last message may be incomplete.
    fn check(&self, tsns: &Tsns) -> Result<(), Violation> {
        match self.runs.values().next().filter(|run| run.last <= tsns.cumulative()) {
            Some(run) if run.ends => Err(Violation("a sequence number that does not follow")),
            _ => Ok(()),
        }
    }

    /// Hands out a message, and those of its stream that have waited for it.
    fn hand_out(&mut self, run: Run, mut emit: impl FnMut(Message)) {
        let mut next = Some(run);
        while let Some(run) = next {
            let Common { stream, sequence, unordered } = run.common;
            self.cost -= run.octets + run.parts.len() * OVERHEAD;
            emit(run.message());
            if unordered {
                break;
            }
            let sequence = sequence.wrapping_add(1);
            self.expected.insert(stream, sequence);
            next = self.waiting.remove(&(stream, sequence)).and_then(|first| self.runs.remove(&first));
        }
    }

    fn next_of(&self, stream: u16) -> u16 {
        self.expected.get(&stream).copied().unwrap_or_default()
    }
}

impl Run {
    /// One fragment. Its octets are copied: it must not keep the datagram alive in which it came.
    fn new(tsn: u64, data: &Data) -> Self {
        Self {
            last: tsn,
            common: Common::of(data),
            protocol: data.protocol,
            begins: data.flags & Data::BEGIN != 0,
            ends: data.flags & Data::END != 0,
            parts: VecDeque::from([Bytes::copy_from_slice(&data.payload)]),
            octets: data.payload.len(),
        }
    }

    /// Whether this may come right behind another.
    fn follows(&self, before: &Self) -> bool {
        before.ends == self.begins && (before.ends || before.common == self.common)
    }

    /// Both as one. The shorter list moves, so that a message costs no more work than it has octets, in whatever
    /// order its fragments come.
    fn join(mut self, mut later: Self) -> Self {
        if self.parts.len() >= later.parts.len() {
            self.parts.append(&mut later.parts);
        } else {
            while let Some(part) = self.parts.pop_back() {
                later.parts.push_front(part);
            }
            self.parts = later.parts;
        }
        self.last = later.last;
        self.ends = later.ends;
        self.octets += later.octets;
        self
    }

    fn message(self) -> Message {
        let (protocol, stream) = (ProtocolId(self.protocol), self.common.stream);
        let mut parts = self.parts;
        let bytes = match parts.pop_front() {
            Some(only) if parts.is_empty() => only,
            first => {
                let mut bytes = Vec::with_capacity(self.octets);
                first.into_iter().chain(parts).for_each(|part| bytes.extend_from_slice(&part));
                bytes.into()
            }
        };
        Message { protocol, stream, bytes }
    }
}

impl Common {
    /// The sequence number of a message that has no order means nothing.
    const fn of(data: &Data) -> Self {
        let unordered = data.flags & Data::UNORDERED != 0;
        Self { stream: data.stream, sequence: if unordered { 0 } else { data.sequence }, unordered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sctp::receiver::tsns::Tsn;

    /// An assembly that takes messages of up to 10,000 octets, and its TSNs, of which 1 is the first.
    struct Rig {
        assembly: Assembly,
        tsns: Tsns,
        out: Vec<(u16, String)>,
    }

    fn rig() -> Rig {
        Rig { assembly: Assembly::new(10_000), tsns: Tsns::new(1), out: Vec::new() }
    }

    const BEGIN: u8 = Data::BEGIN;
    const END: u8 = Data::END;
    const UNORDERED: u8 = Data::UNORDERED;

    impl Rig {
        fn put(
            &mut self,
            tsn: u32,
            flags: u8,
            stream: u16,
            sequence: u16,
            text: &str,
        ) -> Result<(), Violation> {
            let Tsn::New(wide) = self.tsns.find(tsn) else { panic!("{tsn} again") };
            self.tsns.add(wide);
            let payload = Bytes::copy_from_slice(text.as_bytes());
            let data = Data { flags, tsn, stream, sequence, protocol: 11, payload };
            let emit = |m: Message| self.out.push((m.stream, String::from_utf8(m.bytes.to_vec()).unwrap()));
            self.assembly.add(wide, &data, &self.tsns, emit)
        }

        fn texts(&mut self) -> Vec<String> {
            std::mem::take(&mut self.out).into_iter().map(|(_, text)| text).collect()
        }
    }

    /// Every order of arrival of three messages, two of several fragments.
    #[test]
    fn every_order_gives_the_same_messages() {
        let chunks = [
            (1, BEGIN, 0, "a"),
            (2, 0, 0, "b"),
            (3, END, 0, "c"),
            (4, 3, 1, "d"),
            (5, BEGIN, 2, "e"),
            (6, END, 2, "f"),
        ];
        let mut orders = vec![vec![]];
        for _ in 0..chunks.len() {
            let longer = orders.iter().flat_map(|order: &Vec<usize>| {
                let left = (0..chunks.len()).filter(|n| !order.contains(n));
                left.map(|n| order.iter().copied().chain([n]).collect()).collect::<Vec<Vec<_>>>()
            });
            orders = longer.collect();
        }
        assert_eq!(orders.len(), 720);
        for order in orders {
            let mut rig = rig();
            for n in &order {
                let (tsn, flags, sequence, text) = chunks[*n];
                rig.put(tsn, flags, 0, sequence, text).unwrap();
            }
            assert_eq!(rig.texts(), ["abc", "d", "ef"], "{order:?}");
            assert_eq!((rig.assembly.cost, rig.assembly.runs.len(), rig.assembly.waiting.len()), (0, 0, 0));
        }
    }

    #[test]
    fn streams_and_messages_without_order_do_not_wait_for_others() {
        let mut rig = rig();
        rig.put(2, 3, 1, 0, "other stream").unwrap();
        rig.put(4, 3 | UNORDERED, 0, 77, "no order").unwrap();
        rig.put(3, 3, 0, 1, "second").unwrap();
        assert_eq!(rig.texts(), ["other stream", "no order"]);
        rig.put(1, 3, 0, 0, "first").unwrap();
        assert_eq!(rig.texts(), ["first", "second"]);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut rig = rig();
        for n in 0..70_000u32 {
            rig.put(n + 1, 3, 5, n as u16, "x").unwrap();
        }
        assert_eq!(rig.texts().len(), 70_000);
    }

    /// RFC 9260 section 6.9: the fragments of a message follow each other.
    #[test]
    fn fragments_that_cannot_be_of_one_message_are_refused() {
        let wrong = Err(Violation("fragments that do not fit together"));
        for (flags, stream, sequence) in
            [(BEGIN, 0, 1), (3, 0, 1), (END, 1, 0), (END, 0, 1), (END | UNORDERED, 0, 0)]
        {
            let mut rig = rig();
            rig.put(1, BEGIN, 0, 0, "a").unwrap();
            assert_eq!(rig.put(2, flags, stream, sequence, "b"), wrong, "{flags} {stream} {sequence}");
            let mut rig = self::rig();
            rig.put(2, flags, stream, sequence, "b").unwrap();
            assert_eq!(rig.put(1, BEGIN, 0, 0, "a"), wrong, "{flags} {stream} {sequence}");
        }
        for flags in [0, END] {
            assert_eq!(rig().put(1, flags, 0, 0, "a"), wrong, "nothing has begun");
            let mut rig = rig();
            rig.put(1, 3, 0, 0, "whole").unwrap();
            assert_eq!(rig.put(2, flags, 0, 0, "a"), wrong);
        }
        let mut rig = rig();
        rig.put(2, 3 | UNORDERED, 0, 0, "handed out").unwrap();
        assert_eq!(rig.put(1, BEGIN, 0, 0, "a"), wrong);
    }

    /// All earlier ones have arrived: there is nothing that such a message could wait for.
    #[test]
    fn a_sequence_number_that_does_not_follow_is_refused() {
        let wrong = Err(Violation("a sequence number that does not follow"));
        assert_eq!(rig().put(1, 3, 0, 1, "a"), wrong);
        let mut rig = rig();
        rig.put(1, 3, 0, 0, "a").unwrap();
        rig.put(3, 3, 0, 0, "the same number").unwrap();
        assert_eq!(rig.put(2, 3, 1, 0, "b"), wrong);
        let mut rig = self::rig();
        rig.put(3, 3, 0, 1, "a").unwrap();
        let twice = Err(Violation("two messages with the same sequence number"));
        assert_eq!(rig.put(2, 3, 0, 1, "b"), twice);
    }

    #[test]
    fn a_message_has_bounds() {
        let mut rig = rig();
        rig.put(1, BEGIN, 0, 0, &"x".repeat(9_999)).unwrap();
        rig.put(2, 0, 0, 0, "x").unwrap();
        assert_eq!(rig.put(3, 0, 0, 0, "x"), Err(Violation("message too long")));
        // 10,000 octets in fragments of 300 are 34.
        let mut rig = self::rig();
        rig.put(1, BEGIN, 0, 0, "x").unwrap();
        (2..=34).for_each(|tsn| rig.put(tsn, 0, 0, 0, "x").unwrap());
        assert_eq!(rig.put(35, 0, 0, 0, "x"), Err(Violation("message in too many fragments")));
    }

    #[test]
    fn what_is_kept_is_counted_with_its_overhead() {
        let mut rig = rig();
        rig.put(1, BEGIN, 0, 0, "ab").unwrap();
        rig.put(3, 3, 0, 1, "c").unwrap();
        assert_eq!(rig.assembly.cost(), 3 + 2 * OVERHEAD);
        rig.put(2, END, 0, 0, "").unwrap();
        assert_eq!(rig.assembly.cost(), 0);
    }
}
