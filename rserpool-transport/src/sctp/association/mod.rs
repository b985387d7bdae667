//! One association from its establishment to its end: what arrives, and what is due. What it sends is in [`sending`], how
//! it closes in [`shutdown`], what the network says of its packets in [`undelivered`].

mod sending;
mod shutdown;
mod undelivered;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, SctpAddress, SctpPort, Source, UdpPort};
use rserpool_core::endpoint::{DownReason, Event};

use super::budget::Entry;
use super::chunk::{self, Data, Init, Sack, cause, kind};
use super::config::SctpConfig;
use super::destinations::Destinations;
use super::engine::{Engine, Outgoing};
use super::ledger::{Ledger, Offer};
use super::liveness::{Liveness, Pulse};
use super::packet::{self, Chunk, Chunks, Header, Path};
use super::path_mtu::PathMtu;
use super::receiver::{Message, Receiver, Violation};
use super::shared::Core;

use self::shutdown::Phase;
pub(super) use self::shutdown::Retry;

#[derive(Debug)]
pub(super) struct Association<E: Engine> {
    pub(super) id: AssociationId,
    pub(super) local_port: SctpPort,
    pub(super) remote_port: SctpPort,
    destinations: Destinations,
    /// The address from which the last packet came: answers go there.
    reply: usize,
    /// Addresses that have just been verified.
    proved: Vec<Path>,
    pub(super) local_tag: u32,
    pub(super) peer_tag: u32,
    pub(super) flow: E::Flow,
    /// Whether the endpoint still knows it: false once it was told the end, while the last
    /// packets of a shutdown are exchanged.
    pub(super) named: bool,
    /// Where the peer was when it came up.
    pub(super) source_of_peer: Source,
    /// What the stack knows of what it keeps, received and to be sent.
    pub(super) received: Entry,
    pub(super) sending: Entry,
    /// Whether the peer has opened it.
    accepted: bool,
    /// Whether it waits for its turn to hand out a message.
    pub(super) queued: bool,
    /// Whether our endpoint has asked for the end.
    leaving: bool,
    ledger: Ledger,
    phase: Phase,
    liveness: Liveness,
    mtu: PathMtu,
    /// Streams we may send on, and streams we take.
    outbound: u16,
    inbound: u16,
    receiver: Receiver,
    /// Whether our endpoint has no room for messages at present.
    held: bool,
    /// Whether a part of a message has come with the present packet.
    partial: bool,
    /// When our endpoint was last told that parts of a message arrive.
    arriving: Option<Instant>,
    /// The receive window that the peer stated last.
    window: u32,
    /// The last TSN of ours that was sent for the first time.
    sent: u32,
    /// The last TSN of ours that the peer has acknowledged in sequence.
    acknowledged: u32,
    /// Whether a timer of the engine has run since the last packets were made.
    timed_out: bool,
    /// Whether data had to be sent again because no SACK came in time. From then on SACKs are asked for.
    impatient: bool,
    /// Answers for the next packet.
    control: Vec<Chunk>,
    /// Whether a SHUTDOWN belongs to them; it is made last, with what has arrived by then.
    shutdown_due: bool,
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

/// How often an endpoint is told that parts of a message arrive: often enough for the shortest time-out above, the
/// 150 ms of a user with the fast preset.
pub const ARRIVING: Duration = Duration::from_millis(30);

impl<E: Engine> Association<E> {
    pub(super) fn new(
        id: AssociationId,
        path: Path,
        (local, peer): (&Init, &Init),
        accepted: bool,
        flow: E::Flow,
        now: Instant,
        config: &SctpConfig,
    ) -> Self {
        Self {
            id,
            local_port: path.local_port,
            remote_port: path.remote_port,
            destinations: Destinations::new(path.remote, now, config),
            reply: 0,
            proved: Vec::new(),
            local_tag: local.tag,
            peer_tag: peer.tag,
            flow,
            named: true,
            source_of_peer: Source::of(path.remote.ip()),
            received: Entry::default(),
            sending: Entry::default(),
            accepted,
            queued: false,
            leaving: false,
            ledger: Ledger::new(config),
            phase: Phase::Open,
            liveness: Liveness::new(now, config),
            mtu: PathMtu::new(path.remote.ip(), now, config),
            outbound: local.outbound.min(peer.inbound),
            inbound: local.inbound,
            receiver: Receiver::new(peer.tsn, config),
            held: false,
            partial: false,
            arriving: None,
            window: peer.window,
            sent: local.tsn.wrapping_sub(1),
            acknowledged: local.tsn.wrapping_sub(1),
            timed_out: false,
            impatient: false,
            control: Vec::new(),
            shutdown_due: false,
        }
    }

    /// Whether a packet is really the peer's (RFC 9260 section 8.5); its tag may be its own, reflected.
    pub(super) const fn accepts(&self, header: &Header, reflected: bool) -> bool {
        header.tag == if reflected { self.peer_tag } else { self.local_tag }
    }

    /// Which of the peer's addresses a packet comes from, from whatever UDP port.
    pub(super) fn source(&self, path: &Path) -> Option<usize> {
        let ports = path.local_port == self.local_port && path.remote_port == self.remote_port;
        ports.then(|| self.destinations.find(path.remote.ip())).flatten()
    }

    /// An address that may be the peer's as well.
    pub(super) fn propose(&mut self, remote: SocketAddr, core: &Core) {
        self.destinations.propose(remote, core.now, &core.config);
    }

    /// Forgets an address that was proposed.
    pub(super) fn withdraw(&mut self, address: IpAddr) {
        if let Some(index) = self.destinations.find(address) {
            self.destinations.withdraw(index);
            self.reply = 0;
        }
    }

    /// Addresses that have been verified since the last call.
    pub(super) fn take_proved(&mut self) -> Vec<Path> {
        std::mem::take(&mut self.proved)
    }

    pub(super) fn is_verified(&self, index: usize) -> bool {
        self.destinations.is_verified(index)
    }

    pub(super) fn set_port(&mut self, index: usize, udp_port: u16) {
        self.destinations.set_port(index, udp_port);
    }

    /// The path to one of the peer's addresses.
    pub(super) fn path(&self, index: usize) -> Path {
        self.path_to(self.destinations.remote(index))
    }

    /// The paths to its verified addresses.
    pub(super) fn verified(&self) -> impl Iterator<Item = Path> {
        self.destinations.verified().map(|remote| self.path_to(remote))
    }

    /// The peer with its verified addresses.
    pub(super) fn peer(&self) -> SctpAddress {
        let addresses = self.destinations.verified().map(|remote| remote.ip()).collect();
        let udp_port = UdpPort(self.destinations.remote(0).port());
        SctpAddress::multihomed(addresses, self.remote_port, udp_port)
    }

    const fn path_to(&self, remote: SocketAddr) -> Path {
        Path { remote, remote_port: self.remote_port, local_port: self.local_port }
    }

    /// Sends chunks to one of the peer's addresses.
    fn emit(&self, core: &mut Core, remote: SocketAddr, chunks: &[Chunk]) {
        let header = self.path_to(remote).header(self.peer_tag);
        packet::bundle(header, chunks, self.mtu.packet(), |bytes| core.emit(remote, bytes));
    }

    /// The last word.
    pub(super) fn part(&self, core: &mut Core, parting: Chunk) {
        self.emit(core, self.destinations.current(), &[parting]);
    }

    /// From now on, answers go to this address.
    fn reply_to(&mut self, core: &mut Core, index: usize) {
        if index != self.reply && !self.control.is_empty() {
            let control = std::mem::take(&mut self.control);
            self.emit(core, self.destinations.remote(self.reply), &control);
        }
        self.reply = index;
    }

    /// The peer has returned our cookie.
    pub(super) fn acknowledge_cookie(&mut self, core: &mut Core, index: usize) {
        self.reply_to(core, index);
        self.answer(Chunk::new(kind::COOKIE_ACK, Bytes::new()));
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
                return Err(self.end(DownReason::QueueFull, Some(chunk::abort(cause::OUT_OF_RESOURCE, ""))));
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

    /// A packet of the peer has arrived, from this of its addresses.
    pub(super) fn receive(
        &mut self,
        core: &mut Core,
        engine: &mut E,
        source: usize,
        chunks: Chunks,
    ) -> Result<(), End> {
        self.reply_to(core, source);
        self.liveness.heard(core.now);
        self.destinations.heard(source, chunks.packet_octets());
        let (mut any_data, mut peer_shutdown) = (false, false);
        for chunk in chunks {
            match chunk.kind {
                kind::DATA => {
                    any_data = true;
                    self.data(&chunk)?;
                }
                kind::SACK => {
                    let Some(sack) = chunk::parse_sack(&chunk) else { continue };
                    self.window = sack.window;
                    self.sack(core, engine, chunk, &sack)?;
                }
                kind::HEARTBEAT => self.answer(Chunk::new(kind::HEARTBEAT_ACK, chunk.body)),
                kind::ABORT => {
                    let reason = match chunk::parse_abort(&chunk) {
                        said if said.cause == Some(cause::OUT_OF_RESOURCE) => DownReason::Busy,
                        said => DownReason::Aborted(said),
                    };
                    return Err(self.end(reason, None));
                }
                kind::SHUTDOWN => {
                    let Some(cumulative) = chunk::parse_shutdown(&chunk) else { continue };
                    peer_shutdown = true;
                    // Engines ignore what a SHUTDOWN acknowledges, so they get a SACK.
                    let chunk = chunk::sack(cumulative, self.window);
                    let sack = Sack { cumulative, window: self.window, blocks: Vec::new() };
                    self.sack(core, engine, chunk, &sack)?;
                }
                kind::SHUTDOWN_ACK if matches!(self.phase, Phase::Sent(..) | Phase::Acknowledged(..)) => {
                    let complete = Chunk::new(kind::SHUTDOWN_COMPLETE, Bytes::new());
                    return Err(self.end(DownReason::Local, Some(complete)));
                }
                kind::SHUTDOWN_COMPLETE if matches!(self.phase, Phase::Acknowledged(..)) => {
                    return Err(self.end(DownReason::PeerShutdown, None));
                }
                kind::HEARTBEAT_ACK => self.heartbeat_answered(core, &chunk),
                // An ERROR is a remark, not an end.
                kind::INIT | kind::INIT_ACK | kind::ERROR => {}
                kind::COOKIE_ECHO | kind::COOKIE_ACK | kind::SHUTDOWN_ACK | kind::SHUTDOWN_COMPLETE => {}
                unknown => {
                    // The two high bits say: report it, and go on (RFC 9260 section 3.2).
                    if unknown & 0x40 != 0 {
                        self.answer(chunk::unrecognized_chunk(&chunk));
                    }
                    if unknown & 0x80 == 0 {
                        break;
                    }
                }
            }
        }
        self.receiver.end_of_packet(core.now + core.config.sack_delay);
        self.tell_arriving(core);
        core.counters.sctp_data_refused += self.receiver.take_refused();
        if peer_shutdown {
            self.peer_shutdown(core);
        } else if matches!(self.phase, Phase::Sent(..)) && any_data {
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
            self.timed_out = true;
        }
        if !self.phase_due(core)? {
            return Ok(());
        }
        let user_abort = |text| Some(chunk::abort(cause::USER_ABORT, text));
        if self.mtu.is_hopeless(now, &core.config) {
            return Err(self.end(DownReason::Silent, user_abort("data does not get through")));
        }
        self.ask_destinations(core);
        match self.liveness.check(now) {
            Pulse::Fine => {}
            Pulse::Beat(number) => self.emit(core, self.destinations.current(), &[chunk::heartbeat(number)]),
            Pulse::Silent => return Err(self.end(DownReason::Silent, user_abort("no answer"))),
        }
        Ok(())
    }

    /// When [`Association::handle_timeout`] wants to be called.
    pub(super) fn deadline(&self, engine: &E) -> Instant {
        let alive = self.liveness.deadline();
        let alive = self.destinations.deadline().map_or(alive, |at| at.min(alive));
        let alive = self.receiver.deadline().map_or(alive, |at| at.min(alive));
        let phase = self.phase.deadline(alive);
        engine.timeout(&self.flow).map_or(phase, |at| at.min(phase))
    }

    fn heartbeat_answered(&mut self, core: &Core, chunk: &Chunk) {
        let Some(secret) = chunk::parse_heartbeat(chunk) else { return };
        self.mtu.answered(secret, &core.config);
        self.liveness.answered(secret, core.now);
        let proved = self.destinations.answered(secret, core.now, &core.config);
        self.proved.extend(proved.map(|index| self.path(index)));
    }

    /// A DATA chunk has arrived.
    fn data(&mut self, chunk: &Chunk) -> Result<(), End> {
        let Some(data) = Data::parse(chunk).filter(|data| data.stream < self.inbound) else {
            return Err(self.violation("DATA without user data or stream"));
        };
        let whole = Data::BEGIN | Data::END;
        self.partial |= data.flags & whole != whole;
        self.receiver.add(&data).map_err(|Violation(text)| self.violation(text))
    }

    /// Our endpoint has no room for messages, or has room again. What it does not take closes the window.
    pub(super) const fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Tells the endpoint from time to time that parts of a message arrive.
    fn tell_arriving(&mut self, core: &mut Core) {
        let now = core.now;
        let due = self.arriving.is_none_or(|told| told + ARRIVING <= now);
        if std::mem::take(&mut self.partial) && self.named && due {
            self.arriving = Some(now);
            core.events.push_back(Event::Arriving { association: self.id });
        }
    }

    /// Whether the endpoint may have a message now. Who came to us has to take answers before more of its questions
    /// are taken; the window that it is told closes meanwhile. Only the side that answers may pause: if both
    /// did, both could wait for ever.
    pub(super) fn has_message(&self) -> bool {
        self.named && !self.held && !self.is_paused() && self.receiver.has_message()
    }

    /// Whether the peer has to take answers first.
    pub(super) const fn is_paused(&self) -> bool {
        self.accepted && matches!(self.phase, Phase::Open) && self.ledger.is_paused()
    }

    /// Octets that it keeps: of what it has received, and of what it is to send.
    pub(super) const fn kept(&self) -> (usize, usize) {
        (self.receiver.kept(), self.ledger.cost())
    }

    /// Hands out a message.
    pub(super) fn take_message(&mut self, core: &mut Core) {
        if let Some(Message { protocol, stream, bytes }) = self.receiver.take() {
            core.events.push_back(Event::Message { association: self.id, protocol, stream, bytes });
            // A shutdown may have waited for that.
            self.advance(core);
        }
    }

    /// The peer has broken the protocol.
    fn violation(&self, text: &str) -> End {
        self.end(DownReason::Violation, Some(chunk::abort(cause::PROTOCOL_VIOLATION, text)))
    }

    /// The end of this association. If our endpoint asked for it, that is the reason, whatever came in between.
    fn end(&self, reason: DownReason, parting: Option<Chunk>) -> End {
        End { reason: if self.leaving { DownReason::Local } else { reason }, parting }
    }
}
