//! Calls at an interval of 10 ms, while the element in use is killed about every second, and another one starts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rserpool_driver::vocabulary::{Bytes, CallError, CallOptions, SessionEvent, UnansweredReason};
use rserpool_tokio::Session;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::element::{COUNT, POOL, WORK};
use super::stage::Stage;
use super::{Error, ms};

const ELEMENTS: usize = 3;
const INTERVAL: Duration = Duration::from_millis(10);
/// Not a multiple of the interval: the kills meet calls at any stage.
const BETWEEN_KILLS: Duration = Duration::from_millis(1_003);
const CALLS_A_KILL: u64 = 100;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// Sent again if the element fails.
    Again,
    /// Carried out at most once.
    AtMostOnce,
    /// Sent again, one after the other, to an element that counts them, and keeps the count in a cookie.
    Counted,
}

impl Calls {
    pub(super) const ALL: [Self; 3] = [Self::Again, Self::AtMostOnce, Self::Counted];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Again => "calls",
            Self::AtMostOnce => "calls, at most once",
            Self::Counted => "calls that are counted, the count in a cookie",
        }
    }
}

/// How one call has ended.
struct Ended {
    number: u64,
    at: Instant,
    answer: Result<Bytes, CallError>,
}

/// How all of them have.
#[derive(Default)]
struct Tally {
    answers: Vec<Instant>,
    /// Their element failed, and whether they were carried out is not known.
    unknown: u64,
    lost: u64,
    went_back: u64,
    skipped: u64,
}

impl Tally {
    fn add(&mut self, Ended { number, at, answer }: Ended) {
        match answer {
            Ok(answer) => {
                let count = answer[..].try_into().map_or(0, u64::from_be_bytes);
                self.answers.push(at);
                self.went_back += u64::from(count < number);
                self.skipped += u64::from(count > number);
            }
            Err(CallError::Unanswered(UnansweredReason::ElementFailed)) => self.unknown += 1,
            Err(_) => self.lost += 1,
        }
    }
}

/// Makes 100 calls for each kill.
pub(super) async fn measure(calls: Calls, kills: usize) -> Result<Value, Error> {
    let mut stage = Stage::new(ELEMENTS).await?;
    let session = stage.user.connect(POOL).await?;
    let messages = Arc::new(AtomicUsize::new(0));
    let following = tokio::spawn(follow(session.clone(), Arc::clone(&messages)));
    let total = kills as u64 * CALLS_A_KILL;
    let (ended, mut end) = unbounded_channel();
    let calling = tokio::spawn(call(session.clone(), calls, total, ended));
    let mut killed = Vec::new();
    let mut ticks = tokio::time::interval(BETWEEN_KILLS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    while killed.len() < kills && !calling.is_finished() {
        ticks.tick().await;
        let at = Instant::now();
        if stage.kill(session.element())? {
            killed.push(at);
            stage.start()?;
        }
    }
    calling.await?;
    let mut tally = Tally::default();
    while let Some(ended) = end.recv().await {
        tally.add(ended);
    }
    tally.answers.sort();
    following.abort();
    let mut gaps: Vec<Duration> = killed.iter().filter_map(|at| gap(&tally.answers, *at)).collect();
    gaps.sort();
    let percentile =
        |percent: usize| gaps.get((gaps.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    let mut figures = json!({
        "calls": calls.name(), "sent": total, "answered": tally.answers.len(), "unknown": tally.unknown, "lost": tally.lost,
        "answered_twice": messages.load(Ordering::Relaxed), "kills": killed.len(),
        "gap_median_ms": percentile(50).map(ms), "gap_p99_ms": percentile(99).map(ms),
        "gap_max_ms": percentile(100).map(ms), "went_back": tally.went_back, "skipped": tally.skipped,
    });
    if calls != Calls::Counted {
        figures["executed_twice"] = repeated(stage.record()?).into();
    }
    Ok(figures)
}

async fn call(session: Session, calls: Calls, total: u64, ended: UnboundedSender<Ended>) {
    let options = match calls {
        Calls::AtMostOnce => CallOptions::default().at_most_once(),
        Calls::Again | Calls::Counted => CallOptions::default(),
    };
    let protocol = if calls == Calls::Counted { COUNT } else { WORK };
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut under_way = JoinSet::new();
    for number in 1..=total {
        ticks.tick().await;
        let (session, ended) = (session.clone(), ended.clone());
        under_way.spawn(async move {
            let bytes = number.to_be_bytes().to_vec();
            let answer = session.call_with(protocol, bytes, options).await;
            let _ = ended.send(Ended { number, at: Instant::now(), answer });
        });
        if calls == Calls::Counted {
            under_way.join_next().await;
        }
    }
    under_way.join_all().await;
}

/// Takes the events of the session, so that it knows its element, and counts messages that are no answers of calls under way.
async fn follow(session: Session, messages: Arc<AtomicUsize>) {
    while let Some(event) = session.next_event().await {
        if let SessionEvent::Received { .. } = event {
            messages.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The longest time between two answers around a kill.
fn gap(answers: &[Instant], kill: Instant) -> Option<Duration> {
    let before = answers.partition_point(|at| *at <= kill).checked_sub(1)?;
    let around = answers[before..].windows(2).take_while(|pair| pair[0] < kill + BETWEEN_KILLS / 2);
    around.map(|pair| pair[1] - pair[0]).max()
}

/// How many of these are there more than once.
fn repeated(numbers: Vec<u64>) -> usize {
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    numbers.into_iter().for_each(|number| *times.entry(number).or_default() += 1);
    times.into_values().filter(|times| *times > 1).count()
}
