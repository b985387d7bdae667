//! One association from its establishment to its end: data through the engine, liveness, and
//! the shutdown sequence.

use std::time::Duration;

use bytes::Bytes;

use super::chunk::{self, Data, Init, REFLECTED, cause, kind};
use super::config::SctpConfig;
use super::engine::{Arrival, Engine, Outgoing, Portion};
use super::ledger::{Ledger, Offer};
use super::liveness::{Liveness, Pulse};
use super::packet::{self, Chunk, Chunks, Header, Path};
use super::shared::Core;
use crate::base::{AssociationId, Instant};
use crate::endpoint::{DownReason, Event};

#[derive(Debug)]
pub(super) struct Association<E: Engine> {
    pub(super) id: AssociationId,
    pub(super) path: Path,
    pub(super) local_tag: u32,
    pub(super) peer_tag: u32,
    pub(super) flow: E::Flow,
    /// Whether the endpoint still knows it: false once it was told the end, while the last
    /// packets of a shutdown are exchanged.
    pub(super) named: bool,
    /// Whether our endpoint has asked for the end.
    leaving: bool,
    ledger: Ledger,
    phase: Phase,
    liveness: Liveness,
    /// Streams we may send on, and streams we take.
    outbound: u16,
    inbound: u16,
    /// The last TSN that we have acknowledged in sequence.
    received: u32,
    /// The receive window that the peer stated last.
    window: u32,
    /// Chunks for the next packet.
    control: Vec<Chunk>,
    /// Whether a SHUTDOWN belongs to them; it is made last, when `received` is known.
    shutdown_due: bool,
}

/// The states of RFC 9260 section 4 from ESTABLISHED on.
#[derive(Debug)]
enum Phase {
    Open,
    /// SHUTDOWN-PENDING: our endpoint wants to close; what is queued goes out first.
    Pending(Instant),
    /// SHUTDOWN-SENT, and when to give up.
    Sent(Instant, Retry),
    /// SHUTDOWN-RECEIVED: the peer wants to close; what is queued goes out first.
    Received(Instant),
    /// SHUTDOWN-ACK-SENT: both sides have everything, only the peer's last word is missing.
    Acknowledged(Instant, Retry),
}

/// When to send something again: the wait doubles up to RTO.Max.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) at: Instant,
    wait: Duration,
}

/// Why and how an association ends.
#[derive(Debug)]
pub(super) struct End {
    pub(super) reason: DownReason,
    /// What the peer is told.
    pub(super) parting: Option<Chunk>,
}

/// The most control chunks that wait for the next packet. A peer that asks for more answers
/// before any packet goes out gets fewer.
const MAX_CONTROL: usize = 16;

/// How far, in TSNs, DATA may be ahead of what we have acknowledged: more than our own stack ever
/// sends, and a bound for what a peer can make us remember in tiny pieces.
const MAX_AHEAD: i32 = 4096;

/// For how many times RTO.Initial a SHUTDOWN ACK is sent again. Everything has been delivered by then.
const SHUTDOWN_ACK_WAITS: u32 = 4;

impl<E: Engine> Association<E> {
    pub(super) fn new(
        id: AssociationId,
        path: Path,
        (local, peer): (&Init, &Init),
        flow: E::Flow,
        now: Instant,
        config: &SctpConfig,
    ) -> Self {
        Self {
            id,
            path,
            local_tag: local.tag,
            peer_tag: peer.tag,
            flow,
            named: true,
            leaving: false,
            ledger: Ledger::new(config),
            phase: Phase::Open,
            liveness: Liveness::new(now, config),
            outbound: local.outbound.min(peer.inbound),
            inbound: local.inbound,
            received: peer.tsn.wrapping_sub(1),
            window: peer.window,
            control: Vec::new(),
            shutdown_due: false,
        }
    }

    /// Whether a packet is really the peer's (RFC 9260 section 8.5).
    pub(super) fn accepts(&self, header: &Header, first: &Chunk) -> bool {
        let reflectable = matches!(first.kind, kind::ABORT | kind::SHUTDOWN_COMPLETE);
        if reflectable && first.flags & REFLECTED != 0 {
            header.tag == self.peer_tag
        } else {
            header.tag == self.local_tag
        }
    }

    /// Queues a message. Nothing is taken any more once a shutdown has begun.
    pub(super) fn send(&mut self, core: &mut Core, mut message: Outgoing) -> Result<(), End> {
        if !matches!(self.phase, Phase::Open) || message.bytes.is_empty() {
            return Ok(());
        }
        if message.stream >= self.outbound {
            message.stream = 0;
        }
        match self.ledger.offer(message) {
            Offer::Taken => {}
            Offer::Congested => core.events.push_back(Event::Congested { association: self.id }),
            Offer::Full => {
                return Err(self.end(DownReason::QueueFull, Some(chunk::abort(cause::OUT_OF_RESOURCE))));
            }
        }
        Ok(())
    }

    /// Queues a chunk for the next packet.
    pub(super) fn answer(&mut self, chunk: Chunk) {
        if self.control.len() < MAX_CONTROL {
            self.control.push(chunk);
        }
    }

    /// Our endpoint wants to close.
    pub(super) fn shutdown(&mut self, core: &mut Core, deadline: Instant) {
        self.leaving = true;
        match &mut self.phase {
            Phase::Open => self.phase = Phase::Pending(deadline),
            Phase::Received(until) => *until = deadline.min(*until),
            Phase::Pending(_) | Phase::Sent(..) | Phase::Acknowledged(..) => {}
        }
        self.advance(core);
    }

    /// A packet of the peer has arrived.
    pub(super) fn receive(&mut self, core: &mut Core, engine: &mut E, chunks: Chunks) -> Result<(), End> {
        self.liveness.heard(core.now);
        let mut inner = Vec::new();
        let mut peer_shutdown = false;
        for chunk in chunks {
            match chunk.kind {
                kind::DATA => inner.extend(self.data(&chunk)?.map(Portion::Data)),
                kind::SACK => {
                    let Some((cumulative, window)) = chunk::parse_sack(&chunk) else { continue };
                    self.window = window;
                    inner.push(Portion::Sack(chunk, cumulative));
                }
                kind::HEARTBEAT => self.answer(Chunk::new(kind::HEARTBEAT_ACK, chunk.body)),
                kind::ABORT => return Err(self.end(DownReason::Aborted, None)),
                kind::SHUTDOWN => {
                    let Some(cumulative) = chunk::parse_shutdown(&chunk) else { continue };
                    peer_shutdown = true;
                    // Engines ignore what a SHUTDOWN acknowledges, so they get a SACK.
                    inner.push(Portion::Sack(chunk::sack(cumulative, self.window), cumulative));
                }
                kind::SHUTDOWN_ACK if matches!(self.phase, Phase::Sent(..) | Phase::Acknowledged(..)) => {
                    let complete = Chunk::new(kind::SHUTDOWN_COMPLETE, Bytes::new());
                    return Err(self.end(DownReason::Local, Some(complete)));
                }
                kind::SHUTDOWN_COMPLETE if matches!(self.phase, Phase::Acknowledged(..)) => {
                    return Err(self.end(DownReason::PeerShutdown, None));
                }
                // Ours alone are answered by nothing; an ERROR is a remark, not an end.
                kind::INIT | kind::INIT_ACK | kind::HEARTBEAT_ACK | kind::ERROR => {}
                kind::COOKIE_ECHO | kind::COOKIE_ACK | kind::SHUTDOWN_ACK | kind::SHUTDOWN_COMPLETE => {}
                unknown => {
                    // The two high bits say: report it, and go on (RFC 9260 section 3.2).
                    if unknown & 0x40 != 0 {
                        let detail = [&[chunk.kind, chunk.flags][..], &chunk.body].concat();
                        self.answer(chunk::with_cause(kind::ERROR, cause::UNRECOGNIZED_CHUNK, &detail));
                    }
                    if unknown & 0x80 == 0 {
                        break;
                    }
                }
            }
        }
        self.deliver(core, engine, &inner)?;
        if peer_shutdown {
            self.peer_shutdown(core);
        } else if matches!(self.phase, Phase::Sent(..)) && inner.iter().any(|p| matches!(p, Portion::Data(_)))
        {
            // The peer has not seen our SHUTDOWN yet (section 9.2).
            self.shutdown_due = true;
        }
        self.advance(core);
        Ok(())
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, core: &mut Core, engine: &mut E) -> Result<(), End> {
        let now = core.now;
        if engine.timeout(&self.flow).is_some_and(|at| at <= now) {
            engine.handle_timeout(now, &mut self.flow);
        }
        let user_abort = Some(chunk::abort(cause::USER_ABORT));
        match &mut self.phase {
            Phase::Pending(until) | Phase::Sent(until, _) | Phase::Received(until) if *until <= now => {
                return Err(self.end(DownReason::PeerShutdown, user_abort));
            }
            Phase::Sent(_, retry) if retry.is_due(now) => {
                retry.back_off(now, &core.config);
                self.shutdown_due = true;
            }
            Phase::Acknowledged(until, _) if *until <= now => {
                return Err(self.end(DownReason::PeerShutdown, None));
            }
            Phase::Acknowledged(_, retry) => {
                if retry.is_due(now) {
                    retry.back_off(now, &core.config);
                    self.answer(Chunk::new(kind::SHUTDOWN_ACK, Bytes::new()));
                }
                // From here on only the limit above counts.
                return Ok(());
            }
            _ => {}
        }
        match self.liveness.check(now) {
            Pulse::Fine => {}
            Pulse::Beat => self.answer(chunk::heartbeat()),
            Pulse::Silent => return Err(self.end(DownReason::Silent, user_abort)),
        }
        Ok(())
    }

    /// When [`Association::handle_timeout`] wants to be called.
    pub(super) fn deadline(&self, engine: &E) -> Instant {
        let alive = self.liveness.deadline();
        let phase = match &self.phase {
            Phase::Open => alive,
            Phase::Pending(until) | Phase::Received(until) => alive.min(*until),
            Phase::Sent(until, retry) => alive.min(*until).min(retry.at),
            Phase::Acknowledged(until, retry) => retry.at.min(*until),
        };
        engine.timeout(&self.flow).map_or(phase, |at| at.min(phase))
    }

    /// Puts everything that may be sent into packets. Causes no event: events are for those who
    /// hand something in, and this runs when packets are fetched.
    pub(super) fn flush(&mut self, core: &mut Core, engine: &mut E) {
        while let Some((message, receipt)) = self.ledger.release() {
            // The ledger lets nothing through that the engine refuses while it lives.
            if !engine.write(core.now, &mut self.flow, &message, receipt) {
                break;
            }
        }
        let mut chunks = Vec::new();
        let mut data = Vec::new();
        let received = &mut self.received;
        engine.transmit(core.now, &mut self.flow, |chunk| {
            if chunk.kind == kind::DATA {
                data.push(chunk);
            } else {
                *received = chunk::parse_sack(&chunk).map_or(*received, |(tsn, _)| tsn);
                chunks.push(chunk::fit_sack(chunk));
            }
        });
        chunks.append(&mut self.control);
        if std::mem::take(&mut self.shutdown_due) {
            chunks.push(chunk::shutdown(self.received));
            self.liveness.asked(core.now);
        }
        if !data.is_empty() {
            self.liveness.asked(core.now);
            chunks.append(&mut data);
        }
        let destination = self.path.remote;
        packet::bundle(self.path.header(self.peer_tag), &chunks, |bytes| core.emit(destination, bytes));
    }

    /// Checks a DATA chunk.
    fn data(&self, chunk: &Chunk) -> Result<Option<Data>, End> {
        let Some(data) = Data::parse(chunk).filter(|data| data.stream < self.inbound) else {
            return Err(self.end(DownReason::Aborted, Some(chunk::abort(cause::PROTOCOL_VIOLATION))));
        };
        // What is too far ahead of the gap cannot be remembered; the peer will send it again.
        let ahead = data.tsn.wrapping_sub(self.received).cast_signed();
        Ok((ahead <= MAX_AHEAD).then_some(data))
    }

    fn deliver(&mut self, core: &mut Core, engine: &mut E, inner: &[Portion]) -> Result<(), End> {
        if inner.is_empty() {
            return Ok(());
        }
        let (association, named, ledger) = (self.id, self.named, &mut self.ledger);
        let result = engine.receive(core.now, &mut self.flow, inner, |arrival| match arrival {
            Arrival::Message { protocol, stream, bytes } if named => {
                core.events.push_back(Event::Message { association, protocol, stream, bytes });
            }
            Arrival::Message { .. } => {}
            Arrival::Delivered(receipt) => ledger.settle(receipt),
        });
        if result.is_err() {
            return Err(self.end(DownReason::Aborted, Some(chunk::abort(cause::PROTOCOL_VIOLATION))));
        }
        if self.ledger.drained() && self.named {
            core.events.push_back(Event::Drained { association });
        }
        Ok(())
    }

    /// The peer wants to close.
    fn peer_shutdown(&mut self, core: &Core) {
        match &self.phase {
            Phase::Open => self.phase = Phase::Received(core.now + core.config.shutdown_guard),
            // Both want it. Whoever has more to say says it first.
            Phase::Pending(until) | Phase::Sent(until, _) => self.phase = Phase::Received(*until),
            Phase::Received(_) => {}
            Phase::Acknowledged(..) => self.answer(Chunk::new(kind::SHUTDOWN_ACK, Bytes::new())),
        }
    }

    /// Takes the next step of a shutdown once the peer has everything.
    fn advance(&mut self, core: &mut Core) {
        if !self.ledger.is_empty() {
            return;
        }
        let retry = Retry::new(core.now, &core.config);
        match self.phase {
            Phase::Pending(until) => {
                self.phase = Phase::Sent(until, retry);
                self.shutdown_due = true;
            }
            Phase::Received(_) => {
                let until = core.now + core.config.rto_initial * SHUTDOWN_ACK_WAITS;
                self.phase = Phase::Acknowledged(until, retry);
                self.answer(Chunk::new(kind::SHUTDOWN_ACK, Bytes::new()));
                // The peer's SHUTDOWN says that it has nothing more, and it has all of ours.
                let end = self.end(DownReason::PeerShutdown, None);
                core.disconnected(self.id, end.reason);
                self.named = false;
            }
            Phase::Open | Phase::Sent(..) | Phase::Acknowledged(..) => {}
        }
    }

    /// The end of this association: whatever came in between, whoever asked for it gets it.
    const fn end(&self, reason: DownReason, parting: Option<Chunk>) -> End {
        End { reason: if self.leaving { DownReason::Local } else { reason }, parting }
    }
}

impl Retry {
    pub(super) fn new(now: Instant, config: &SctpConfig) -> Self {
        let wait = config.rto_initial.max(Duration::from_millis(1));
        Self { at: now + wait, wait }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.at <= now
    }

    pub(super) fn back_off(&mut self, now: Instant, config: &SctpConfig) {
        self.wait = (self.wait * 2).min(config.rto_max).max(Duration::from_millis(1));
        self.at = now + self.wait;
    }
}
