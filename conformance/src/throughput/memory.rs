//! Two ends in one thread, and a function call between them.

use std::net::SocketAddr;
use std::time::Instant as Clock;

use rserpool_core::base::{Instant, SctpAddress, SctpPort, UdpPort};

use super::player::{Role, Side};
use super::{Figures, PORT, Subject};

/// Both measurements of a subject.
pub(super) fn measure(subject: Subject) -> Figures {
    let [_, sink] = play(subject, Role::Source, Role::sink());
    let [mut ping, _] = play(subject, Role::ping(), Role::Echo);
    Figures { rate: sink.rate(), round_trip: ping.round_trip() }
}

fn play(subject: Subject, caller: Role, listener: Role) -> [Side; 2] {
    let addresses = [SocketAddr::from(([10, 0, 0, 1], 9899)), SocketAddr::from(([10, 0, 0, 2], 9899))];
    let start = Clock::now();
    let now = || Instant::ORIGIN + start.elapsed();
    let side = |index: usize, role| Side::new(subject.stack(addresses[index]), role);
    let mut sides = [side(0, caller), side(1, listener)];
    sides[1].stack.listen(SctpPort(PORT));
    sides[0].connect(
        now(),
        SctpAddress::new(addresses[1].ip(), SctpPort(PORT), UdpPort(addresses[1].port())).into(),
    );
    while !sides.iter().any(Side::is_done) {
        for from in [0, 1] {
            let to = 1 - from;
            let now = now();
            if sides[from].stack.poll_timeout().is_some_and(|at| at <= now) {
                sides[from].stack.handle_timeout(now);
            }
            sides[from].play(now);
            while let Some(datagram) = sides[from].stack.poll_datagram() {
                sides[to].stack.handle_datagram(now, addresses[from], datagram.bytes);
                sides[to].play(now);
            }
        }
    }
    sides
}
