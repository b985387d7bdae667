//! ABORTs, sent and received.

use rserpool_core::endpoint::{AbortCause, Action, DownReason, Event};

use crate::transport::bench::{Outcome, ensure};
use crate::transport::end::{Order, PEER, US, Why};
use crate::transport::hand::{Hand, PORT, address, kinds};
use crate::transport::packet::{Chunk, Packet, REFLECTED, kind};
use crate::transport::row::{CRAFTED, Row, STACKS, row};
use crate::transport::setup::Setup;
use crate::transport::stage::Stage;

pub(super) const ROWS: &[Row] = &[
    row("abort-ours", "the peer learns of our ABORT and its cause", STACKS, ours),
    row("abort-theirs", "we learn of the peer's ABORT and its cause", STACKS, theirs),
    row("abort-causes", "our ABORT states the cause that the application gave", CRAFTED, causes),
    row(
        "abort-tags",
        "an ABORT counts with our tag, or with the peer's and the T bit; no other",
        CRAFTED,
        tags,
    ),
    row("abort-stray", "a packet of no association is answered by an ABORT with T bit", CRAFTED, stray),
    row("abort-handshake", "an ABORT in the handshake ends the attempt", CRAFTED, in_handshake),
];

/// User Initiated Abort and Protocol Violation (RFC 9260 sections 3.3.10.12 and 13).
const USER: u16 = 12;
const VIOLATION: u16 = 13;
const OUT_OF_RESOURCE: u16 = 4;

fn ours(stage: &Stage) -> Outcome {
    let mut bench = stage.bench(Setup::patient())?;
    bench.connect(US, PEER)?;
    bench.exchange()?;
    bench.order(US, PEER, &Order::Abort)?;
    bench.expect_end(PEER, US, &Why::Aborted(Some(USER)))?;
    Ok(format!("cause {USER}"))
}

fn theirs(stage: &Stage) -> Outcome {
    let mut bench = stage.bench(Setup::patient())?;
    bench.connect(PEER, US)?;
    bench.exchange()?;
    bench.order(PEER, US, &Order::Abort)?;
    bench.expect_end(US, PEER, &Why::Aborted(Some(USER)))?;
    Ok(format!("cause {USER}"))
}

fn causes(stage: &Stage) -> Outcome {
    for (cause, code) in [
        (AbortCause::User, USER),
        (AbortCause::OutOfResource, OUT_OF_RESOURCE),
        (AbortCause::ProtocolViolation, VIOLATION),
    ] {
        let mut hand = Hand::new(stage.backend);
        let grip = hand.open(1)?;
        hand.act(Action::Abort { association: grip.association, cause });
        let (_, packet) = hand.reply("an ABORT of the application")?;
        ensure(packet.tag == grip.own_tag, || "the tag is not ours".into())?;
        let abort = packet.find(kind::ABORT);
        let sent = abort.and_then(|abort| abort.parameters(0).first().map(|(cause, _)| *cause));
        ensure(sent == Some(code), || format!("cause {sent:?} instead of {code}"))?;
        ensure(abort.is_some_and(|abort| abort.flags & REFLECTED == 0), || "with T bit".into())?;
    }
    Ok(String::new())
}

fn tags(stage: &Stage) -> Outcome {
    for (reflected, flags, counts) in
        [(false, 0, true), (true, REFLECTED, true), (true, 0, false), (false, REFLECTED, false)]
    {
        let mut hand = Hand::new(stage.backend);
        let mut grip = hand.open(1)?;
        let abort = Chunk::with_cause(kind::ABORT, USER, b"why").flagged(flags);
        let tag = if reflected { grip.own_tag } else { grip.tag };
        hand.put(grip.source, &Packet { tag, ..grip.packet(vec![abort]) });
        let which = format!("{} tag, flags {flags}", if reflected { "the hand's" } else { "the stack's" });
        match hand.events()[..] {
            [] if !counts => hand.works(&mut grip)?,
            [Event::Disconnected { reason: DownReason::Aborted(ref reason), .. }]
                if counts && reason.cause == Some(USER) && reason.text == "why" => {}
            ref other => return Err(format!("{which}: the application sees {other:?}").into()),
        }
    }
    Ok(String::new())
}

/// RFC 9260 section 8.4.
fn stray(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let cases = [
        (Chunk::data(1, 0, 11, b"x"), Some(kind::ABORT)),
        (Chunk::new(kind::SACK, [0; 12]), Some(kind::ABORT)),
        (Chunk::new(kind::HEARTBEAT, [0, 1, 0, 8, 1, 2, 3, 4]), Some(kind::ABORT)),
        (Chunk::new(kind::SHUTDOWN, [0; 4]), Some(kind::ABORT)),
        (Chunk::new(kind::SHUTDOWN_ACK, []), Some(kind::SHUTDOWN_COMPLETE)),
        (Chunk::with_cause(kind::ABORT, USER, &[]), None),
        (Chunk::new(kind::SHUTDOWN_COMPLETE, []), None),
        (Chunk::new(kind::COOKIE_ACK, []), None),
        (Chunk::with_cause(kind::ERROR, 3, &[0; 4]), None),
    ];
    for (chunk, expected) in cases {
        let kind = chunk.kind;
        hand.put(address(1), &Packet { source: 5000, destination: PORT, tag: 77, chunks: vec![chunk] });
        let answers: Vec<_> =
            hand.replies().into_iter().map(|(_, p)| (p.tag, kinds(&p), p.chunks[0].flags)).collect();
        let right = expected.map(|answer| (77, vec![answer], REFLECTED));
        ensure(answers == Vec::from_iter(right), || format!("chunk {kind} is answered by {answers:?}"))?;
    }
    Ok(String::new())
}

fn in_handshake(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let (port, init) = hand.be_asked(1)?;
    // With T bit the tag has to be the receiver's word, which was 0: such an ABORT is forged.
    for (tag, flags, counts) in [(7, 0, false), (init.word(0).unwrap_or_default(), 0, true)] {
        let abort = Chunk::with_cause(kind::ABORT, USER, &[]).flagged(flags);
        hand.put(address(1), &Packet { source: 5000, destination: port, tag, chunks: vec![abort] });
        let events = hand.events();
        let failed = matches!(events[..], [Event::ConnectFailed { .. }]);
        ensure(failed == counts, || format!("tag {tag}: the application sees {events:?}"))?;
    }
    Ok(String::new())
}
