//! The SCTP stack without sockets, with divan, for each engine:
//! `cargo bench -p rserpool-core --features dcsctp --bench sctp`.
//!
//! Two stacks hand each other their packets in one thread, so the figures are those of both ends.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use rserpool_core::base::{AssociationId, ConnectId, Instant, ProtocolId, SctpAddress, SctpPort, UdpPort};
use rserpool_core::endpoint::{Action, Connected, Event, Origin};
use rserpool_transport::sctp::{Dcsctp, Engine, Sctp, SctpConfig, SctpProto};
use rserpool_transport::{Datagrams, Stack};

fn main() {
    divan::main();
}

const PORT: u16 = 7;
/// Octets of a message.
const SIZE: usize = 200;
const MESSAGES: usize = 10_000;
/// Messages handed over at a time, as an application would that watches its queue.
const BATCH: usize = 100;

struct Pair<E: Engine> {
    now: Instant,
    stacks: [Sctp<E>; 2],
    received: usize,
    association: Option<AssociationId>,
}

fn address(stack: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_001 + stack as u16))
}

impl<E: Engine> Pair<E> {
    fn new() -> Self {
        let stack = |n: usize| Sctp::with_engine(SctpConfig::rfc(n as u64), address(n));
        let mut pair =
            Self { now: Instant::ORIGIN, stacks: [stack(0), stack(1)], received: 0, association: None };
        pair.stacks[1].listen(SctpPort(PORT));
        pair
    }

    fn connect(&mut self) {
        let peer = SctpAddress::new(address(1).ip(), SctpPort(PORT), UdpPort(address(1).port()));
        let deadline = self.now + Duration::from_secs(10);
        let connect =
            Action::Connect { request: ConnectId(1), local_port: SctpPort(0), peer: peer.into(), deadline };
        self.stacks[0].handle_action(self.now, connect);
        self.settle();
    }

    fn connected() -> Self {
        let mut pair = Self::new();
        pair.connect();
        assert!(pair.association.is_some());
        pair
    }

    /// Carries packets until there are none.
    fn settle(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for from in [0, 1] {
                while let Some(datagram) = self.stacks[from].poll_datagram() {
                    self.now += Duration::from_micros(1);
                    self.stacks[1 - from].handle_datagram(self.now, address(from), datagram.bytes);
                    moved = true;
                }
                while let Some(event) = self.stacks[from].poll_event() {
                    match event {
                        Event::Connected(Connected { association, origin: Origin::Attempt(_), .. }) => {
                            self.association = Some(association);
                        }
                        Event::Message { .. } => self.received += 1,
                        _ => {}
                    }
                }
            }
        }
    }

    fn stream(&mut self, payload: &Bytes) {
        let Some(association) = self.association else { return };
        let expected = self.received + MESSAGES;
        for _ in 0..MESSAGES / BATCH {
            for _ in 0..BATCH {
                let (protocol, bytes) = (ProtocolId(0), payload.clone());
                let send = Action::Send { association, protocol, stream: 0, bytes };
                self.stacks[0].handle_action(self.now, send);
            }
            self.settle();
        }
        while self.received < expected {
            self.now += Duration::from_millis(100);
            self.stacks.iter_mut().for_each(|stack| stack.handle_timeout(self.now));
            self.settle();
        }
    }
}

#[divan::bench(types = [SctpProto, Dcsctp])]
fn one_way<E: Engine>(bencher: Bencher<'_, '_>) {
    let payload = Bytes::from(vec![7; SIZE]);
    bencher
        .counter(ItemsCount::new(MESSAGES))
        .with_inputs(Pair::<E>::connected)
        .bench_local_values(|mut pair| pair.stream(&payload));
}

#[divan::bench(types = [SctpProto, Dcsctp])]
fn round_trip<E: Engine>(bencher: Bencher<'_, '_>) {
    let payload = Bytes::from(vec![7; SIZE]);
    let mut pair = Pair::<E>::connected();
    bencher.bench_local(|| {
        for from in [0, 1] {
            // Both ends have numbered their first association alike.
            let association = AssociationId::sctp(1);
            let send =
                Action::Send { association, protocol: ProtocolId(0), stream: 0, bytes: payload.clone() };
            pair.stacks[from].handle_action(pair.now, send);
            pair.settle();
        }
    });
}

#[divan::bench(types = [SctpProto, Dcsctp])]
fn handshake<E: Engine>(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(Pair::<E>::new).bench_local_values(|mut pair| {
        pair.connect();
        pair
    });
}
