//! Floods: they cost no memory, and honest peers get through.

use std::time::Duration;

use crate::transport::bench::{Outcome, ensure};
use crate::transport::hand::{Hand, PORT, address};
use crate::transport::measure::{cpu_time, resident};
use crate::transport::packet::{Chunk, Packet, kind};
use crate::transport::row::{CRAFTED, Row};
use crate::transport::stage::Stage;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "flood-init",
        question: "1,000,000 INITs from everywhere: no memory, and honest peers connect meanwhile",
        peers: CRAFTED,
        alone: true,
        run: inits,
    },
    Row {
        name: "flood-cookie",
        question: "1,000,000 forged cookies: no memory, and honest peers connect meanwhile",
        peers: CRAFTED,
        alone: true,
        run: cookies,
    },
];

const PACKETS: u32 = 1_000_000;

fn inits(stage: &Stage) -> Outcome {
    flood(stage, |n| (0, Chunk::init(n, n | 1, &[])))
}

fn cookies(stage: &Stage) -> Outcome {
    flood(stage, |n| {
        let word = n.to_be_bytes();
        (n, Chunk::new(kind::COOKIE_ECHO, word.repeat(13)))
    })
}

/// 100,000 packets a second of virtual time, each from another address and port.
fn flood(stage: &Stage, packet: impl Fn(u32) -> (u32, Chunk)) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let mut before = 0;
    let mut busy = Duration::ZERO;
    let mut honest = 0;
    for n in 1..=PACKETS {
        let (tag, chunk) = packet(n);
        let packet = Packet { source: n as u16 | 1, destination: PORT, tag, chunks: vec![chunk] };
        let (octets, source, now) = (packet.encode(), address(n), hand.now);
        let start = std::time::Instant::now();
        hand.stack.handle_datagram(now, source, octets);
        while hand.stack.poll_event().is_some() {}
        while hand.stack.poll_datagram().is_some() {}
        busy += start.elapsed();
        if n % 1000 == 0 {
            hand.pass(Duration::from_millis(10));
        }
        // The allocator has what it needs after the first peer.
        if n == 100_001 {
            before = resident()?;
        }
        if n % 100_000 == 0 {
            let grip = hand.open(PACKETS + n)?;
            hand.say(&grip, vec![Chunk::with_cause(kind::ABORT, 12, &[])]);
            hand.events();
            honest += 1;
        }
    }
    let grown = resident()?.saturating_sub(before);
    let associations = hand.stack.associations();
    ensure(associations == 0, || format!("{associations} associations are left"))?;
    // Less than an octet for each packet: whatever is kept, it is not theirs.
    ensure(grown < PACKETS as usize * 9 / 10, || format!("{} KiB more memory", grown >> 10))?;
    let each = busy.as_nanos() / u128::from(PACKETS);
    let total = cpu_time()?.as_secs_f64();
    Ok(format!(
        "{} KiB more memory, {each} ns each, {honest} honest peers came in, {total:.1} s in all",
        grown >> 10
    ))
}
