//! Associations come up, whoever asks.

use crate::transport::bench::{Bench, Failure, Outcome};
use crate::transport::end::{PEER, US, Who};
use crate::transport::packet::{Packet, kind, parameter};
use crate::transport::row::{Row, STACKS, row};
use crate::transport::setup::{Family, Setup};
use crate::transport::stage::Stage;

pub(super) const ROWS: &[Row] = &[
    row("handshake-out", "we connect to a peer on one address, IPv4 and IPv6", STACKS, outbound),
    row("handshake-in", "a peer on one address connects to us, IPv4 and IPv6", STACKS, inbound),
    row(
        "handshake-wild-out",
        "we connect to a peer on all its addresses of both families",
        STACKS,
        wild_outbound,
    ),
    row(
        "handshake-wild-in",
        "a peer on all its addresses of both families connects to us",
        STACKS,
        wild_inbound,
    ),
];

fn outbound(stage: &Stage) -> Outcome {
    both_families(stage, false, (US, PEER))
}

fn inbound(stage: &Stage) -> Outcome {
    both_families(stage, false, (PEER, US))
}

fn wild_outbound(stage: &Stage) -> Outcome {
    both_families(stage, true, (US, PEER))
}

fn wild_inbound(stage: &Stage) -> Outcome {
    both_families(stage, true, (PEER, US))
}

fn both_families(stage: &Stage, wild: bool, (from, to): (Who, Who)) -> Outcome {
    let mut results = Vec::new();
    for family in [Family::V4, Family::V6] {
        let mut bench = stage.bench(Setup { family, wild, ..Setup::patient() })?;
        let took = bench.connect(from, to)?;
        bench.exchange()?;
        bench.expect_quiet()?;
        let listed = listed_addresses(&mut bench);
        if wild {
            enough(listed)?;
        }
        let listed = if wild { format!(", {listed} addresses listed") } else { String::new() };
        results.push(format!("{family:?} {} ms{listed}", took.as_millis()));
    }
    Ok(results.join("; "))
}

fn enough(listed: usize) -> Result<(), Failure> {
    if listed >= 2 {
        return Ok(());
    }
    Err(Failure::Skipped(format!("this machine has too few addresses: the peer lists {listed}")))
}

/// How many addresses the peer has listed in its INIT or INIT ACK.
fn listed_addresses(bench: &mut Bench) -> usize {
    let packets = bench.world.packets();
    let theirs = packets.iter().filter(|(ours, _)| !ours).filter_map(|(_, octets)| Packet::decode(octets));
    theirs
        .flat_map(|packet| packet.chunks)
        .filter(|chunk| matches!(chunk.kind, kind::INIT | kind::INIT_ACK))
        .map(|chunk| {
            let parameters = chunk.parameters(16);
            parameters.iter().filter(|(kind, _)| matches!(*kind, parameter::IPV4 | parameter::IPV6)).count()
        })
        .max()
        .unwrap_or(0)
}
