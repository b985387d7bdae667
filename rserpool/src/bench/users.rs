//! The users of a measurement, which ask a registrar or call elements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rserpool_core::base::SctpAddress;
use rserpool_driver::{Pairing, SessionEvent};
use rserpool_tokio::{PoolUser, Session};
use tokio::task::JoinSet;

use super::latency::{Pace, Times};
use super::{BenchCommand, LEAVE_WITHIN, Mode};
use crate::client;
use crate::connect::ECHO;
use crate::exit::Failure;
use crate::settings::PoolName;

/// What a call carries.
const CALL: &[u8] = &[b'r'; 32];

/// What users have seen.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) times: Times,
    /// Of these, the calls in which their session moved.
    pub(super) gaps: Times,
    pub(super) failed: u64,
    pub(super) failovers: u64,
    /// Whose time came and that were not begun.
    pub(super) not_asked: u64,
}

impl Tally {
    fn new() -> Self {
        Self { times: Times::new(), gaps: Times::new(), failed: 0, failovers: 0, not_asked: 0 }
    }
}

/// All users, each with an association of its own to the registrar.
pub(super) struct Users {
    all: Vec<(PoolUser, Work)>,
    tasks: JoinSet<Tally>,
}

/// What a user does again and again.
#[derive(Clone)]
enum Work {
    Resolve { pool: PoolName, items: u32 },
    Call { session: Session, moves: Arc<AtomicU64> },
}

impl Users {
    /// Starts them. The first question, which finds the registrar, is not measured.
    pub(super) async fn start(command: &BenchCommand, registrar: &SctpAddress) -> Result<Self, Failure> {
        let mut all = Vec::with_capacity(command.users());
        for _ in 0..command.users() {
            let registrar = registrar.clone();
            let builder = PoolUser::builder()
                .preset(command.preset.into())
                .busy_poll(command.busy_poll.map_or(Duration::ZERO, Duration::from))
                .configure(|config| config.hunt.registrars = vec![registrar.into()]);
            let user = builder.start().await?;
            let explain = |error| client::explain(&command.pool, &error);
            let work = if command.mode == Mode::Resolve {
                user.resolve_items(command.pool.clone(), Some(command.items)).await.map_err(explain)?;
                Work::Resolve { pool: command.pool.clone(), items: command.items }
            } else {
                let session = user.connect(command.pool.clone()).await.map_err(explain)?;
                // Elements in processes of their own are those of the echo service, which knows no calls of ours.
                let session = if command.mode == Mode::Failover {
                    session.pairing(Pairing::in_order())
                } else {
                    session
                };
                let moves = Arc::new(AtomicU64::new(0));
                tokio::spawn(count_moves(session.clone(), moves.clone()));
                Work::Call { session, moves }
            };
            all.push((user, work));
        }
        Ok(Self { all, tasks: JoinSet::new() })
    }

    /// Lets them ask from the first time until the second.
    pub(super) fn begin(&mut self, per_second: Option<f64>, span: (Instant, Instant)) {
        for (place, (user, work)) in self.all.iter().enumerate() {
            let pace = Pace::new(span, per_second, place, self.all.len());
            self.tasks.spawn(work.clone().repeat(user.clone(), pace));
        }
    }

    /// Waits until the last question is answered.
    pub(super) async fn end(&mut self) -> Result<Tally, Failure> {
        let mut all = Tally::new();
        while let Some(result) = self.tasks.join_next().await {
            let one = result.map_err(|error| Failure::failed(error.to_string()))?;
            all.times.add(&one.times)?;
            all.gaps.add(&one.gaps)?;
            all.failed += one.failed;
            all.failovers += one.failovers;
            all.not_asked += one.not_asked;
        }
        Ok(all)
    }

    pub(super) async fn leave(self) {
        for (user, _) in &self.all {
            user.shutdown(LEAVE_WITHIN).await;
        }
    }
}

impl Work {
    async fn repeat(self, user: PoolUser, mut pace: Pace) -> Tally {
        let (mut tally, mut moved) = (Tally::new(), 0);
        while let Some(begin) = pace.next().await {
            let is_answered = self.once(&user).await;
            let time = begin.elapsed();
            if !is_answered {
                tally.failed += 1;
                continue;
            }
            tally.times.note(time);
            if self.moves() > moved {
                moved = self.moves();
                tally.gaps.note(time);
            }
        }
        tally.failovers = self.moves();
        tally.not_asked = pace.not_begun();
        tally
    }

    /// Whether there was an answer.
    async fn once(&self, user: &PoolUser) -> bool {
        match self {
            Self::Resolve { pool, items } => {
                let answer = user.resolve_items(pool.clone(), Some(*items)).await;
                answer.is_ok_and(|resolution| !resolution.elements.is_empty())
            }
            Self::Call { session, .. } => session.call(ECHO, Bytes::from_static(CALL)).await.is_ok(),
        }
    }

    fn moves(&self) -> u64 {
        match self {
            Self::Resolve { .. } => 0,
            Self::Call { moves, .. } => moves.load(Ordering::Relaxed),
        }
    }
}

async fn count_moves(session: Session, moves: Arc<AtomicU64>) {
    while let Some(event) = session.next_event().await {
        if matches!(event, SessionEvent::FailedOver { .. }) {
            moves.fetch_add(1, Ordering::Relaxed);
        }
    }
}
