//! Octets of a TCP connection to messages: each is as long as its own header says, and filled up to
//! a multiple of four (reading B14).

use bytes::{Bytes, BytesMut};

/// Type, flags and length: what every message begins with (RFC 5354 section 4).
const HEADER: usize = 4;

/// The longest message that a length of 16 bits can announce.
pub(super) const LONGEST: usize = u16::MAX as usize;

/// The octets that have come in and are no whole message yet, or wait to be fetched.
#[derive(Debug)]
pub(super) struct Frames {
    octets: BytesMut,
    /// The longest message that is taken.
    limit: usize,
}

/// A length that no message has, or that is longer than is taken: where the next message begins is
/// not known, so the connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadLength(pub(super) usize);

impl Frames {
    /// Takes messages of up to `limit` octets.
    pub(super) fn new(limit: usize) -> Self {
        Self { octets: BytesMut::new(), limit }
    }

    pub(super) fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// The next whole message with its padding, if it has come in. A length that cannot be is found as
    /// soon as it is there, and again and again.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, BadLength> {
        let Some([_, _, high, low]) = self.octets.first_chunk::<HEADER>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if !(HEADER..=self.limit).contains(&length) {
            return Err(BadLength(length));
        }
        let padded = length.next_multiple_of(4);
        Ok((self.octets.len() >= padded).then(|| self.octets.split_to(padded).freeze()))
    }

    /// The octets that have come, `most` of them at most, wherever messages may begin.
    pub(super) fn take(&mut self, most: usize) -> Option<Bytes> {
        let octets = self.octets.len().min(most);
        (octets > 0).then(|| self.octets.split_to(octets).freeze())
    }

    /// How many octets wait.
    pub(super) fn len(&self) -> usize {
        self.octets.len()
    }
}

/// A message as it goes into a connection: filled up to a multiple of four, whether or not its length
/// counts that (reading A5).
pub(super) fn fill_up(message: Bytes) -> Bytes {
    let missing = message.len().next_multiple_of(4) - message.len();
    if missing == 0 {
        return message;
    }
    let mut filled = BytesMut::with_capacity(message.len() + missing);
    filled.extend_from_slice(&message);
    filled.resize(message.len() + missing, 0);
    filled.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of this length, by its header; octets that tell their place follow, then padding.
    fn message(length: u16) -> Vec<u8> {
        let mut octets = vec![5, 0];
        octets.extend(length.to_be_bytes());
        octets.extend((4..length).map(|place| place as u8));
        octets.resize(usize::from(length).next_multiple_of(4), 0xee);
        octets
    }

    fn all(frames: &mut Frames) -> Vec<Bytes> {
        std::iter::from_fn(|| frames.next().unwrap()).collect()
    }

    /// Reading B14: cut at every length, nothing comes before the last octet of the padding.
    #[test]
    fn a_message_that_is_cut_waits_for_the_rest() {
        for length in 4..=21 {
            let whole = message(length);
            for cut in 0..whole.len() {
                let mut frames = Frames::new(LONGEST);
                frames.push(&whole[..cut]);
                assert_eq!(frames.next(), Ok(None), "{length} cut at {cut}");
                frames.push(&whole[cut..]);
                assert_eq!(frames.next(), Ok(Some(Bytes::from(whole.clone()))), "{length} cut at {cut}");
                assert_eq!((frames.next(), frames.len()), (Ok(None), 0));
            }
        }
    }

    /// Reading B14: three messages of different padding, split in three at every pair of places.
    #[test]
    fn every_split_gives_the_same_messages() {
        let messages = [message(4), message(9), message(16), message(7)];
        let octets = messages.concat();
        for first in 0..=octets.len() {
            for second in first..=octets.len() {
                let mut frames = Frames::new(LONGEST);
                let mut found = Vec::new();
                for part in [&octets[..first], &octets[first..second], &octets[second..]] {
                    frames.push(part);
                    found.extend(all(&mut frames));
                }
                assert_eq!(found, messages, "split at {first} and {second}");
                assert_eq!(frames.len(), 0);
            }
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_found_at_once() {
        for (length, limit) in [(0, LONGEST), (3, LONGEST), (21, 20), (65_535, 65_534)] {
            let mut frames = Frames::new(limit);
            let [high, low] = (length as u16).to_be_bytes();
            frames.push(&[5, 0, high]);
            assert_eq!(frames.next(), Ok(None));
            frames.push(&[low]);
            assert_eq!(frames.next(), Err(BadLength(length)));
            frames.push(&message(8));
            assert_eq!(frames.next(), Err(BadLength(length)), "where the next one begins is not known");
        }
        let mut frames = Frames::new(LONGEST);
        frames.push(&message(65_535));
        assert_eq!(all(&mut frames), [message(65_535)]);
    }

    #[test]
    fn what_is_sent_is_filled_up() {
        for length in 4..=9 {
            let unpadded = Bytes::from(message(length)[..length.into()].to_vec());
            let filled = fill_up(unpadded.clone());
            assert_eq!((filled.len() % 4, &filled[..length.into()]), (0, &unpadded[..]));
            assert!(filled[length.into()..].iter().all(|octet| *octet == 0));
            let mut frames = Frames::new(LONGEST);
            frames.push(&filled);
            assert_eq!(frames.next(), Ok(Some(filled)));
        }
    }
}
