//! An association is closed and nothing that was on its way is lost.

use std::time::Duration;

use crate::transport::bench::{Outcome, SOON};
use crate::transport::end::{Order, PEER, US, Who, Why};
use crate::transport::row::{Row, STACKS, row};
use crate::transport::setup::Setup;
use crate::transport::stage::Stage;
use crate::transport::wire::Link;

pub(super) const ROWS: &[Row] = &[
    row("shutdown-ours", "we close with data on its way both ways: all of it arrives", STACKS, ours),
    row(
        "shutdown-theirs",
        "the peer closes with data on its way both ways: all of it arrives",
        STACKS,
        theirs,
    ),
    row("shutdown-both", "both close at the same moment", STACKS, both),
];

const ROUNDS: usize = 5;

fn ours(stage: &Stage) -> Outcome {
    by(stage, &[US])
}

fn theirs(stage: &Stage) -> Outcome {
    by(stage, &[PEER])
}

fn both(stage: &Stage) -> Outcome {
    by(stage, &[US, PEER])
}

/// Several associations, because what goes wrong here goes wrong now and then.
fn by(stage: &Stage, closers: &[Who]) -> Outcome {
    // With a delay, so that much is on its way when the end comes.
    let link = Link { delay: Duration::from_millis(25), ..Link::default() };
    let mut bench = stage.bench(Setup { link, ..Setup::patient() })?;
    let mut longest = Duration::ZERO;
    for _ in 0..ROUNDS {
        bench.connect(PEER, US)?;
        let ours = bench.send(US, PEER, 11, 1000, 100)?;
        let theirs = bench.send(PEER, US, 11, 1000, 100)?;
        // A peer in another process has taken its order when its first message is here.
        bench.wait("no message arrives", SOON, |bench| (bench.arrived(US, PEER) > 0).then_some(()))?;
        let start = bench.world.now();
        for closer in closers {
            bench.order(*closer, if *closer == US { PEER } else { US }, &Order::Shutdown)?;
        }
        bench.expect(PEER, US, &ours, SOON)?;
        bench.expect(US, PEER, &theirs, SOON)?;
        bench.expect_end(US, PEER, &Why::Closed)?;
        bench.expect_end(PEER, US, &Why::Closed)?;
        longest = longest.max(bench.world.now().since(start));
    }
    bench.expect_quiet()?;
    Ok(format!("{ROUNDS} times, the longest {} ms; {}", longest.as_millis(), bench.repetitions()))
}
