//! Many associations on one socket.

use std::time::Duration;

use rserpool_transport::sctp::SctpConfig;

use crate::transport::bench::{Bench, Outcome, ensure};
use crate::transport::emulated::Emulated;
use crate::transport::end::{Order, PEER, US};
use crate::transport::measure::{cpu_time, resident};
use crate::transport::row::{OWN, Row};
use crate::transport::setup::Setup;
use crate::transport::stage::Stage;

pub(super) const ROWS: &[Row] = &[Row {
    name: "scale",
    question: "5,000 associations on one socket: set-up, memory (goal 8 KiB each), idle processor",
    peers: OWN,
    alone: true,
    run: many,
}];

const ASSOCIATIONS: usize = 5000;
/// The goal for one end of one association after a message each way.
const GOAL: usize = 8 << 10;
/// How long the idle time is, and what one end may take of one core then.
const IDLE: Duration = Duration::from_secs(60);
const IDLE_SHARE: f64 = 0.05;

fn many(stage: &Stage) -> Outcome {
    let config = SctpConfig::rfc(1);
    let mut bench = Bench::new(Box::new(Emulated::new(stage.backend, Setup { config, ..Setup::plain() })));
    // The first association brings what all of them share.
    bench.connect(US, PEER)?;
    bench.exchange()?;
    let (memory, start) = (resident()?, cpu_time()?);
    for _ in 1..ASSOCIATIONS {
        let connect = Order::Connect { to: bench.world.route(US, PEER), from_port: 0 };
        bench.order(US, PEER, &connect)?;
        bench.expect_up(US, PEER, "no association")?;
        bench.expect_up(PEER, US, "no association at the peer")?;
        // Both ends name the newest association.
        bench.exchange()?;
        bench.world.packets();
    }
    let took = cpu_time()?.saturating_sub(start);
    // Acknowledgements that wait for company.
    bench.pass(Duration::from_secs(1))?;
    bench.world.packets();
    let each = resident()?.saturating_sub(memory) / (2 * ASSOCIATIONS);
    let start = cpu_time()?;
    bench.pass(IDLE)?;
    let share = cpu_time()?.saturating_sub(start).as_secs_f64() / 2.0 / IDLE.as_secs_f64();
    bench.expect_quiet()?;
    ensure(each <= GOAL, || format!("{each} octets for each end of each association, goal {GOAL}"))?;
    ensure(share <= IDLE_SHARE, || format!("{:.1} % of a core when idle", share * 100.0))?;
    Ok(format!(
        "{:.2} s for both ends of all, a message each way included; {each} octets for each end; idle {:.2} % of a core",
        took.as_secs_f64(),
        share * 100.0
    ))
}
