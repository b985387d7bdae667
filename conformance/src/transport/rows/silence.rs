//! A peer behind a network that is cut is noticed in the configured time.

use std::time::Duration;

use crate::transport::bench::{Bench, Outcome, ensure};
use crate::transport::end::{PEER, US, Why};
use crate::transport::row::{Row, STACKS, row};
use crate::transport::setup::{Peer, Setup};
use crate::transport::stage::Stage;

pub(super) const ROWS: &[Row] = &[
    row("silence-idle", "silence is noticed with nothing to send: HEARTBEATs", STACKS, idle),
    row("silence-pending", "silence is noticed with data that nobody acknowledges", STACKS, pending),
    row("silence-short", "a shorter interruption loses nothing", STACKS, short),
];

/// What a machine that is busy may add.
fn leeway(stage: &Stage) -> Duration {
    Duration::from_millis(if stage.peer == Peer::Own { 10 } else { 300 })
}

fn idle(stage: &Stage) -> Outcome {
    let setup = Setup::plain();
    let limit = setup.config.heartbeat + setup.config.max_silence;
    let mut bench = stage.bench(setup)?;
    bench.connect(US, PEER)?;
    // The peer has to answer our HEARTBEATs for this long.
    bench.pass(Duration::from_secs(2))?;
    bench.expect_quiet()?;
    bench.world.cuts().peers.insert(PEER);
    noticed(&mut bench, limit, leeway(stage))
}

fn pending(stage: &Stage) -> Outcome {
    let setup = Setup::plain();
    let limit = setup.config.max_silence;
    let mut bench = stage.bench(setup)?;
    bench.connect(PEER, US)?;
    bench.exchange()?;
    bench.world.cuts().peers.insert(PEER);
    bench.send(US, PEER, 11, 500, 10)?;
    noticed(&mut bench, limit, leeway(stage))
}

fn noticed(bench: &mut Bench, limit: Duration, leeway: Duration) -> Outcome {
    let after = bench.expect_end(US, PEER, &Why::Silent)?;
    ensure(after <= limit + leeway, || format!("noticed after {after:?}, to be noticed after {limit:?}"))?;
    ensure(after >= limit / 3, || format!("noticed after {after:?} already, limit {limit:?}"))?;
    Ok(format!("noticed after {} ms, configured {} ms", after.as_millis(), limit.as_millis()))
}

fn short(stage: &Stage) -> Outcome {
    let mut bench = stage.bench(Setup::patient())?;
    bench.connect(US, PEER)?;
    bench.world.cuts().peers.insert(PEER);
    let ours = bench.send(US, PEER, 11, 500, 50)?;
    let theirs = bench.send(PEER, US, 11, 500, 50)?;
    bench.pass(Duration::from_secs(2))?;
    bench.world.cuts().peers.remove(&PEER);
    bench.expect(PEER, US, &ours, Duration::from_secs(10))?;
    bench.expect(US, PEER, &theirs, Duration::from_secs(10))?;
    bench.expect_quiet()?;
    Ok("2 s".into())
}
