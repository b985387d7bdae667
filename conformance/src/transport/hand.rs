//! A peer by hand: packets in, packets and events out, in virtual time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::UdpStack;
use rserpool_core::base::{AssociationId, ConnectId, Instant, ProtocolId, SctpAddress, SctpPort, UdpPort};
use rserpool_core::endpoint::{Action, Connected, Event};
use rserpool_transport::sctp::SctpConfig;

use super::backend::Backend;
use super::bench::Failure;
use super::packet::{Chunk, Packet, kind, parameter};

/// The SCTP port on which the stack listens.
pub(super) const PORT: u16 = 3863;

/// The stack and what came out of it.
pub(super) struct Hand {
    /// The stack under test.
    pub(super) stack: Box<dyn UdpStack>,
    /// The present moment.
    pub(super) now: Instant,
    replies: Vec<(SocketAddr, Packet)>,
    events: Vec<Event>,
}

/// One association of the hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grip {
    /// From where the hand sends.
    pub(super) source: SocketAddr,
    /// The SCTP port of the hand.
    pub(super) port: u16,
    /// The SCTP port of the stack.
    pub(super) their_port: u16,
    /// The tag of packets to the hand.
    pub(super) own_tag: u32,
    /// The tag of packets to the stack.
    pub(super) tag: u32,
    /// The TSN of the next DATA.
    pub(super) tsn: u32,
    /// How the stack calls the association.
    pub(super) association: AssociationId,
}

/// The hand's address number `n`.
pub(super) fn address(n: u32) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(0x0a01_0000 + n)), 9899)
}

impl Hand {
    /// A stack that listens.
    pub(super) fn new(backend: Backend) -> Self {
        Self::with(backend, SctpConfig::fast(1))
    }

    /// The same with settings.
    pub(super) fn with(backend: Backend, config: SctpConfig) -> Self {
        let mut stack = backend.stack(config, SocketAddr::from(([10, 0, 0, 1], 9899)));
        stack.listen(SctpPort(PORT));
        Self { stack, now: Instant::from_nanos(5_000_000_000), replies: Vec::new(), events: Vec::new() }
    }

    fn drain(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            // Which addresses are in use shows in where the packets go.
            if !matches!(event, Event::Addresses { .. }) {
                self.events.push(event);
            }
        }
        while let Some(datagram) = self.stack.poll_datagram() {
            if let Some(packet) = Packet::decode(&datagram.bytes) {
                self.replies.push((datagram.destination, packet));
            }
        }
    }

    /// Lets a packet arrive.
    pub(super) fn put(&mut self, source: SocketAddr, packet: &Packet) {
        self.stack.handle_datagram(self.now, source, packet.encode());
        self.drain();
    }

    /// Lets the application of the stack act.
    pub(super) fn act(&mut self, action: Action) {
        self.stack.handle_action(self.now, action);
        self.drain();
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.stack.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.stack.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// The packets since the last call.
    pub(super) fn replies(&mut self) -> Vec<(SocketAddr, Packet)> {
        std::mem::take(&mut self.replies)
    }

    /// The events since the last call.
    pub(super) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The one packet since the last call.
    ///
    /// # Errors
    ///
    /// There is none, or several.
    pub(super) fn reply(&mut self, to: &str) -> Result<(SocketAddr, Packet), Failure> {
        let mut replies = self.replies();
        match (replies.pop(), replies.len()) {
            (Some(reply), 0) => Ok(reply),
            (None, _) => Err(format!("no answer to {to}").into()),
            (_, more) => Err(format!("{} answers to {to}", more + 1).into()),
        }
    }

    /// Sends an INIT and returns the answer with its cookie.
    ///
    /// # Errors
    ///
    /// There is no INIT ACK.
    pub(super) fn ask(
        &mut self,
        source: SocketAddr,
        port: u16,
        init: Chunk,
    ) -> Result<(Chunk, Vec<u8>), Failure> {
        self.put(source, &Packet { source: port, destination: PORT, tag: 0, chunks: vec![init] });
        let (_, answer) = self.reply("an INIT")?;
        let Some(ack) = answer.find(kind::INIT_ACK) else {
            return Err(format!("an INIT is answered with chunks {:?}", kinds(&answer)).into());
        };
        match ack.parameter(parameter::COOKIE) {
            Some(cookie) => Ok((ack.clone(), cookie)),
            None => Err("an INIT ACK without a cookie".to_string().into()),
        }
    }

    /// Opens an association from address number `n`.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub(super) fn open(&mut self, n: u32) -> Result<Grip, Failure> {
        let (source, port, own_tag, tsn) = (address(n), 5000, 0x4711_0000 + n, 1000);
        let (ack, cookie) = self.ask(source, port, Chunk::init(own_tag, tsn, &[]))?;
        let tag = ack.word(0).unwrap_or_default();
        let echo = Chunk::new(kind::COOKIE_ECHO, cookie);
        self.put(source, &Packet { source: port, destination: PORT, tag, chunks: vec![echo] });
        let (_, answer) = self.reply("a COOKIE ECHO")?;
        if answer.find(kind::COOKIE_ACK).is_none() {
            return Err(format!("a COOKIE ECHO is answered with chunks {:?}", kinds(&answer)).into());
        }
        match self.events()[..] {
            [Event::Connected(Connected { association, .. })] => {
                Ok(Grip { source, port, their_port: PORT, own_tag, tag, tsn, association })
            }
            ref other => Err(format!("after a handshake the application sees {other:?}").into()),
        }
    }

    /// Has the stack connect to the hand at address number `n`: the port and the INIT that arrives.
    ///
    /// # Errors
    ///
    /// No INIT comes.
    pub(super) fn be_asked(&mut self, n: u32) -> Result<(u16, Chunk), Failure> {
        let peer = SctpAddress::new(address(n).ip(), SctpPort(5000), UdpPort(9899));
        let deadline = self.now + Duration::from_secs(10);
        self.act(Action::Connect {
            request: ConnectId(u64::from(n)),
            local_port: SctpPort(0),
            peer: peer.into(),
            deadline,
        });
        let (_, packet) = self.reply("the wish to connect")?;
        match packet.find(kind::INIT) {
            Some(init) => Ok((packet.source, init.clone())),
            None => Err(format!("instead of an INIT comes {:?}", kinds(&packet)).into()),
        }
    }

    /// Sends chunks on an association.
    pub(super) fn say(&mut self, grip: &Grip, chunks: Vec<Chunk>) {
        self.put(grip.source, &grip.packet(chunks));
    }

    /// Whether the association carries a message each way, at the hand's present address.
    ///
    /// # Errors
    ///
    /// It does not.
    pub(super) fn works(&mut self, grip: &mut Grip) -> Result<(), Failure> {
        self.events();
        self.replies();
        let data = Chunk::data(grip.tsn, (grip.tsn - 1000) as u16, 11, b"in");
        self.say(grip, vec![data]);
        grip.tsn += 1;
        let events = self.events();
        if !matches!(&events[..], [Event::Message { association, protocol: ProtocolId(11), bytes, .. }]
            if *association == grip.association && bytes[..] == *b"in")
        {
            return Err(format!("a message does not arrive; the application sees {events:?}").into());
        }
        let (association, protocol) = (grip.association, ProtocolId(12));
        self.replies();
        self.act(Action::Send { association, protocol, stream: 0, bytes: "out".into() });
        for (destination, packet) in self.replies() {
            if let Some(data) = packet.find(kind::DATA) {
                if destination != grip.source || packet.tag != grip.own_tag {
                    return Err(format!("a message goes to {destination}, not to {}", grip.source).into());
                }
                // Acknowledged, so that it is not sent again.
                let mut sack = data.body[..4].to_vec();
                sack.extend([0, 2, 0, 0, 0, 0, 0, 0]);
                self.say(grip, vec![Chunk::new(kind::SACK, sack)]);
                return Ok(());
            }
        }
        Err("a message is not sent".to_string().into())
    }
}

impl Grip {
    /// A packet to the stack.
    pub(super) fn packet(&self, chunks: Vec<Chunk>) -> Packet {
        Packet { source: self.port, destination: self.their_port, tag: self.tag, chunks }
    }
}

/// The types of the chunks of a packet.
pub(super) fn kinds(packet: &Packet) -> Vec<u8> {
    packet.chunks.iter().map(|chunk| chunk.kind).collect()
}
