//! Peers that cost more than they bring: what one makes the stack keep, and do, has bounds.

use rserpool_core::base::ProtocolId;
use rserpool_core::endpoint::{Action, DownReason, Event};
use rserpool_transport::sctp::SctpConfig;

use crate::transport::bench::{Outcome, ensure};
use crate::transport::hand::{Grip, Hand, PORT, address};
use crate::transport::measure::{cpu_time, resident};
use crate::transport::packet::{Chunk, Packet, kind};
use crate::transport::row::{CRAFTED, Row, row};
use crate::transport::stage::Stage;

pub(super) const ROWS: &[Row] = &[
    row("greedy-fragments", "a message in fragments of an octet ends its association", CRAFTED, fragments),
    row("greedy-streams", "fragments that nothing completes end their association", CRAFTED, unfinished),
    Row {
        name: "greedy-copies",
        question: "copies of old DATA beside fragments, 200 MB of them, cost no memory",
        peers: CRAFTED,
        alone: true,
        run: copies,
    },
    row("greedy-window", "what waits behind a gap is bounded by the window", CRAFTED, window),
    row("greedy-unread", "who takes no answers gets no further ones", CRAFTED, unread),
    row(
        "greedy-blocks",
        "gap blocks that overlap say nothing, those beyond what was sent are a lie",
        CRAFTED,
        blocks,
    ),
    row("greedy-places", "20,000 silent associations of one host keep nobody out", CRAFTED, places),
];

/// The flags of a first fragment, and of a whole message.
const BEGIN: u8 = 2;
const WHOLE: u8 = 3;

fn violation(hand: &mut Hand, what: &str) -> Outcome {
    let mut events = hand.events();
    // That something is on its way says nothing about how it ends.
    events.retain(|event| !matches!(event, Event::Arriving { .. }));
    let ended = matches!(events[..], [Event::Disconnected { reason: DownReason::Violation, .. }]);
    ensure(ended, || format!("after {what} the application sees {events:?}"))?;
    let replies = hand.replies();
    let told = replies.iter().any(|(_, packet)| {
        packet
            .find(kind::ABORT)
            .is_some_and(|abort| abort.parameters(0).iter().any(|(cause, _)| *cause == 13))
    });
    ensure(told, || format!("after {what} the peer is not told"))?;
    Ok(String::new())
}

fn fragments(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let grip = hand.open(1)?;
    let start = cpu_time()?;
    let fragment = |n: u32| Chunk::data(grip.tsn + n, 0, 11, b"x").flagged(if n == 0 { BEGIN } else { 0 });
    for n in 0..34 {
        hand.say(&grip, (n * 3000..(n + 1) * 3000).map(fragment).collect());
        if hand.stack.associations() == 0 {
            break;
        }
    }
    violation(&mut hand, "tiny fragments")?;
    Ok(format!("{:.1} ms of processor time", cpu_time()?.saturating_sub(start).as_secs_f64() * 1e3))
}

fn unfinished(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let grip = hand.open(1)?;
    hand.say(&grip, vec![Chunk::data(grip.tsn, 0, 11, b"x").flagged(BEGIN)]);
    hand.say(&grip, vec![Chunk::data(grip.tsn + 1, 1, 11, b"x").flagged(BEGIN)]);
    violation(&mut hand, "a message that begins within another")?;
    let mut hand = Hand::new(stage.backend);
    let grip = hand.open(1)?;
    hand.say(&grip, vec![Chunk::data(grip.tsn, 1, 11, b"x")]);
    violation(&mut hand, "a sequence number that does not follow")
}

/// Behind a gap, so that nothing can be said against the fragments themselves.
fn copies(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let mut grip = hand.open(1)?;
    hand.works(&mut grip)?;
    let before = resident()?;
    for n in 0..3000 {
        let fragment = Chunk::data(grip.tsn + 1 + n, n as u16 + 1, 11, b"x").flagged(WHOLE);
        let copy = Chunk::data(grip.tsn - 1, 0, 11, &[7; 65_000]);
        hand.say(&grip, vec![fragment, copy]);
        hand.replies();
    }
    let grown = resident()?.saturating_sub(before);
    ensure(hand.stack.associations() == 1, || "the association is gone".into())?;
    ensure(grown < 4 << 20, || format!("{} KiB more memory", grown >> 10))?;
    Ok(format!("{} KiB more memory for 3,000 fragments", grown >> 10))
}

fn told_window(hand: &mut Hand) -> u32 {
    let replies = hand.replies();
    let mut sacks = replies.iter().rev().filter_map(|(_, packet)| packet.find(kind::SACK)?.word(4));
    sacks.next().unwrap_or(u32::MAX)
}

fn window(stage: &Stage) -> Outcome {
    let config = SctpConfig::fast(1);
    let mut hand = Hand::new(stage.backend);
    let mut grip = hand.open(1)?;
    let mut told = u32::MAX;
    for n in 1..60 {
        hand.say(&grip, vec![Chunk::data(grip.tsn + n, n as u16, 11, &[7; 60_000])]);
        told = told.min(told_window(&mut hand));
    }
    ensure(told < 60_256, || format!("with 3.5 MB behind a gap the window is {told}"))?;
    ensure(hand.events().is_empty(), || "something came out of a gap".into())?;
    // What closes the gap is taken.
    hand.say(&grip, vec![Chunk::data(grip.tsn, 0, 11, b"x")]);
    let messages = hand.events().len();
    let most = config.receive_buffer as usize / 60_000 + 1;
    ensure((30..=most).contains(&messages), || format!("{messages} messages came out"))?;
    grip.tsn += messages as u32;
    hand.works(&mut grip)?;
    Ok(format!("{} of 59 messages taken, window {told}", messages - 1))
}

/// Answers a message as a registrar with a large pool does.
fn answer(hand: &mut Hand, grip: &Grip) -> usize {
    let questions = hand.events().len();
    for _ in 0..questions {
        let (association, protocol) = (grip.association, ProtocolId::ASAP);
        hand.act(Action::Send { association, protocol, stream: 0, bytes: vec![7; 52_000].into() });
    }
    questions
}

fn unread(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let grip = hand.open(1)?;
    let (mut taken, mut told) = (0, u32::MAX);
    for n in 0..1000 {
        hand.say(&grip, vec![Chunk::data(grip.tsn + n, n as u16, 11, &[7; 1000])]);
        taken += answer(&mut hand, &grip);
        told = told_window(&mut hand).min(told);
    }
    ensure(taken == 2, || format!("{taken} questions of 1,000 were taken, 2 answers are more than 64 KiB"))?;
    ensure(told < (2 << 20) - 900_000, || format!("the window is {told}"))?;
    Ok(format!("{taken} questions taken, window {told}"))
}

fn blocks(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let grip = hand.open(1)?;
    let (association, protocol) = (grip.association, ProtocolId(0));
    for _ in 0..3 {
        hand.act(Action::Send { association, protocol, stream: 0, bytes: vec![7; 500].into() });
    }
    let replies = hand.replies();
    let first = replies.iter().find_map(|(_, packet)| packet.find(kind::DATA)?.word(0)).unwrap_or_default();
    let sack = |blocks: &[(u16, u16)]| {
        let mut body = first.wrapping_sub(1).to_be_bytes().to_vec();
        body.extend([0, 2, 0, 0]);
        body.extend((blocks.len() as u16).to_be_bytes());
        body.extend([0, 0]);
        blocks.iter().for_each(|(start, end)| body.extend([start.to_be_bytes(), end.to_be_bytes()].concat()));
        Chunk::new(kind::SACK, body)
    };
    let start = cpu_time()?;
    for _ in 0..20 {
        hand.say(&grip, vec![sack(&[(1, 3); 16_000])]);
    }
    let took = cpu_time()?.saturating_sub(start);
    ensure(hand.events().is_empty(), || "overlapping blocks end the association".into())?;
    hand.say(&grip, vec![sack(&[(2, 3)])]);
    ensure(hand.events().is_empty(), || "a true SACK ends the association".into())?;
    hand.replies();
    hand.say(&grip, vec![sack(&[(2, 3), (5, 5)])]);
    violation(&mut hand, "a SACK of what was never sent")?;
    Ok(format!("{:.2} ms for each of 16,000 blocks", took.as_secs_f64() * 1e3 / 20.0))
}

/// All from one UDP socket; only the SCTP port differs.
fn places(stage: &Stage) -> Outcome {
    let mut hand = Hand::with(stage.backend, SctpConfig::rfc(1));
    for n in 0..20_000_u32 {
        let port = 10_000 + n as u16;
        let (ack, cookie) = hand.ask(address(1), port, Chunk::init(n + 1, 1000, &[]))?;
        let tag = ack.word(0).unwrap_or_default();
        let echo = Chunk::new(kind::COOKIE_ECHO, cookie);
        hand.put(address(1), &Packet { source: port, destination: PORT, tag, chunks: vec![echo] });
        hand.replies();
        if n % 1000 == 0 {
            hand.pass(std::time::Duration::from_secs(1));
            hand.replies();
        }
    }
    let all = hand.stack.associations();
    hand.events();
    hand.replies();
    let honest = hand.stack.associations();
    let events = {
        let (ack, cookie) = hand.ask(address(2), 5000, Chunk::init(7, 1000, &[]))?;
        let tag = ack.word(0).unwrap_or_default();
        hand.put(
            address(2),
            &Packet {
                source: 5000,
                destination: PORT,
                tag,
                chunks: vec![Chunk::new(kind::COOKIE_ECHO, cookie)],
            },
        );
        hand.events()
    };
    let came_in = events.iter().any(|event| matches!(event, Event::Connected(_)));
    ensure(came_in, || format!("beside {honest} silent ones an honest peer sees {events:?}"))?;
    ensure(all <= 19_000, || format!("strangers have {all} places"))?;
    Ok(format!("{all} places of strangers"))
}
