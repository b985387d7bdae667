//! The hunt for a registrar (RFC 5352 section 3.6), shared by element and user.
//!
//! A [`Hunt`] keeps the list of known registrars, tries up to three of them at the same time, and hands over
//! the first association that comes up. Its owner, an element or a user, decides what is sent over the
//! association and what follows when it is lost. The owner also passes on every event that may concern the
//! hunt, and calls it when its deadline is due.

mod config;
mod known;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
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
    chase: Option<Chase>,
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
    /// The registrars that are being tried.
    pending: BTreeMap<ConnectId, TransportAddress>,
    /// The registrars that are still to be tried in this round.
    queue: VecDeque<TransportAddress>,
    /// How often each was tried. The next round begins with those tried least (SH5.2).
    tried: BTreeMap<TransportAddress, u32>,
    /// The registrar that has failed its owner: tried only while no other one is.
    avoid: Option<TransportAddress>,
    /// The registrars that are configured to be reached by TCP.
    named_by_tcp: Vec<TransportAddress>,
    /// The registrars that could not be tried because an earlier association still held the ports.
    held: Vec<TransportAddress>,
    /// When those are tried again.
    retry: Option<Instant>,
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
        Self { config, local_port, tcp, announced: Announced::default(), chase: None }
    }

    /// Whether the hunt is on.
    pub const fn is_on(&self) -> bool {
        self.chase.is_some()
    }

    /// When [`Hunt::handle_timeout`] has to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.chase.as_ref().map(|chase| chase.retry.map_or(chase.deadline, |at| at.min(chase.deadline)))
    }

    /// The known registrar at `peer`, if there is one.
    pub fn registrar_at(&self, now: Instant, peer: &TransportAddress) -> Option<&TransportAddress> {
        let mut known = self.config.registrars.iter().chain(self.announced.current(now));
        known.find(|registrar| registrar.is_same_endpoint(peer))
    }

    /// The registrars tried in the hunt that is on.
    pub fn tried(&self) -> Vec<TransportAddress> {
        self.chase.iter().flat_map(|chase| chase.tried.keys().cloned()).collect()
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
        self.chase = Some(Chase {
            timeout: self.config.timeout,
            deadline: now,
            rounds: 0,
            pending: BTreeMap::new(),
            queue: VecDeque::new(),
            tried: BTreeMap::new(),
            avoid,
            named_by_tcp: self
                .config
                .registrars
                .iter()
                .filter(|registrar| registrar.is_tcp())
                .cloned()
                .collect(),
            held: Vec::new(),
            retry: None,
        });
        self.begin_round(now, ids, actions);
    }

    /// Ends the hunt and cancels all attempts.
    pub fn stop(&mut self, actions: &mut VecDeque<Action>) {
        if let Some(chase) = self.chase.take() {
            cancel(chase.pending, actions);
        }
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
                let new = !chase.tried.contains_key(&registrar) && !chase.queue.contains(&registrar);
                if new && chase.queue.len() < MAX_ANNOUNCED {
                    chase.queue.push_back(registrar);
                }
            }
            chase.fill(now, self.local_port, ids, actions);
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
        let registrar = self.chase.as_mut()?.pending.remove(&request)?;
        self.stop(actions);
        Some(registrar)
    }

    /// An attempt has failed. False if it is not an attempt of the hunt. Otherwise another registrar is tried
    /// instead (SH4). An attempt that failed because an association that has just ended still held the ports
    /// is repeated soon.
    pub fn handle_connect_failed(
        &mut self,
        now: Instant,
        request: ConnectId,
        reason: &ConnectError,
        ids: &mut ConnectIds,
        actions: &mut VecDeque<Action>,
    ) -> bool {
        let Some(chase) = &mut self.chase else { return false };
        let Some(registrar) = chase.pending.remove(&request) else { return false };
        if *reason == ConnectError::InUse {
            chase.held.push(registrar);
            chase.retry.get_or_insert(now + PORTS_HELD);
        }
        chase.fill(now, self.local_port, ids, actions);
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
        if chase.retry.is_some_and(|at| at <= now) {
            chase.retry = None;
            chase.queue.extend(chase.held.drain(..));
            chase.fill(now, self.local_port, ids, actions);
        }
        if now < chase.deadline {
            return None;
        }
        cancel(core::mem::take(&mut chase.pending), actions);
        let tried = chase.tried.keys().cloned().collect();
        if self.config.rounds.is_some_and(|rounds| chase.rounds >= rounds) {
            self.chase = None;
            return Some(RoundEnd::GivenUp { tried });
        }
        chase.timeout = chase.timeout.saturating_mul(2).min(self.config.timeout_max);
        self.begin_round(now, ids, actions);
        Some(RoundEnd::GoesOn { tried })
    }

    fn begin_round(&mut self, now: Instant, ids: &mut ConnectIds, actions: &mut VecDeque<Action>) {
        let Some(chase) = &mut self.chase else { return };
        let mut candidates: Vec<TransportAddress> = Vec::new();
        for registrar in self.config.registrars.iter().chain(self.announced.current(now)) {
            if !candidates.contains(registrar) {
                candidates.push(registrar.clone());
            }
        }
        // Forget what is not a candidate any more, so that announcements cannot take memory.
        chase.tried.retain(|registrar, _| candidates.contains(registrar));
        candidates.sort_by_key(|registrar| {
            let times = chase.tried.get(registrar).copied().unwrap_or(0);
            (times, chase.is_last_resort(registrar))
        });
        debug_assert!(chase.pending.is_empty(), "a round begins when the attempts of the last are cancelled");
        chase.queue = candidates.into();
        chase.held.clear();
        chase.retry = None;
        chase.rounds = chase.rounds.saturating_add(1);
        chase.deadline = now + chase.timeout;
        chase.fill(now, self.local_port, ids, actions);
    }
}

impl Chase {
    /// Whether this registrar is tried only while no other one is: the one to avoid, and those that were only
    /// announced for TCP, because the shorter handshake of TCP would always be faster than that of SCTP.
    fn is_last_resort(&self, registrar: &TransportAddress) -> bool {
        self.is_avoided(registrar) || (registrar.is_tcp() && !self.named_by_tcp.contains(registrar))
    }

    fn is_avoided(&self, registrar: &TransportAddress) -> bool {
        self.avoid.as_ref().is_some_and(|avoided| avoided.is_same_endpoint(registrar))
    }

    /// The registrar to try next, if there is one.
    fn next(&mut self) -> Option<TransportAddress> {
        let alone = self.pending.is_empty();
        if alone || !self.is_last_resort(self.queue.front()?) {
            return self.queue.pop_front();
        }
        let better = self.queue.iter().position(|registrar| !self.is_last_resort(registrar))?;
        self.queue.remove(better)
    }

    /// Tries registrars from the queue, as many as may be tried at the same time.
    fn fill(
        &mut self,
        now: Instant,
        local_port: SctpPort,
        ids: &mut ConnectIds,
        actions: &mut VecDeque<Action>,
    ) {
        while now < self.deadline && self.pending.len() < MAX_ATTEMPTS {
            let Some(peer) = self.next() else { break };
            let request = ids.next_id();
            let times = self.tried.entry(peer.clone()).or_default();
            *times = times.saturating_add(1);
            actions.push_back(Action::Connect {
                request,
                local_port,
                peer: peer.clone(),
                deadline: self.deadline,
            });
            self.pending.insert(request, peer);
        }
    }
}

fn cancel(pending: BTreeMap<ConnectId, TransportAddress>, actions: &mut VecDeque<Action>) {
    actions.extend(pending.into_keys().map(|request| Action::CancelConnect { request }));
}
