//! The hunt for a registrar (RFC 5352 section 3.6), shared by element and user.
//!
//! A [`Hunt`] keeps the list of known registrars, tries up to three of them at the same time, and hands over
//! the first association that comes up. While others wait for a place, a silent registrar keeps its own for a
//! part of T5 only, so that every registrar is tried within one T5 however many do not answer. Its owner, an element or a user, decides what is sent over the
//! association and what follows when it is lost. The owner also passes on every event that may concern the
//! hunt, and calls it when its deadline is due.

mod config;
mod known;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

pub use config::HuntConfig;
use known::Announced;
pub use known::MAX_ANNOUNCED;
pub(crate) use known::read_announcement;

use super::{Action, ConnectError};
use crate::base::{ConnectId, Instant, SctpAddress, SctpPort, TransportAddress};

/// The most registrars that are tried at the same time (SH1: no more than three).
pub const MAX_ATTEMPTS: usize = 3;

/// The pause before an attempt is repeated that failed because an association that has ended still held its
/// ports: the transport releases them after one round trip.
const PORTS_HELD: Duration = Duration::from_millis(100);

/// The pause before a registrar is tried again that has turned us away: it has refused, or has accepted and then
/// not answered. It may be about to start. The pause doubles each time, up to the initial T5, until the
/// registrar answers.
const TURNED_AWAY: Duration = Duration::from_millis(100);

/// The most turns of [`MAX_ATTEMPTS`] attempts within one T5: enough for [`MAX_ANNOUNCED`] registrars and as many
/// as anybody configures. It bounds the attempts that a flood of announcements can cause.
const MAX_TURNS: u32 = 32;

/// Identifiers for attempts to connect: one source for all parts of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct ConnectIds(u64);

impl ConnectIds {
    /// An identifier that was not used before.
    pub fn next_id(&mut self) -> ConnectId {
        self.0 += 1;
        ConnectId(self.0)
    }
}

/// What follows from the end of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoundEnd {
    /// T5 expired and the next round has begun.
    GoesOn {
        /// The registrars tried in this hunt so far.
        tried: Vec<TransportAddress>,
    },
    /// T5 expired in the last permitted round; the hunt is over.
    GivenUp {
        /// The registrars tried in this hunt.
        tried: Vec<TransportAddress>,
    },
}

/// The hunt of one endpoint.
#[derive(Clone, Debug)]
pub struct Hunt {
    config: HuntConfig,
    local_port: SctpPort,
    /// Whether registrars may be reached by TCP.
    tcp: bool,
    announced: Announced,
    /// The attempt by which a registrar was handed over last, until that registrar answers.
    unproven: Option<Attempt>,
    /// The registrars that have turned us away since they last answered. They are few, as all lists of the hunt:
    /// a tree for each would double the code of a small element.
    closed: Vec<Closed>,
    chase: Option<Chase>,
}

/// A registrar that has turned us away.
#[derive(Clone, Debug)]
struct Closed {
    registrar: TransportAddress,
    times: u32,
    /// When it may be tried again.
    until: Instant,
}

/// A hunt that is on.
#[derive(Clone, Debug)]
struct Chase {
    /// T5 as it is now.
    timeout: Duration,
    /// When T5 expires.
    deadline: Instant,
    /// Rounds begun.
    rounds: u32,
    /// How long an attempt keeps its place while others wait for one, so that each registrar is tried before T5
    /// expires.
    patience: Duration,
    /// The attempts that are under way, the oldest first: [`MAX_ATTEMPTS`] at most.
    pending: Vec<Attempt>,
    /// The registrars that are still to be tried in this round.
    queue: VecDeque<TransportAddress>,
    /// How often each was tried. The next round begins with those tried least (SH5.2).
    tried: Vec<(TransportAddress, u32)>,
    /// The registrar that has failed its owner: tried only while no other one is.
    avoid: Option<TransportAddress>,
    /// The registrars that are configured to be reached by TCP.
    named_by_tcp: Vec<TransportAddress>,
    /// The registrars that wait for some time before they are tried: they have turned us away, or an earlier
    /// association still held the ports.
    held: Vec<(Instant, TransportAddress)>,
}

/// An attempt at a registrar.
#[derive(Clone, Debug)]
struct Attempt {
    request: ConnectId,
    registrar: TransportAddress,
    began: Instant,
}

impl Hunt {
    /// The hunt of an element, not begun yet. It connects by SCTP, from `local_port` (0: any). Registrars
    /// that are announced for TCP are left out (RFC 5352 section 2.1: elements use SCTP).
    pub fn new(config: HuntConfig<SctpAddress>, local_port: SctpPort) -> Self {
        Self::at_rest(config.with_any_carrier(), local_port, false)
    }

    /// The hunt of a user, not begun yet. It connects by SCTP or TCP.
    pub fn of_user(config: HuntConfig) -> Self {
        Self::at_rest(config, SctpPort(0), true)
    }

    fn at_rest(config: HuntConfig, local_port: SctpPort, tcp: bool) -> Self {
        Self {
            config,
            local_port,
            tcp,
            announced: Announced::default(),
            unproven: None,
            closed: Vec::new(),
            chase: None,
        }
    }

    /// Looks for these registrars from the next attempts on, instead of those that were configured: a name may lead
    /// elsewhere by now.
    pub fn use_registrars(&mut self, registrars: Vec<TransportAddress>) {
        self.config.registrars = registrars;
    }

    /// Whether the hunt is on.
    pub const fn is_on(&self) -> bool {
        self.chase.is_some()
    }

    /// When [`Hunt::handle_timeout`] has to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.chase.as_ref().map(Chase::next_due)
    }

    #[cfg(test)]
    pub(crate) fn limit_rounds(&mut self, rounds: u32) {
        self.config.rounds = Some(rounds);
    }

    /// Whether T5 has expired.
    pub fn is_round_over(&self, now: Instant) -> bool {
        self.chase.as_ref().is_some_and(|chase| chase.deadline <= now)
    }

    /// The known registrar at `peer`, if there is one.
    pub fn registrar_at(&self, now: Instant, peer: &TransportAddress) -> Option<&TransportAddress> {
        let mut known = self.config.registrars.iter().chain(self.announced.current(now));
        known.find(|registrar| registrar.is_same_endpoint(peer))
    }

    /// The registrars tried in the hunt that is on.
    pub fn tried(&self) -> Vec<TransportAddress> {
        self.chase.as_ref().map_or_else(Vec::new, Chase::all_tried)
    }

    /// Begins to hunt, unless the hunt is on already (SH1, SH2). The registrar to `avoid`, which does not
    /// answer any more, is tried only while no other one is.
    pub fn start(
        &mut self,
        now: Instant,
        avoid: Option<TransportAddress>,
        ids: &mut ConnectIds,
        actions: &mut VecDeque<Action>,
    ) {
        if self.chase.is_some() {
            return;
        }
        if let Some(Attempt { registrar, began, .. }) = self.unproven.take() {
            self.turned_away(began, registrar);
        }
        self.chase = Some(Chase {
            timeout: self.config.timeout,
            deadline: now,
            rounds: 0,
            patience: self.config.timeout,
            pending: Vec::new(),
            queue: VecDeque::new(),
            tried: Vec::new(),
            avoid,
            named_by_tcp: self
                .config
                .registrars
                .iter()
                .filter(|registrar| registrar.is_tcp())
                .cloned()
                .collect(),
            held: Vec::new(),
        });
        self.begin_round(now, ids, actions);
    }

    /// Ends the hunt and cancels all attempts.
    pub fn stop(&mut self, actions: &mut VecDeque<Action>) {
        if let Some(chase) = self.chase.take() {
            cancel(&chase.pending, actions);
        }
    }

    /// A registrar has answered its owner: whatever was held against it is forgotten. A mere association proves
    /// nothing, since it may be ended at once.
    pub fn answered(&mut self, registrar: &TransportAddress) {
        self.unproven.take_if(|unproven| unproven.registrar == *registrar);
        self.closed.retain(|closed| closed.registrar != *registrar);
        self.announced.answered(registrar);
    }

    /// A datagram has arrived on the announcement channel. False if it is not an announcement. A hunt that is
    /// on tries registrars that it has not tried yet at once.
    pub fn handle_announce(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &Bytes,
        ids: &mut ConnectIds,
        actions: &mut VecDeque<Action>,
    ) -> bool {
        let Some(registrars) = self.announced.hear(now, self.config.outdate, source, bytes, self.tcp) else {
            return false;
        };
        if let Some(chase) = &mut self.chase {
            for registrar in registrars {
                let new = chase.times_tried(&registrar) == 0 && !chase.queue.contains(&registrar);
                if new && chase.queue.len() < MAX_ANNOUNCED {
                    chase.queue.push_back(registrar);
                }
            }
            chase.share_time(now);
            self.fill(now, ids, actions);
        }
        true
    }

    /// An attempt has succeeded. If it is an attempt of the hunt, the others are cancelled, the hunt is over
    /// (SH3, SH6), and the registrar is returned as it was configured or announced.
    pub fn handle_connected(
        &mut self,
        request: ConnectId,
        actions: &mut VecDeque<Action>,
    ) -> Option<TransportAddress> {
        let attempt = self.chase.as_mut()?.take(request)?;
        self.stop(actions);
        Some(self.unproven.insert(attempt).registrar.clone())
    }

    /// An attempt has failed. False if it is not an attempt of the hunt. Otherwise another registrar is tried
    /// instead (SH4). A registrar that has refused is tried again soon, and so is one whose attempt failed because
    /// an association that has just ended still held the ports.
    pub fn handle_connect_failed(
        &mut self,
        now: Instant,
        request: ConnectId,
        reason: &ConnectError,
        ids: &mut ConnectIds,
        actions: &mut VecDeque<Action>,
    ) -> bool {
        let Some(chase) = &mut self.chase else { return false };
        let Some(Attempt { registrar, .. }) = chase.take(request) else { return false };
        match reason {
            ConnectError::InUse => chase.held.push((now + PORTS_HELD, registrar)),
            ConnectError::Refused | ConnectError::Busy => {
                let until = self.turned_away(now, registrar.clone());
                if let Some(chase) = &mut self.chase {
                    chase.held.push((until, registrar));
                }
            }
            _ => self.announced.silent(&registrar),
        }
        self.fill(now, ids, actions);
        true
    }

    /// The deadline may have passed. When T5 expires, the attempts are cancelled, T5 doubles, and the next
    /// round tries other registrars (SH5).
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        ids: &mut ConnectIds,
        actions: &mut VecDeque<Action>,
    ) -> Option<RoundEnd> {
        let chase = self.chase.as_mut()?;
        if now < chase.deadline {
            let due = chase.held.extract_if(.., |(until, _)| *until <= now);
            chase.queue.extend(due.map(|(_, registrar)| registrar));
            self.fill(now, ids, actions);
            return None;
        }
        for Attempt { registrar, .. } in &chase.pending {
            self.announced.silent(registrar);
        }
        cancel(&chase.pending, actions);
        chase.pending.clear();
        let tried = chase.all_tried();
        if self.config.rounds.is_some_and(|rounds| chase.rounds >= rounds) {
            self.chase = None;
            return Some(RoundEnd::GivenUp { tried });
        }
        chase.timeout = chase.timeout.saturating_mul(2).min(self.config.timeout_max);
        self.begin_round(now, ids, actions);
        Some(RoundEnd::GoesOn { tried })
    }

    /// A registrar has turned us away, which was tried or has refused at `since`; says when it may be tried again.
    fn turned_away(&mut self, since: Instant, registrar: TransportAddress) -> Instant {
        let known = self.closed.iter().position(|closed| closed.registrar == registrar);
        let times = known.map_or(0, |at| self.closed.swap_remove(at).times);
        let pause = TURNED_AWAY.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX));
        let until = since + pause.min(self.config.timeout);
        self.closed.push(Closed { registrar, times: times.saturating_add(1), until });
        until
    }

    fn begin_round(&mut self, now: Instant, ids: &mut ConnectIds, actions: &mut VecDeque<Action>) {
        let Some(chase) = &mut self.chase else { return };
        // Sorted by inserting: a sort that keeps the order of equals is much code for a few.
        let rank = |registrar: &TransportAddress| {
            let last_resort = chase.is_last_resort(registrar);
            (chase.times_tried(registrar), last_resort, self.announced.silences(registrar))
        };
        let mut candidates: Vec<TransportAddress> = Vec::new();
        for registrar in self.config.registrars.iter().chain(self.announced.current(now)) {
            if !candidates.contains(registrar) {
                let place = candidates.partition_point(|before| rank(before) <= rank(registrar));
                candidates.insert(place, registrar.clone());
            }
        }
        // Forget what is not a candidate any more, so that announcements cannot take memory.
        chase.tried.retain(|(registrar, _)| candidates.contains(registrar));
        self.closed.retain(|closed| candidates.contains(&closed.registrar));
        debug_assert!(chase.pending.is_empty(), "a round begins when the attempts of the last are cancelled");
        chase.queue.clear();
        chase.held.clear();
        for registrar in candidates {
            match self.closed.iter().find(|closed| closed.registrar == registrar) {
                Some(closed) if now < closed.until => chase.held.push((closed.until, registrar)),
                _ => chase.queue.push_back(registrar),
            }
        }
        chase.rounds = chase.rounds.saturating_add(1);
        chase.deadline = now + chase.timeout;
        chase.share_time(now);
        self.fill(now, ids, actions);
    }

    /// Tries registrars from the queue, as many as may be tried at the same time.
    fn fill(&mut self, now: Instant, ids: &mut ConnectIds, actions: &mut VecDeque<Action>) {
        let Some(chase) = &mut self.chase else { return };
        while now < chase.deadline
            && let Ok(displaced) = chase.place(now)
            && let Some(peer) = chase.next(now)
        {
            if let Some(request) = displaced
                && let Some(attempt) = chase.take(request)
            {
                self.announced.silent(&attempt.registrar);
                cancel(&[attempt], actions);
            }
            let request = ids.next_id();
            chase.count_try(&peer);
            actions.push_back(Action::Connect {
                request,
                local_port: self.local_port,
                peer: peer.clone(),
                deadline: chase.deadline,
            });
            chase.pending.push(Attempt { request, registrar: peer, began: now });
        }
    }
}

impl Chase {
    /// The registrars tried so far.
    fn all_tried(&self) -> Vec<TransportAddress> {
        self.tried.iter().map(|(registrar, _)| registrar.clone()).collect()
    }

    fn times_tried(&self, registrar: &TransportAddress) -> u32 {
        self.tried.iter().find(|(tried, _)| tried == registrar).map_or(0, |(_, times)| *times)
    }

    fn count_try(&mut self, registrar: &TransportAddress) {
        match self.tried.iter_mut().find(|(tried, _)| tried == registrar) {
            Some((_, times)) => *times = times.saturating_add(1),
            None => self.tried.push((registrar.clone(), 1)),
        }
    }

    /// Takes an attempt out that has ended.
    fn take(&mut self, request: ConnectId) -> Option<Attempt> {
        let at = self.pending.iter().position(|attempt| attempt.request == request)?;
        Some(self.pending.remove(at))
    }

    /// Whether this registrar is tried only while no other one is: the one to avoid, and those that were only
    /// announced for TCP, because the shorter handshake of TCP would always be faster than that of SCTP.
    fn is_last_resort(&self, registrar: &TransportAddress) -> bool {
        self.is_avoided(registrar) || (registrar.is_tcp() && !self.named_by_tcp.contains(registrar))
    }

    fn is_avoided(&self, registrar: &TransportAddress) -> bool {
        self.avoid.as_ref().is_some_and(|avoided| avoided.is_same_endpoint(registrar))
    }

    /// Divides what is left of T5 among the registrars of the round: those of the last resort have turns of their
    /// own.
    fn share_time(&mut self, now: Instant) {
        let under_way = self.pending.iter().map(|attempt| &attempt.registrar);
        let all = under_way.chain(&self.queue).chain(self.held.iter().map(|(_, registrar)| registrar));
        let (last, others): (Vec<_>, Vec<_>) = all.partition(|registrar| self.is_last_resort(registrar));
        let turns = last.len().div_ceil(MAX_ATTEMPTS) + others.len().div_ceil(MAX_ATTEMPTS);
        let turns = u32::try_from(turns.max(1)).unwrap_or(u32::MAX);
        self.patience = (self.deadline.since(now) / turns).max(self.timeout / MAX_TURNS);
    }

    /// Whether an attempt has had its time, so that others need not wait for it any longer.
    fn is_slow(&self, now: Instant, attempt: &Attempt) -> bool {
        attempt.began + self.patience <= now
    }

    /// A place for one more attempt: a free one, or that of an attempt that has had its time. An error if there
    /// is none.
    fn place(&self, now: Instant) -> Result<Option<ConnectId>, ()> {
        if self.pending.len() < MAX_ATTEMPTS {
            return Ok(None);
        }
        let slow = self.pending.iter().find(|attempt| self.is_slow(now, attempt));
        slow.map(|attempt| Some(attempt.request)).ok_or(())
    }

    /// The registrar to try next, if there is one.
    fn next(&mut self, now: Instant) -> Option<TransportAddress> {
        let alone = self.pending.iter().all(|attempt| self.is_slow(now, attempt));
        if alone || !self.is_last_resort(self.queue.front()?) {
            return self.queue.pop_front();
        }
        let better = self.queue.iter().position(|registrar| !self.is_last_resort(registrar))?;
        self.queue.remove(better)
    }

    /// When there is something to do.
    fn next_due(&self) -> Instant {
        let held = self.held.iter().map(|(until, _)| *until).min();
        let had_its_time = |attempt: &Attempt| attempt.began + self.patience;
        let mut slow = self.pending.iter().map(had_its_time);
        let place = match self.queue.front() {
            None => None,
            // It waits for all attempts under way.
            Some(_) if self.queue.iter().all(|registrar| self.is_last_resort(registrar)) => slow.max(),
            Some(_) => slow.next(),
        };
        [held, place].into_iter().flatten().fold(self.deadline, Instant::min)
    }
}

fn cancel(attempts: &[Attempt], actions: &mut VecDeque<Action>) {
    actions.extend(attempts.iter().map(|attempt| Action::CancelConnect { request: attempt.request }));
}
