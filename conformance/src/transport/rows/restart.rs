//! Peers that start anew, and peers that connect to each other at the same moment.

use std::time::Duration;

use crate::transport::bench::{Bench, Failure, Outcome, ensure};
use crate::transport::end::{Order, PEER, US, Why};
use crate::transport::row::{Row, STACKS, row};
use crate::transport::setup::Setup;
use crate::transport::stage::Stage;
use crate::transport::wire::Link;

pub(super) const ROWS: &[Row] = &[
    row("restart-same-port", "a peer that was killed connects anew from its port", STACKS, same_port),
    row("restart-other-port", "a peer that was killed connects anew from another port", STACKS, other_port),
    row("restart-quiet", "a peer that was killed and is back says so when it is asked", STACKS, quiet),
    row("collision", "both connect at the same moment, 9901 to 9901: one association", STACKS, collision),
];

/// A HEARTBEAT interval after which the peer is asked at once.
const SOON_ASKED: Duration = Duration::from_millis(500);

/// A peer with an association, killed without a word, and back at this port.
fn restarted(stage: &Stage, port: u16, heartbeat: Duration) -> Result<Bench, Failure> {
    let mut setup = Setup::patient();
    setup.config.heartbeat = heartbeat;
    let order = |bench: &Bench, from_port| Order::Connect { to: bench.world.route(PEER, US), from_port };
    let mut bench = stage.bench(setup.clone())?;
    let connect = order(&bench, setup.peer_port);
    bench.order(PEER, US, &connect)?;
    bench.expect_up(US, PEER, "we have no association")?;
    bench.expect_up(PEER, US, "the peer has no association")?;
    bench.exchange()?;
    bench.world.cuts().peers.insert(PEER);
    // What is on its way to the old one must not meet the new one.
    bench.pass(Duration::from_millis(50))?;
    bench.world.restart(PEER, port)?;
    bench.world.cuts().peers.remove(&PEER);
    Ok(bench)
}

fn same_port(stage: &Stage) -> Outcome {
    let port = Setup::patient().peer_port;
    // Without a HEARTBEAT of ours that would tell us before the peer connects.
    let mut bench = restarted(stage, port, Duration::from_secs(60))?;
    let connect = Order::Connect { to: bench.world.route(PEER, US), from_port: port };
    bench.order(PEER, US, &connect)?;
    let after = bench.expect_end(US, PEER, &Why::Restarted)?;
    bench.expect_up(US, PEER, "we have no new association")?;
    bench.expect_up(PEER, US, "the peer has no new association")?;
    bench.exchange()?;
    bench.expect_quiet()?;
    Ok(format!("noticed after {} ms", after.as_millis()))
}

fn other_port(stage: &Stage) -> Outcome {
    let port = Setup::patient().peer_port + 7;
    let mut bench = restarted(stage, port, SOON_ASKED)?;
    let connect = Order::Connect { to: bench.world.route(PEER, US), from_port: port };
    bench.order(PEER, US, &connect)?;
    bench.expect_up(US, PEER, "we have no new association")?;
    bench.expect_up(PEER, US, "the peer has no new association")?;
    // The old one ends beside it: nobody knows it any more where its HEARTBEAT arrives.
    let (why, after) = bench.expect_down(US, PEER, Duration::from_secs(15))?;
    ensure(matches!(why, Why::Aborted(_) | Why::Silent), || format!("the old association ended as {why:?}"))?;
    bench.exchange()?;
    bench.expect_quiet()?;
    Ok(format!("the old one {why:?} after {} ms", after.as_millis()))
}

fn quiet(stage: &Stage) -> Outcome {
    let mut bench = restarted(stage, Setup::patient().peer_port, SOON_ASKED)?;
    let (why, after) = bench.expect_down(US, PEER, Duration::from_secs(5))?;
    ensure(matches!(why, Why::Aborted(_)), || format!("our association ended as {why:?}"))?;
    bench.connect(US, PEER)?;
    bench.exchange()?;
    Ok(format!("noticed after {} ms", after.as_millis()))
}

fn collision(stage: &Stage) -> Outcome {
    // A delay holds both INITs back until both are out.
    let link = Link { delay: Duration::from_millis(50), ..Link::default() };
    let setup = Setup { our_port: 9901, peer_port: 9901, link, ..Setup::patient() };
    let mut bench = stage.bench(setup)?;
    for (from, to) in [(PEER, US), (US, PEER)] {
        let connect = Order::Connect { to: bench.world.route(from, to), from_port: 9901 };
        bench.order(from, to, &connect)?;
    }
    bench.pass(Duration::from_secs(1))?;
    let (ours, theirs) = (bench.ups(US, PEER), bench.ups(PEER, US));
    ensure((ours, theirs) == (1, 1), || format!("{ours} associations here, {theirs} at the peer"))?;
    bench.exchange()?;
    bench.expect_quiet()?;
    Ok(String::new())
}
