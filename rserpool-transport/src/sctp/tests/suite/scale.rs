//! Many associations on one socket.

use rserpool_core::base::SctpPort;
use rserpool_core::endpoint::Connected;

use super::*;
use crate::sctp::stack::MAX_DUE;

#[test]
fn a_thousand_associations_share_a_socket() {
    let mut net = Net::fast();
    for n in 0..1000 {
        let (request, peer, deadline) = (ConnectId(n), peer(1), net.now + millis(5000));
        net.act(0, Action::Connect { request, local_port: SctpPort(0), peer: peer.into(), deadline });
    }
    net.run_until(|net| net.events[1].len() == 1000 && net.events[0].len() == 1000);
    assert_eq!((net.stacks[0].associations(), net.stacks[1].associations()), (1000, 1000));
    net.take(1);
    let names: Vec<_> = net
        .take(0)
        .iter()
        .map(|event| match event {
            Event::Connected(Connected { association, .. }) => *association,
            other => panic!("{other:?}"),
        })
        .collect();
    net.run_for(millis(1000));
    assert_eq!((net.take(0), net.take(1)), (vec![], vec![]));
    for name in &names {
        net.send(0, *name, 11, name.number().to_be_bytes().to_vec());
    }
    net.run_for(millis(50));
    let received: BTreeSet<_> = net.messages(1).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(received.len(), 1000);
    for association in names {
        let deadline = net.now + millis(500);
        net.act(0, Action::Shutdown { association, deadline });
    }
    net.run_for(millis(1000));
    let ended = |events: Vec<Event>, reason| {
        assert!(events.len() == 1000);
        assert!(events.iter().all(|e| matches!(e, Event::Disconnected { reason: r, .. } if *r == reason)));
    };
    ended(net.take(0), DownReason::Local);
    ended(net.take(1), DownReason::PeerShutdown);
    assert_eq!((net.stacks[0].paths.len(), net.stacks[1].paths.len()), (0, 0));
    assert_eq!((net.stacks[0].poll_timeout(), net.stacks[1].poll_timeout()), (None, None));
}

/// Very many deadlines at one moment are served in parts, so that what arrives meanwhile need not wait for all.
#[test]
fn deadlines_of_one_moment_are_served_in_parts() {
    const MANY: u64 = MAX_DUE as u64 + 44;
    let mut net = Net::fast();
    for n in 0..MANY {
        let (request, peer, deadline) = (ConnectId(n), peer(9), net.now + millis(50));
        net.act(0, Action::Connect { request, local_port: SctpPort(0), peer: peer.into(), deadline });
    }
    let due = net.now + millis(50);
    net.now = due;
    net.stacks[0].handle_timeout(due);
    net.drain(0);
    assert_eq!((net.take(0).len(), net.stacks[0].poll_timeout()), (MAX_DUE, Some(due)));
    net.stacks[0].handle_timeout(due);
    net.drain(0);
    assert_eq!((net.take(0).len(), net.stacks[0].poll_timeout()), (44, None));
}

/// The same seeds give the same packets, octet for octet.
#[test]
fn a_run_can_be_repeated() {
    let run = || {
        let mut net = Net::fast();
        let (a, b) = net.pair();
        net = net.bad(3);
        for n in 0..50u8 {
            net.send(0, a, 11, vec![n; 500]);
            net.send(1, b, 12, vec![n; 700]);
        }
        net.act(0, Action::Shutdown { association: a, deadline: net.now + millis(60_000) });
        net.run_for(millis(10_000));
        net.tap
    };
    assert_eq!(run(), run());
}
