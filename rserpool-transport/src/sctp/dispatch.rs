//! Where an arriving packet belongs, and the passive half of the handshake (RFC 9260 sections
//! 5.1 and 5.2).
//!
//! A listening stack keeps nothing until a peer returns its cookie. Two sides that open an
//! association to each other at the same moment get one: each answers the other's INIT with
//! the tag of its own (section 5.2.1).

use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::ConnectId;
use rserpool_core::endpoint::{ConnectError, DownReason};

use super::association::End;
use super::attempt::{Handshake, Progress};
use super::chunk::{self, Init, REFLECTED, cause, kind};
use super::cookie::{Cookie, Spoilt};
use super::engine::Engine;
use super::packet::{self, Chunk, Chunks, Header, Path};
use super::stray;
use super::{Owner, Sctp};

/// A datagram has arrived.
pub(super) fn datagram<E: Engine>(stack: &mut Sctp<E>, source: SocketAddr, bytes: &Bytes) {
    let Some((header, chunks)) = packet::parse(bytes) else {
        stack.core.counters.sctp_malformed += 1;
        return;
    };
    // Only address and port make a path; flow labels do not.
    let remote = SocketAddr::new(source.ip(), source.port());
    let path = Path { remote, remote_port: header.source_port, local_port: header.destination_port };
    let mut rest = chunks.clone();
    let Some(first) = rest.next() else {
        stack.core.counters.sctp_malformed += 1;
        return;
    };
    match first.kind {
        // An INIT stands alone (section 3.3.2).
        kind::INIT if rest.next().is_none() => init(stack, &path, &header, &first),
        kind::INIT => stack.core.counters.sctp_malformed += 1,
        kind::COOKIE_ECHO => cookie_echo(stack, path, &header, &first.body, rest),
        _ => match owner(stack, &path, &header, &first) {
            Some((Owner::Association(id), index)) => stack.deliver(id, index, remote.port(), chunks),
            Some((Owner::Attempt(request), _)) => {
                let Some(attempt) = stack.attempts.get_mut(&request) else { return };
                match attempt.receive(&mut stack.core, &path, &header, &first) {
                    Progress::Stray => strayed(stack, &path, &header, &first),
                    step => progress(stack, request, step),
                }
            }
            // A packet of an earlier or later association on the same path (section 8.5).
            None if matches!(stack.paths.get(&path), Some(Owner::Association(_))) => {
                stack.core.counters.sctp_strays += 1;
            }
            None => strayed(stack, &path, &header, &first),
        },
    }
}

/// Whose a packet is; if an association's, from which address of its peer it comes. The tag finds it,
/// wherever the peer's packets come from; one that is reflected is not ours, so the path does.
fn owner<E: Engine>(stack: &Sctp<E>, path: &Path, header: &Header, first: &Chunk) -> Option<(Owner, usize)> {
    let reflectable = matches!(first.kind, kind::ABORT | kind::SHUTDOWN_COMPLETE);
    let reflected = reflectable && first.flags & REFLECTED != 0;
    let by_tag = stack.tags.get(&header.tag).filter(|_| !reflected);
    let owner = by_tag.or_else(|| stack.paths.get(path)).copied()?;
    match owner {
        Owner::Association(id) => {
            let association = stack.associations.get(&id)?;
            let index = association.source(path)?;
            association.accepts(header, reflected).then_some((owner, index))
        }
        Owner::Attempt(_) => Some((owner, 0)),
    }
}

/// Draws the consequences of what has become of an attempt.
pub(super) fn progress<E: Engine>(stack: &mut Sctp<E>, request: ConnectId, progress: Progress) {
    match progress {
        Progress::Pending | Progress::Stray => stack.rearm(request),
        Progress::Failed(reason) => stack.fail(request, reason),
        Progress::Done(handshake) => {
            let (path, tag) = (handshake.path, handshake.peer.tag);
            stack.forget(request, Some(path));
            if stack.establish(handshake, Some(request)).is_none() {
                stray::refuse(&mut stack.core, &path, tag, cause::INVALID_PARAMETER);
                stack.core.failed(request, ConnectError::Refused);
            }
        }
    }
}

fn strayed<E: Engine>(stack: &mut Sctp<E>, path: &Path, header: &Header, first: &Chunk) {
    stack.core.counters.sctp_strays += 1;
    stray::answer(&mut stack.core, path, header, first);
}

/// A peer wants to open an association.
fn init<E: Engine>(stack: &mut Sctp<E>, path: &Path, header: &Header, chunk: &Chunk) {
    let Some((peer, parameters)) = Init::parse(chunk) else { return };
    if header.tag != 0 || peer.tag == 0 {
        return;
    }
    if !peer.is_valid() {
        return stray::refuse(&mut stack.core, path, peer.tag, cause::INVALID_PARAMETER);
    }
    if let Some(host_name) = &parameters.host_name {
        let abort = chunk::with_cause(kind::ABORT, cause::UNRESOLVABLE_ADDRESS, host_name);
        return stray::tell(&mut stack.core, path, peer.tag, abort);
    }
    if !stack.core.init_acks.take(stack.core.now, path.remote) {
        stack.core.counters.sctp_inits_ignored += 1;
        return;
    }
    let (local, tie) = match stack.paths.get(path) {
        Some(Owner::Attempt(request)) => {
            match stack.attempts.get(request).and_then(|attempt| attempt.offer(path)) {
                // Our own INIT has come back to us: both ends are this socket and this port.
                Some(local) if local.tag == peer.tag => {
                    return stray::refuse(&mut stack.core, path, peer.tag, cause::USER_ABORT);
                }
                Some(local) => (local, 0),
                None => (stack.core.offer(), 0),
            }
        }
        owner if stack.listening.contains(&path.local_port) => {
            let tie = match owner {
                Some(Owner::Association(id)) => stack.associations.get(id).map_or(0, |a| a.local_tag),
                _ => 0,
            };
            if tie == 0 && !stack.has_place(path.remote.ip()) {
                stack.core.counters.sctp_refused += 1;
                return stray::refuse(&mut stack.core, path, peer.tag, cause::OUT_OF_RESOURCE);
            }
            (stack.core.offer(), tie)
        }
        _ => return stray::refuse(&mut stack.core, path, peer.tag, cause::USER_ABORT),
    };
    let addresses = parameters.addresses.into_iter().filter(|a| stack.is_candidate(path, *a)).collect();
    let cookie = stack.bakery.bake(stack.core.now, path, &Cookie { local, peer, tie, addresses });
    let own = stack.core.config.told();
    let answer = local.offer(kind::INIT_ACK, own, &parameters.unknown, &cookie);
    stack.core.emit(path.remote, packet::single(path.header(peer.tag), &[answer]));
}

/// A peer returns our cookie; more chunks may follow it.
fn cookie_echo<E: Engine>(stack: &mut Sctp<E>, path: Path, header: &Header, cookie: &Bytes, rest: Chunks) {
    let (local, peer, tie, addresses) = match stack.bakery.open(stack.core.now, &path, cookie) {
        Ok(Cookie { local, peer, tie, addresses }) if local.tag == header.tag => {
            (local, peer, tie, addresses)
        }
        // Section 5.2.6.
        Err(Spoilt::Stale(by, tag)) => {
            stack.core.counters.sctp_strays += 1;
            return stray::tell(&mut stack.core, &path, tag, chunk::stale_cookie(by));
        }
        Ok(_) | Err(Spoilt::Forged) => {
            stack.core.counters.sctp_strays += 1;
            return;
        }
    };
    let others = addresses.into_iter().map(|address| SocketAddr::new(address, path.remote.port())).collect();
    let handshake = Handshake { path, local, peer, others };
    // The table of section 5.2.4, by what exists on the path.
    let owner = stack.paths.get(&path).copied();
    let id = match owner {
        Some(Owner::Association(id)) => {
            let Some(association) = stack.associations.get(&id) else { return };
            if association.local_tag == local.tag && association.peer_tag == peer.tag {
                // Action D: a copy; our COOKIE ACK was lost.
                Some(id)
            } else if tie == association.local_tag && !stack.spent.contains(local.tag) {
                // Action A: the peer has started anew.
                stack.end(id, End { reason: DownReason::Restarted, parting: None });
                stack.establish(handshake, None)
            } else {
                None
            }
        }
        Some(Owner::Attempt(request)) => {
            let offer = stack.attempts.get(&request).and_then(|attempt| attempt.offer(&path));
            if offer.is_some_and(|offer| offer.tag == local.tag) {
                // Action B: both sides have opened at the same moment.
                progress(stack, request, Progress::Done(handshake));
                match stack.paths.get(&path) {
                    Some(Owner::Association(id)) => Some(*id),
                    _ => None,
                }
            } else {
                // Action C: a cookie from before our own INIT. The peer will answer that one.
                None
            }
        }
        None if stack.spent.contains(local.tag) => None,
        None if !stack.make_place(path.remote.ip()) => {
            stack.core.counters.sctp_refused += 1;
            return stray::refuse(&mut stack.core, &path, peer.tag, cause::OUT_OF_RESOURCE);
        }
        None => stack.establish(handshake, None),
    };
    let Some(id) = id else {
        stack.core.counters.sctp_strays += 1;
        return;
    };
    if let Some(index) = stack.associations.get(&id).and_then(|association| association.source(&path)) {
        stack.with(id, |association, core, _| {
            association.acknowledge_cookie(core, index);
            Ok(())
        });
        stack.deliver(id, index, path.remote.port(), rest);
    }
}
