//! Log lines that the network can cause, limited in their rate and their length.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rserpool_core::base::{Instant, TransportAddress};
use rserpool_core::handlespace::PeHandle;

/// So many lines of one kind may come at once.
const BURST: u32 = 20;
/// Then one per this interval: a flood from the network must not become a flood of the disk.
const INTERVAL: Duration = Duration::from_millis(500);
/// After how long lines that were left out are told of, if no other line of their kind does.
const TELL_AFTER: Duration = Duration::from_secs(1);
/// So many faults that were told already are remembered. Whoever finds more faults with us than this is told of
/// again, at the rate of every line.
const MAX_TOLD: usize = 256;
/// The most characters of a name from the network in one line: a pool handle may have 1,024 octets.
const MAX_NAME: usize = 64;
/// The most characters of what a peer finds wrong: enough for a few causes with their names.
const MAX_TEXT: usize = 256;

/// One token bucket per kind of line.
#[derive(Debug, Default)]
#[expect(unnameable_types, reason = "seals `Configuration`")]
pub struct Log {
    now: Instant,
    buckets: BTreeMap<&'static str, Bucket>,
    news: BTreeMap<&'static str, String>,
    told: VecDeque<String>,
}

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    filled: Instant,
    suppressed: u64,
    /// When the first of those was suppressed.
    since: Instant,
}

impl Log {
    /// Time moves on.
    pub(super) fn at(&mut self, now: Instant) -> &mut Self {
        self.now = now;
        self
    }

    /// Whether a line of this kind may be written now.
    pub(super) fn allow(&mut self, kind: &'static str) -> Option<Line> {
        let now = self.now;
        let bucket = self.buckets.entry(kind).or_insert(Bucket {
            tokens: BURST,
            filled: now,
            suppressed: 0,
            since: now,
        });
        let earned = now.since(bucket.filled).as_nanos() / INTERVAL.as_nanos();
        if earned > 0 {
            bucket.tokens = u32::try_from(earned).unwrap_or(BURST).saturating_add(bucket.tokens).min(BURST);
            bucket.filled = now;
        }
        if bucket.tokens == 0 {
            if bucket.suppressed == 0 {
                bucket.since = now;
            }
            bucket.suppressed += 1;
            return None;
        }
        bucket.tokens -= 1;
        let suppressed = std::mem::take(&mut bucket.suppressed);
        Some(Line { suppressed: (suppressed > 0).then_some(suppressed) })
    }

    /// Whether this is something else than was said of the same subject last.
    pub(super) fn is_news(&mut self, subject: &'static str, said: String) -> bool {
        let is_news = self.news.get(subject) != Some(&said);
        if is_news {
            self.news.insert(subject, said);
        }
        is_news
    }

    /// Whether this was not said before, of the last [`MAX_TOLD`] things that had to be said once only: an error that
    /// a peer reports again and again is one error.
    pub(super) fn is_first(&mut self, said: String) -> bool {
        let said = brief(&said);
        if self.told.contains(&said) {
            return false;
        }
        if self.told.len() == MAX_TOLD {
            self.told.pop_front();
        }
        self.told.push_back(said);
        true
    }

    /// What was said of a subject no longer holds: the next word about it is news.
    pub(super) fn forget(&mut self, subject: &'static str) {
        self.news.remove(subject);
    }

    /// When lines that were left out are to be told of.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.buckets.values().filter(|bucket| bucket.suppressed > 0);
        waiting.map(|bucket| bucket.since + TELL_AFTER).min()
    }

    /// The kinds of which lines were left out, with their number, that nobody has told of for long enough.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<(&'static str, u64)> {
        let late = |bucket: &Bucket| bucket.suppressed > 0 && bucket.since + TELL_AFTER <= now;
        let late = self.buckets.iter_mut().filter(|(_, bucket)| late(bucket));
        late.map(|(kind, bucket)| (*kind, std::mem::take(&mut bucket.suppressed))).collect()
    }
}

/// The permission to write a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// How many lines of its kind were not written before it, if any.
    pub(super) suppressed: Option<u64>,
}

/// The name of an element for a line, which puts it in quotes; the pool not at full length.
pub(super) fn name(pe: &PeHandle) -> String {
    format!("{}/{}", cut(&pe.pool.to_string()), pe.element)
}

/// The beginning of a name that anybody may have chosen.
pub(super) fn cut(text: &str) -> String {
    beginning(text, MAX_NAME)
}

/// The beginning of a text about something that anybody may have sent: one message has room for 10,000 causes.
pub(super) fn brief(text: &str) -> String {
    beginning(text, MAX_TEXT)
}

/// The registrars that were tried, as one text.
pub(super) fn listed(tried: &[TransportAddress]) -> String {
    if tried.is_empty() {
        return "none is known".into();
    }
    brief(&tried.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

fn beginning(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use rserpool_core::base::ElementId;

    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted_per_kind() {
        let mut log = Log::default();
        let written = (0..100).filter(|_| log.allow("a").is_some()).count();
        assert_eq!(written, 20);
        assert_eq!(log.allow("b"), Some(Line { suppressed: None }));
        let later = Instant::ORIGIN + INTERVAL;
        assert_eq!(log.at(later).allow("a"), Some(Line { suppressed: Some(80) }));
        assert_eq!(log.allow("a"), None);
        assert_eq!(log.at(later + INTERVAL * 1000).allow("a"), Some(Line { suppressed: Some(1) }));
    }

    #[test]
    fn lines_that_were_left_out_are_told_of_though_nothing_follows() {
        let mut log = Log::default();
        assert_eq!(log.poll_timeout(), None);
        assert_eq!((0..30).filter(|_| log.allow("a").is_some()).count(), 20);
        let due = Instant::ORIGIN + TELL_AFTER;
        assert_eq!(log.poll_timeout(), Some(due));
        assert_eq!(log.overdue(Instant::ORIGIN), []);
        assert_eq!(log.overdue(due), [("a", 10)]);
        assert_eq!((log.poll_timeout(), log.overdue(due)), (None, Vec::new()));
    }

    #[test]
    fn what_was_said_already_is_no_news() {
        let mut log = Log::default();
        let mut said = |text: &str| log.is_news("registered", text.into());
        assert_eq!((said("at 1"), said("at 1"), said("at 2"), said("at 2")), (true, false, true, false));
        log.forget("registered");
        assert!(log.is_news("registered", "at 2".into()));
    }

    #[test]
    fn what_is_to_be_said_once_is_said_once() {
        let mut log = Log::default();
        let mut first = |number: usize| log.is_first(format!("10.0.0.1: cause {number}"));
        assert_eq!((first(1), first(1), first(2), first(1)), (true, false, true, false));
        // No more is remembered than this.
        assert!((3..=MAX_TOLD + 1).all(&mut first));
        assert!(first(1));
    }

    #[test]
    fn names_are_cut() {
        let name = |pool: &str| name(&PeHandle { pool: pool.into(), element: ElementId(7) });
        assert_eq!(name("EchoPool"), "EchoPool/0x7");
        assert_eq!(name(&"x".repeat(1_024)), format!("{}…/0x7", "x".repeat(MAX_NAME)));
    }
}
