//! Packets that are allowed, or harmless, and that simple stacks stumble over.

use std::time::Duration;

use rserpool_core::endpoint::{Connected, Event};

use crate::transport::bench::{Failure, Outcome, ensure};
use crate::transport::hand::{Hand, PORT, address, kinds};
use crate::transport::packet::{Chunk, Packet, kind, parameter as types, parameter};
use crate::transport::row::{CRAFTED, Row, row};
use crate::transport::stage::Stage;

pub(super) const ROWS: &[Row] = &[
    row("init-duplicate", "a copy of an INIT after the handshake harms nobody", CRAFTED, duplicate_init),
    row("init-late", "an INIT of somebody who does not go on harms nobody", CRAFTED, late_init),
    row("init-optional", "known and optional parameters in INIT and INIT ACK", CRAFTED, optional_parameters),
    row("init-unknown", "unknown parameters in INIT by their high bits", CRAFTED, unknown_parameters),
    row("init-ack-unknown", "unknown parameters in INIT ACK by their high bits", CRAFTED, unknown_in_ack),
    row("init-values", "an INIT whose values are not allowed is refused", CRAFTED, bad_values),
    row("cookie-again", "a copy of a COOKIE ECHO is acknowledged and changes nothing", CRAFTED, cookie_again),
    row("error-harmless", "an ERROR is a remark, not an end", CRAFTED, errors),
    row("chunk-unknown", "unknown chunks by their high bits", CRAFTED, unknown_chunks),
    row("padding", "padding that is not zero, or missing at the end", CRAFTED, padding),
    row("checksum", "a packet with a wrong checksum is as if it never came", CRAFTED, checksum),
    row("heartbeat", "a HEARTBEAT comes back as it was", CRAFTED, heartbeat),
];

fn duplicate_init(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let mut grip = hand.open(1)?;
    for _ in 0..3 {
        hand.ask(grip.source, grip.port, Chunk::init(grip.own_tag, 1000, &[]))?;
        hand.works(&mut grip)?;
    }
    hand.pass(Duration::from_millis(100));
    only_messages(&mut hand)
}

fn late_init(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let mut grip = hand.open(1)?;
    for tag in [99, 98] {
        hand.ask(grip.source, grip.port, Chunk::init(tag, 7, &[]))?;
        hand.works(&mut grip)?;
    }
    only_messages(&mut hand)
}

fn only_messages(hand: &mut Hand) -> Outcome {
    let events = hand.events();
    let odd: Vec<_> = events.iter().filter(|event| !matches!(event, Event::Message { .. })).collect();
    ensure(odd.is_empty(), || format!("the application sees {odd:?}"))?;
    Ok(String::new())
}

/// What Linux and usrsctp put into an INIT: addresses, a cookie preservative, and so on.
fn optional() -> Vec<u8> {
    [
        parameter(types::IPV4, &[10, 1, 0, 1]),
        parameter(types::IPV4, &[10, 2, 0, 1]),
        parameter(types::IPV6, &[0xfd; 16]),
        parameter(types::PRESERVATIVE, &[0, 0, 1, 0]),
        parameter(types::ADDRESS_TYPES, &[0, 5, 0, 6]),
        parameter(types::ECN, &[]),
        parameter(types::FORWARD_TSN, &[]),
        // Supported Extensions: ASCONF, ASCONF-ACK, FORWARD-TSN, RE-CONFIG, AUTH.
        parameter(0x8008, &[0xc1, 0x80, 0xc0, 0x82, 0x0f]),
        // Random, requested HMACs and chunks (RFC 4895); adaptation layer indication.
        parameter(0x8002, &[7; 32]),
        parameter(0x8004, &[0, 1]),
        parameter(0x8003, &[0xc1, 0x80]),
        parameter(0xc006, &[0; 4]),
    ]
    .concat()
}

fn optional_parameters(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let (ack, cookie) = hand.ask(address(1), 5000, Chunk::init(7, 1000, &optional()).flagged(0xff))?;
    let tag = ack.word(0).unwrap_or_default();
    let echo = Chunk::new(kind::COOKIE_ECHO, cookie);
    hand.put(address(1), &Packet { source: 5000, destination: PORT, tag, chunks: vec![echo] });
    connected(&mut hand, "INIT")?;

    let mut hand = Hand::new(stage.backend);
    let (port, init) = hand.be_asked(1)?;
    let echo = answer(&mut hand, port, &init, &optional())?;
    ensure(echo.find(kind::COOKIE_ECHO).is_some(), || format!("INIT ACK is answered by {:?}", kinds(&echo)))?;
    let ack = Packet {
        source: 5000,
        destination: port,
        tag: init.word(0).unwrap_or_default(),
        chunks: vec![Chunk::new(kind::COOKIE_ACK, [])],
    };
    hand.put(address(1), &ack);
    connected(&mut hand, "INIT ACK")
}

fn connected(hand: &mut Hand, what: &str) -> Outcome {
    let events = hand.events();
    let up = matches!(events[..], [Event::Connected(Connected { .. })]);
    ensure(up, || format!("after an {what} with such parameters the application sees {events:?}"))?;
    Ok(String::new())
}

/// Answers an INIT of the stack by an INIT ACK with these parameters in front of the cookie.
fn answer(hand: &mut Hand, port: u16, init: &Chunk, parameters: &[u8]) -> Result<Packet, Failure> {
    let parameters = [parameters, &parameter(types::COOKIE, b"cookie")].concat();
    let ack = Chunk { kind: kind::INIT_ACK, ..Chunk::init(7, 1000, &parameters) };
    let tag = init.word(0).unwrap_or_default();
    hand.put(address(1), &Packet { source: 5000, destination: port, tag, chunks: vec![ack] });
    Ok(hand.reply("an INIT ACK")?.1)
}

/// RFC 9260 section 3.2.1: bit 0x4000 asks for a report, bit 0x8000 to go on behind it.
fn unknown_parameters(stage: &Stage) -> Outcome {
    for (unknown, reported) in [(0x3ff0, false), (0x7ff0, true), (0xbff0, false), (0xfff0, true)] {
        let mut hand = Hand::new(stage.backend);
        let strange = parameter(unknown, b"what");
        let (ack, cookie) = hand.ask(address(1), 5000, Chunk::init(7, 1000, &strange))?;
        let report = ack.parameter(types::UNRECOGNIZED);
        let right = reported.then_some(strange);
        ensure(report == right, || format!("parameter {unknown:#06x} is reported as {report:?}"))?;
        let tag = ack.word(0).unwrap_or_default();
        let echo = Chunk::new(kind::COOKIE_ECHO, cookie);
        hand.put(address(1), &Packet { source: 5000, destination: PORT, tag, chunks: vec![echo] });
        connected(&mut hand, "INIT")?;
    }
    Ok(String::new())
}

/// The same in an INIT ACK, where an ERROR behind the COOKIE ECHO is the report; and what stands
/// behind a parameter without bit 0x8000, here the cookie, does not count.
fn unknown_in_ack(stage: &Stage) -> Outcome {
    for (unknown, reported) in [(0xbff0, false), (0xfff0, true)] {
        let mut hand = Hand::new(stage.backend);
        let (port, init) = hand.be_asked(1)?;
        let strange = parameter(unknown, b"what");
        let echo = answer(&mut hand, port, &init, &strange)?;
        ensure(echo.chunks.first().is_some_and(|first| first.kind == kind::COOKIE_ECHO), || {
            format!("parameter {unknown:#06x}: the answer is {:?}", kinds(&echo))
        })?;
        let report = echo.find(kind::ERROR).map(|error| error.parameters(0));
        let right = reported.then(|| vec![(8, strange)]);
        ensure(report == right, || format!("parameter {unknown:#06x} is reported as {report:?}"))?;
    }
    Ok(String::new())
}

/// RFC 9260 section 3.3.2: no tag of 0, no number of streams of 0, a window of 1,500 at least.
fn bad_values(stage: &Stage) -> Outcome {
    let good = Chunk::init(7, 1000, &[]);
    for (place, octets) in [(0, vec![0; 4]), (4, vec![0, 0, 5, 0]), (8, vec![0, 0]), (10, vec![0, 0])] {
        let mut bad = good.clone();
        bad.body[place..place + octets.len()].copy_from_slice(&octets);
        let mut hand = Hand::new(stage.backend);
        hand.put(address(1), &Packet { source: 5000, destination: PORT, tag: 0, chunks: vec![bad] });
        let accepted = hand.replies().iter().any(|(_, packet)| packet.find(kind::INIT_ACK).is_some());
        ensure(!accepted, || format!("an INIT with {octets:?} at octet {place} is accepted"))?;
    }
    // Section 8.5.1: the tag of a packet with an INIT is 0, and nothing is bundled with it.
    let mut hand = Hand::new(stage.backend);
    hand.put(address(1), &Packet { source: 5000, destination: PORT, tag: 7, chunks: vec![good] });
    let accepted = hand.replies().iter().any(|(_, packet)| packet.find(kind::INIT_ACK).is_some());
    ensure(!accepted, || "an INIT in a packet with a tag is accepted".into())?;
    Ok(String::new())
}

fn cookie_again(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let (ack, cookie) = hand.ask(address(1), 5000, Chunk::init(7, 1000, &[]))?;
    let tag = ack.word(0).unwrap_or_default();
    let data = Chunk::data(1000, 0, 11, b"early");
    let chunks = vec![Chunk::new(kind::COOKIE_ECHO, cookie), data];
    let packet = Packet { source: 5000, destination: PORT, tag, chunks };
    let mut seen = Vec::new();
    for _ in 0..3 {
        hand.put(address(1), &packet);
        let acknowledged = hand.replies().iter().any(|(_, packet)| packet.find(kind::COOKIE_ACK).is_some());
        ensure(acknowledged, || "no COOKIE ACK".into())?;
        seen.extend(hand.events());
    }
    let right = matches!(seen[..], [Event::Connected(Connected { .. }), Event::Message { .. }]);
    ensure(right, || format!("the application sees {seen:?}"))?;
    Ok("with DATA behind it".into())
}

fn errors(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let mut grip = hand.open(1)?;
    for cause in 1..=14 {
        hand.say(&grip, vec![Chunk::with_cause(kind::ERROR, cause, &[0; 4])]);
        hand.works(&mut grip)?;
    }
    hand.say(&grip, vec![Chunk::new(kind::ERROR, [])]);
    hand.works(&mut grip)?;
    only_messages(&mut hand)
}

/// RFC 9260 section 3.2: bit 0x40 asks for a report, bit 0x80 to go on behind it.
fn unknown_chunks(stage: &Stage) -> Outcome {
    for (unknown, reported, skipped) in
        [(0x3f, false, false), (0x7f, true, false), (0xbf, false, true), (0xfe, true, true)]
    {
        let mut hand = Hand::new(stage.backend);
        let mut grip = hand.open(1)?;
        let data = Chunk::data(grip.tsn, 0, 11, b"behind");
        hand.say(&grip, vec![Chunk::new(unknown, *b"what"), data]);
        let arrived = matches!(hand.events()[..], [Event::Message { .. }]);
        ensure(arrived == skipped, || format!("chunk {unknown:#04x}: what is behind it arrives: {arrived}"))?;
        let replies = hand.replies();
        let report = replies.iter().find_map(|(_, packet)| packet.find(kind::ERROR)).map(|e| e.parameters(0));
        let right = reported.then(|| vec![(6, [&[unknown, 0, 0, 8][..], b"what"].concat())]);
        ensure(report == right, || format!("chunk {unknown:#04x} is reported as {report:?}"))?;
        grip.tsn += u32::from(skipped);
        hand.works(&mut grip)?;
    }
    Ok(String::new())
}

fn padding(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let grip = hand.open(1)?;
    let odd = |tsn, sequence| Chunk { padding: 0xee, ..Chunk::data(tsn, sequence, 11, b"odd size") };
    let mut body = Chunk::data(1002, 2, 11, b"x");
    body.padding = 0xff;
    hand.say(&grip, vec![odd(1000, 0), Chunk { padding: 1, ..odd(1001, 1) }, body]);
    let events = hand.events();
    ensure(events.len() == 3, || format!("of three messages arrive {events:?}"))?;
    ensure(events.iter().all(|event| matches!(event, Event::Message { .. })), || format!("{events:?}"))?;
    Ok(String::new())
}

fn checksum(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let mut grip = hand.open(1)?;
    let packet = grip.packet(vec![Chunk::data(grip.tsn, 0, 11, b"wrong")]).encode();
    for octet in 0..packet.len() {
        let mut wrong = packet.to_vec();
        wrong[octet] ^= 0x04;
        let now = hand.now;
        hand.stack.handle_datagram(now, grip.source, wrong.into());
        let event = hand.stack.poll_event();
        ensure(event.is_none(), || format!("octet {octet} wrong: {event:?}"))?;
        let answer = hand.stack.poll_datagram();
        ensure(answer.is_none(), || format!("octet {octet} wrong: answered"))?;
    }
    hand.works(&mut grip)?;
    Ok(format!("{} octets", packet.len()))
}

fn heartbeat(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let grip = hand.open(1)?;
    let information = parameter(1, b"anything of the sender");
    hand.say(&grip, vec![Chunk::new(kind::HEARTBEAT, information.clone())]);
    let (destination, packet) = hand.reply("a HEARTBEAT")?;
    let same = packet.find(kind::HEARTBEAT_ACK).is_some_and(|ack| ack.body == information);
    ensure(same && destination == grip.source, || format!("the answer is {packet:?} to {destination}"))?;
    Ok(String::new())
}
