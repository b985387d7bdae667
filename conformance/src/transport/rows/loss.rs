//! Bad networks: everything arrives all the same.

use std::time::Duration;

use rserpool_transport::sctp::SctpConfig;

use crate::transport::bench::{Bench, Failure, Outcome, ensure};
use crate::transport::end::{Order, PEER, US, Why};
use crate::transport::netem::Netem;
use crate::transport::row::{LINUX, Row, STACKS, row};
use crate::transport::setup::{Peer, Setup};
use crate::transport::stage::Stage;
use crate::transport::wire::Link;

pub(super) const ROWS: &[Row] = &[
    row("loss-1", "1 % of the packets are lost", STACKS, |stage| lossy(stage, 1)),
    row("loss-5", "5 % of the packets are lost", STACKS, |stage| lossy(stage, 5)),
    row("loss-20", "20 % of the packets are lost", STACKS, |stage| lossy(stage, 20)),
    row("reordering", "packets overtake each other by up to 20 ms", STACKS, |stage| {
        under(stage, Link { jitter: Duration::from_millis(20), ..GOOD })
    }),
    row("duplication", "half of the packets arrive twice", STACKS, |stage| {
        under(stage, Link { duplication: 50, ..GOOD })
    }),
    row("delay", "every packet takes 200 ms", STACKS, delayed),
    row("all-at-once", "5 % lost, 5 % twice, up to 20 ms late", STACKS, |stage| {
        under(stage, Link { loss: 5, duplication: 5, jitter: Duration::from_millis(20), ..GOOD })
    }),
    row("path-mtu-576", "packets above 576 octets vanish on the way from us", STACKS, |stage| {
        narrow(stage, 576)
    }),
    row("path-mtu-1000", "packets above 1,000 octets vanish on the way from us", STACKS, |stage| {
        narrow(stage, 1000)
    }),
    row("netem-1", "1 % lost, late, overtaken and twice by netem of the kernel", LINUX, |stage| {
        netem(stage, "loss 1% delay 20ms 5ms reorder 10% duplicate 1%", &Setup::patient().config)
    }),
    row("netem-5", "5 % lost, late, overtaken and twice by netem of the kernel", LINUX, |stage| {
        netem(stage, "loss 5% delay 20ms 5ms reorder 10% duplicate 1%", &Setup::patient().config)
    }),
    row("netem-20", "20 % lost, late, overtaken and twice by netem of the kernel", LINUX, |stage| {
        netem(stage, "loss 20% delay 20ms 5ms reorder 10% duplicate 1%", &Setup::patient().config)
    }),
    row("netem-delay", "every packet takes 200 ms by netem of the kernel", LINUX, |stage| {
        netem(stage, "delay 200ms", &SctpConfig::rfc(1))
    }),
];

const GOOD: Link = Link { delay: Duration::from_millis(5), jitter: Duration::ZERO, loss: 0, duplication: 0 };

/// For the messages of both ways; with set-up and shutdown less than a cell may take, because one that
/// is killed leaves the kernel's network as bad as it was.
const TRANSFER: Duration = Duration::from_secs(120);

fn lossy(stage: &Stage, loss: u64) -> Outcome {
    under(stage, Link { loss, ..GOOD })
}

/// The fast preset takes a round trip of 400 ms for a loss; the other is made for it.
fn delayed(stage: &Stage) -> Outcome {
    let link = Link { delay: Duration::from_millis(200), ..Link::default() };
    with(stage, link, &SctpConfig::rfc(1))
}

fn under(stage: &Stage, link: Link) -> Outcome {
    with(stage, link, &Setup::patient().config)
}

/// Handshake, messages both ways, shutdown: once in real time, for many seeds in virtual time.
fn with(stage: &Stage, link: Link, config: &SctpConfig) -> Outcome {
    let seeds = if stage.peer == Peer::Own { 20 } else { 1 };
    let mut longest = Duration::ZERO;
    for seed in 1..=seeds {
        let mut bench = stage.bench(Setup { link, seed, config: config.clone(), ..Setup::plain() })?;
        longest = longest.max(transfer(&mut bench)?);
    }
    Ok(format!("{seeds} runs, the longest transfer {:.1} s", longest.as_secs_f64()))
}

/// Long messages over a path that carries no large packets and does not say so; the answer, too, if the peer is one of
/// ours.
fn narrow(stage: &Stage, mtu: usize) -> Outcome {
    const HEADERS: usize = 28;
    let mut bench = stage.bench(Setup { link: GOOD, config: Setup::patient().config, ..Setup::plain() })?;
    bench.world.cuts().largest = Some(mtu - HEADERS);
    bench.connect(US, PEER)?;
    let start = bench.world.now();
    let ours = bench.send(US, PEER, 11, 20_000, 5)?;
    bench.expect(PEER, US, &ours, TRANSFER)?;
    let theirs = bench.send(PEER, US, 11, 20_000, 5)?;
    bench.expect(US, PEER, &theirs, TRANSFER)?;
    Ok(format!("{:.1} s", bench.world.now().since(start).as_secs_f64()))
}

/// A transfer, on a network that the kernel makes bad; our wire does nothing.
fn netem(stage: &Stage, what: &str, config: &SctpConfig) -> Outcome {
    let network = Netem::new(what)?;
    let setup = Setup { link: Link::default(), config: config.clone(), ..Setup::plain() };
    let took = transfer(&mut stage.bench(setup)?)?;
    Ok(format!("{:.1} s; {}", took.as_secs_f64(), network.passed()?))
}

/// Handshake, messages both ways, shutdown; how long the messages took.
fn transfer(bench: &mut Bench) -> Result<Duration, Failure> {
    bench.connect(PEER, US)?;
    let start = bench.world.now();
    let ours = bench.send(US, PEER, 11, 1000, 100)?;
    let theirs = bench.send(PEER, US, 11, 3000, 40)?;
    bench.expect(PEER, US, &ours, TRANSFER)?;
    bench.expect(US, PEER, &theirs, TRANSFER.saturating_sub(bench.world.now().since(start)))?;
    let took = bench.world.now().since(start);
    bench.order(US, PEER, &Order::Shutdown)?;
    let (why, _) = bench.expect_down(US, PEER, Duration::from_secs(60))?;
    ensure(why == Why::Closed, || format!("our association ended as {why:?}"))?;
    Ok(took)
}
