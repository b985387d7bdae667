//! What happened, as a hash over every octet and, if wanted, as text with one line per event.

use std::collections::VecDeque;
use std::fmt::Write;

use rserpool_core::base::Instant;

use crate::random::mix;

/// How much of the text is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceMode {
    /// Only the hash.
    Hash,
    /// The hash and the last lines.
    Last(usize),
    /// The hash and every line.
    Text,
}

/// The trace of a world.
#[derive(Debug)]
pub struct Trace {
    mode: TraceMode,
    hash: u64,
    lines: VecDeque<String>,
}

impl Trace {
    pub(super) fn new(mode: TraceMode) -> Self {
        Self { mode, hash: 0, lines: VecDeque::new() }
    }

    /// The hash over everything that happened, with its time and every octet that was delivered.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines that were kept.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The lines as one text.
    pub fn text(&self) -> String {
        self.lines().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }

    /// Adds octets to the hash only.
    pub(super) fn hash_octets(&mut self, now: Instant, words: [u64; 2], octets: &[u8]) {
        let mut hash = mix(self.hash ^ now.as_nanos());
        let content = u64::from(crc32c::crc32c(octets)) << 32 | octets.len() as u64;
        for word in words.into_iter().chain([content]) {
            hash = mix(hash ^ word);
        }
        self.hash = hash;
    }

    /// Notes one event: numbers and octets for the hash, and the text if it is kept.
    pub(super) fn note(
        &mut self,
        now: Instant,
        words: [u64; 2],
        octets: &[u8],
        text: impl FnOnce() -> String,
    ) {
        self.hash_octets(now, words, octets);
        let limit = match self.mode {
            TraceMode::Hash => return,
            TraceMode::Last(limit) => limit,
            TraceMode::Text => usize::MAX,
        };
        if self.lines.len() >= limit {
            self.lines.pop_front();
        }
        let nanos = now.as_nanos();
        let line = format!("{:4}.{:06} {}", nanos / 1_000_000_000, nanos / 1_000 % 1_000_000, text());
        self.lines.push_back(line);
    }
}
