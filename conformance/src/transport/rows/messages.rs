//! Messages arrive whole, in order and with their payload protocol identifier; a peer that takes
//! none is bounded and slows nobody else.

use std::time::Duration;

use rserpool_core::base::ProtocolId;
use rserpool_core::endpoint::{Action, DownReason, Event};
use rserpool_transport::sctp::SctpConfig;

use crate::transport::bench::{Outcome, SOON, ensure};
use crate::transport::end::{FRIEND, Order, PEER, US};
use crate::transport::hand::Hand;
use crate::transport::row::{CRAFTED, Row, STACKS, row};
use crate::transport::setup::Setup;
use crate::transport::stage::Stage;

pub(super) const ROWS: &[Row] = &[
    row("payloads", "payload protocol identifiers of every kind, both ways", STACKS, payloads),
    row("sizes", "messages of 1 octet to 60 kB, both ways", STACKS, sizes),
    row("outstanding", "1,000 messages at once, both ways at the same time", STACKS, outstanding),
    row("stuck", "a peer that takes nothing slows no other, and gets everything in the end", STACKS, stuck),
    row("queue-bound", "the send queue has a bound in octets, even if it is ignored", CRAFTED, queue_bound),
];

/// None, ASAP, ENRP, RSPLIB's services, WebRTC's (which libraries like to treat as their own), ours.
const PROTOCOLS: [u32; 14] =
    [0, 1, 11, 12, 32, 33, 34, 35, 50, 51, 53, 58, ProtocolId::MANAGEMENT.0, u32::MAX];

fn payloads(stage: &Stage) -> Outcome {
    let mut bench = stage.bench(Setup::patient())?;
    bench.connect(US, PEER)?;
    for (from, to) in [(US, PEER), (PEER, US)] {
        for protocol in PROTOCOLS {
            let sent = bench.send(from, to, protocol, 20, 1)?;
            bench.expect(to, from, &sent, SOON)?;
        }
    }
    bench.expect_quiet()?;
    Ok(format!("{} identifiers", PROTOCOLS.len()))
}

/// Around every size at which something changes: padding, the packet, the path, 16 bits.
const LENGTHS: [usize; 19] = [
    1, 2, 3, 4, 5, 255, 1000, 1168, 1169, 1172, 1173, 1200, 1452, 1453, 4096, 10_000, 32_768, 59_999, 60_000,
];

fn sizes(stage: &Stage) -> Outcome {
    let mut bench = stage.bench(Setup::patient())?;
    bench.connect(PEER, US)?;
    for (from, to) in [(US, PEER), (PEER, US)] {
        let mut sent = Vec::new();
        for length in LENGTHS {
            sent.extend(bench.send(from, to, 11, length, 2)?);
        }
        bench.expect(to, from, &sent, SOON)?;
    }
    bench.expect_quiet()?;
    Ok(format!("{} sizes", LENGTHS.len()))
}

fn outstanding(stage: &Stage) -> Outcome {
    let mut bench = stage.bench(Setup::patient())?;
    bench.connect(US, PEER)?;
    let start = bench.world.now();
    let ours = bench.send(US, PEER, 0, 200, 1000)?;
    let theirs = bench.send(PEER, US, 0, 200, 1000)?;
    bench.expect(PEER, US, &ours, SOON)?;
    bench.expect(US, PEER, &theirs, SOON)?;
    bench.expect_quiet()?;
    let took = bench.world.now().since(start).as_millis();
    Ok(format!("{took} ms; {}", bench.repetitions()))
}

fn stuck(stage: &Stage) -> Outcome {
    let mut setup = Setup::patient();
    setup.config.send_queue = 64 << 10;
    let mut bench = stage.bench(setup)?;
    bench.connect(US, PEER)?;
    bench.connect(US, FRIEND)?;
    bench.order(PEER, US, &Order::Pause)?;
    let sent = bench.send(US, PEER, 0, 2000, 3000)?;
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let start = bench.world.now();
        bench.exchange_with(FRIEND)?;
        slowest = slowest.max(bench.world.now().since(start));
        bench.pass(Duration::from_millis(100))?;
    }
    ensure(bench.congested(US, PEER) > 0, || "the queue to the stuck peer is never full".into())?;
    ensure(slowest < Duration::from_millis(500), || format!("the other peer has waited for {slowest:?}"))?;
    bench.order(PEER, US, &Order::Resume)?;
    bench.expect(PEER, US, &sent, Duration::from_secs(60))?;
    Ok(format!("the other peer has waited for {} ms at most", slowest.as_millis()))
}

fn queue_bound(stage: &Stage) -> Outcome {
    const BOUND: usize = 64 << 10;
    const LENGTH: usize = 200;
    let mut config = SctpConfig::fast(1);
    config.send_queue = BOUND;
    let mut hand = Hand::with(stage.backend, config);
    let association = hand.open(1)?.association;
    let mut taken = [0, 0];
    let mut congested = 0;
    for _ in 0..100_000 {
        let bytes = vec![0; LENGTH].into();
        hand.act(Action::Send { association, protocol: ProtocolId(0), stream: 0, bytes });
        taken[congested] += LENGTH;
        match hand.events()[..] {
            [] => {}
            [Event::Congested { .. }] => congested = 1,
            [Event::Disconnected { reason: DownReason::QueueFull, .. }] if congested == 1 => {
                ensure(taken[0] <= BOUND, || format!("congested after {} octets", taken[0]))?;
                // As SctpConfig and Event::Congested say: room for one longest message more.
                let most = BOUND + SctpConfig::fast(1).max_message_size + LENGTH;
                ensure(taken[1] <= most, || format!("ended after {} octets more", taken[1]))?;
                return Ok(format!("congested after {} octets, ended {} later", taken[0], taken[1]));
            }
            ref other => return Err(format!("the application sees {other:?}").into()),
        }
    }
    Err(format!("20 MB were taken, {taken:?}").into())
}
