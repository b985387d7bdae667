//! What the network says of packets that it could not deliver (RFC 9260 section 10, RFC 6951 section 5.5).
//!
//! Anybody can send an ICMP error. One is believed only if it quotes a packet that we may have sent: to an address of
//! an association or attempt, with its ports and with its tag, which only the two ends and those between them know.
//! What is not believed, or is too short to judge, is counted and has no effect.

use std::net::SocketAddr;

use super::chunk::{self, kind};
use super::dispatch;
use super::engine::Engine;
use super::packet::{self, Path};
use super::{Owner, Sctp};
use crate::Undelivered;

/// The network has returned a packet.
pub(super) fn handle<E: Engine>(stack: &mut Sctp<E>, undelivered: &Undelivered) {
    match believe(stack, undelivered) {
        Some(()) => stack.core.counters.sctp_reports_believed += 1,
        None => stack.core.counters.sctp_reports_ignored += 1,
    }
}

/// Draws the consequences of a report, if it is about one of our packets.
fn believe<E: Engine>(stack: &mut Sctp<E>, undelivered: &Undelivered) -> Option<()> {
    let Undelivered { destination, obstacle, quote } = undelivered;
    let (header, first) = packet::parse_quote(quote)?;
    // Only address and port make a path; flow labels do not.
    let remote = SocketAddr::new(destination.ip(), destination.port());
    let path = Path { remote, remote_port: header.destination_port, local_port: header.source_port };
    match *stack.paths.get(&path)? {
        Owner::Association(id) => {
            let association = stack.associations.get(&id)?;
            let index = association.source(&path).filter(|_| association.peer_tag == header.tag)?;
            let heartbeat = first.filter(|chunk| chunk.kind == kind::HEARTBEAT);
            let secret = heartbeat.and_then(|chunk| chunk::parse_heartbeat(&chunk));
            stack.with(id, |association, core, _| association.undelivered(core, index, *obstacle, secret));
        }
        Owner::Attempt(request) => {
            let attempt = stack.attempts.get_mut(&request)?;
            let progress = attempt.undelivered(&mut stack.core, &path, &header, first.as_ref(), *obstacle)?;
            dispatch::progress(stack, request, progress);
        }
    }
    Some(())
}
