//! UDP ports that change (RFC 6951 section 5.4), and packets from elsewhere.

use std::net::SocketAddr;
use std::time::Duration;

use crate::transport::bench::{Outcome, SOON, ensure};
use crate::transport::end::{PEER, US};
use crate::transport::hand::{Hand, PORT, address};
use crate::transport::packet::{Chunk, Packet, kind, parameter as types, parameter};
use crate::transport::row::{CRAFTED, Row, row};
use crate::transport::setup::{Peer, Setup};
use crate::transport::stage::Stage;

/// Peers with two paths; usrsctp on loopback has one.
const MULTIHOMED: &[Peer] = &[Peer::Own, Peer::Linux];

pub(super) const ROWS: &[Row] = &[
    row(
        "path-dies",
        "one of two paths dies, then the other one: 500 ms, nothing lost",
        MULTIHOMED,
        path_dies,
    ),
    row(
        "udp-port-changes",
        "the peer's UDP port changes in mid-association: we follow",
        CRAFTED,
        port_changes,
    ),
    row("udp-port-forged", "a packet with a wrong tag moves nothing", CRAFTED, port_forged),
    row(
        "source-spoofed",
        "the right tag from an address that is not the peer's does not count",
        CRAFTED,
        spoofed,
    ),
    row("second-address", "packets from another listed address of the peer count", CRAFTED, second_address),
];

fn port_changes(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let mut grip = hand.open(1)?;
    hand.works(&mut grip)?;
    for port in [22_222, 33_333, 9899] {
        grip.source.set_port(port);
        hand.works(&mut grip)?;
    }
    Ok("three times".into())
}

fn port_forged(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let mut grip = hand.open(1)?;
    hand.works(&mut grip)?;
    let elsewhere = SocketAddr::new(grip.source.ip(), 22_222);
    let chunks = [
        Chunk::data(grip.tsn, 1, 11, b"forged"),
        Chunk::new(kind::HEARTBEAT, parameter(1, &[0; 8])),
        Chunk::with_cause(kind::ABORT, 12, &[]),
        Chunk::new(kind::SHUTDOWN_COMPLETE, []).flagged(1),
        Chunk::init(99, 5, &[]),
        Chunk::new(kind::COOKIE_ECHO, [7; 52]),
    ];
    for chunk in chunks {
        let tag = if chunk.kind == kind::INIT { 0 } else { grip.tag ^ 1 };
        hand.put(elsewhere, &Packet { tag, ..grip.packet(vec![chunk]) });
        hand.works(&mut grip)?;
    }
    Ok(String::new())
}

fn spoofed(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let mut grip = hand.open(1)?;
    hand.works(&mut grip)?;
    for chunk in [Chunk::data(grip.tsn, 1, 11, b"forged"), Chunk::with_cause(kind::ABORT, 12, &[])] {
        hand.put(address(2), &grip.packet(vec![chunk]));
        let events = hand.events();
        ensure(events.is_empty(), || format!("the application sees {events:?}"))?;
        hand.works(&mut grip)?;
    }
    Ok(String::new())
}

/// Both addresses of the peer are cut in turn; the goal is that of the fast preset.
fn path_dies(stage: &Stage) -> Outcome {
    const GOAL: Duration = Duration::from_millis(500);
    let mut bench = stage.bench(Setup { wild: true, ..Setup::plain() })?;
    bench.connect(US, PEER)?;
    bench.exchange()?;
    let addresses = bench.world.route(US, PEER).addresses;
    let mut longest = Duration::ZERO;
    for dead in [0, 1, 0] {
        // Both paths are to be known as good.
        bench.pass(Duration::from_secs(2))?;
        bench.world.cuts().addresses.insert(addresses[dead]);
        let start = bench.world.now();
        let ours = bench.send(US, PEER, 11, 500, 20)?;
        bench.expect(PEER, US, &ours, SOON)?;
        let out = bench.world.now().since(start);
        let theirs = bench.send(PEER, US, 11, 500, 20)?;
        bench.expect(US, PEER, &theirs, SOON)?;
        bench.expect_quiet()?;
        bench.world.cuts().addresses.remove(&addresses[dead]);
        longest = longest.max(out);
        ensure(out <= GOAL, || format!("without path {dead} our messages took {out:?}"))?;
    }
    Ok(format!("our messages took {} ms at most", longest.as_millis()))
}

/// A peer lists two addresses in its INIT and answers from the second one.
fn second_address(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let (first, second) = (address(1), address(2));
    let addresses = [first, second].map(|address| match address.ip() {
        std::net::IpAddr::V4(ip) => parameter(types::IPV4, &ip.octets()),
        std::net::IpAddr::V6(ip) => parameter(types::IPV6, &ip.octets()),
    });
    let (ack, cookie) = hand.ask(first, 5000, Chunk::init(7, 1000, &addresses.concat()))?;
    let tag = ack.word(0).unwrap_or_default();
    let echo = Chunk::new(kind::COOKIE_ECHO, cookie);
    hand.put(first, &Packet { source: 5000, destination: PORT, tag, chunks: vec![echo] });
    hand.events();
    hand.replies();
    let data = Chunk::data(1000, 0, 11, b"from the second");
    hand.put(second, &Packet { source: 5000, destination: PORT, tag, chunks: vec![data] });
    let events = hand.events();
    ensure(events.len() == 1, || {
        format!("a message from the second address: the application sees {events:?}")
    })?;
    Ok(String::new())
}
