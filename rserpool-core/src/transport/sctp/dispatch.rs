//! Where an arriving packet belongs, and the passive half of the handshake (RFC 9260 sections
//! 5.1 and 5.2).
//!
//! A listening stack keeps nothing until a peer returns its cookie. Two sides that open an
//! association to each other at the same moment get one: each answers the other's INIT with
//! the tag of its own (section 5.2.1).

use std::net::SocketAddr;

use bytes::Bytes;

use super::association::End;
use super::attempt::Progress;
use super::chunk::{Init, cause, kind};
use super::cookie::Cookie;
use super::engine::Engine;
use super::packet::{self, Chunk, Chunks, Header, Path};
use super::stray;
use super::{Owner, Sctp};
use crate::base::ConnectId;
use crate::endpoint::{ConnectError, DownReason};

/// A datagram has arrived.
pub(super) fn datagram<E: Engine>(stack: &mut Sctp<E>, source: SocketAddr, bytes: &Bytes) {
    let Some((header, chunks)) = packet::parse(bytes) else {
        stack.core.counters.malformed += 1;
        return;
    };
    // Only address and port make a path; flow labels do not.
    let remote = SocketAddr::new(source.ip(), source.port());
    let path = Path { remote, remote_port: header.source_port, local_port: header.destination_port };
    let mut rest = chunks.clone();
    let Some(first) = rest.next() else {
        stack.core.counters.malformed += 1;
        return;
    };
    match first.kind {
        kind::INIT => init(stack, &path, &header, &first),
        kind::COOKIE_ECHO => cookie_echo(stack, path, &header, &first.body, rest),
        _ => match stack.paths.get(&path).copied() {
            Some(Owner::Association(id))
                if stack.associations.get(&id).is_some_and(|a| a.accepts(&header, &first)) =>
            {
                stack.with(id, |association, core, engine| association.receive(core, engine, chunks));
            }
            // A packet of an earlier or later association on the same path (section 8.5).
            Some(Owner::Association(_)) => stack.core.counters.strays += 1,
            Some(Owner::Attempt(request)) => {
                let Some(attempt) = stack.attempts.get_mut(&request) else { return };
                match attempt.receive(&mut stack.core, &path, &header, &first) {
                    Progress::Stray => strayed(stack, &path, &header, &first),
                    step => progress(stack, request, step),
                }
            }
            None => strayed(stack, &path, &header, &first),
        },
    }
}

/// Draws the consequences of what has become of an attempt.
pub(super) fn progress<E: Engine>(stack: &mut Sctp<E>, request: ConnectId, progress: Progress) {
    match progress {
        Progress::Pending | Progress::Stray => stack.rearm(request),
        Progress::Failed(reason) => stack.fail(request, reason),
        Progress::Done(path, local, peer) => {
            stack.forget(request, Some(path));
            if stack.establish(path, (&local, &peer), Some(request)).is_none() {
                stray::refuse(&mut stack.core, &path, peer.tag, cause::INVALID_PARAMETER);
                stack.core.failed(request, ConnectError::Refused);
            }
        }
    }
}

fn strayed<E: Engine>(stack: &mut Sctp<E>, path: &Path, header: &Header, first: &Chunk) {
    stack.core.counters.strays += 1;
    stray::answer(&mut stack.core, path, header, first);
}

/// A peer wants to open an association.
fn init<E: Engine>(stack: &mut Sctp<E>, path: &Path, header: &Header, chunk: &Chunk) {
    let Some((peer, _)) = Init::parse(chunk) else { return };
    if header.tag != 0 || peer.tag == 0 {
        return;
    }
    if !peer.is_valid() {
        return stray::refuse(&mut stack.core, path, peer.tag, cause::INVALID_PARAMETER);
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
            if tie == 0 && stack.is_full() {
                return stray::refuse(&mut stack.core, path, peer.tag, cause::OUT_OF_RESOURCE);
            }
            (stack.core.offer(), tie)
        }
        _ => return stray::refuse(&mut stack.core, path, peer.tag, cause::USER_ABORT),
    };
    let cookie = stack.bakery.bake(stack.core.now, path, &Cookie { local, peer, tie });
    let answer = local.chunk(kind::INIT_ACK, &cookie);
    stack.core.emit(path.remote, packet::single(path.header(peer.tag), &[answer]));
}

/// A peer returns our cookie; more chunks may follow it.
fn cookie_echo<E: Engine>(stack: &mut Sctp<E>, path: Path, header: &Header, cookie: &Bytes, rest: Chunks) {
    let cookie = stack.bakery.open(stack.core.now, &path, cookie);
    let Some(Cookie { local, peer, tie }) = cookie.filter(|cookie| cookie.local.tag == header.tag) else {
        stack.core.counters.strays += 1;
        return;
    };
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
                stack.establish(path, (&local, &peer), None)
            } else {
                None
            }
        }
        Some(Owner::Attempt(request)) => {
            let offer = stack.attempts.get(&request).and_then(|attempt| attempt.offer(&path));
            if offer.is_some_and(|offer| offer.tag == local.tag) {
                // Action B: both sides have opened at the same moment.
                progress(stack, request, Progress::Done(path, local, peer));
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
        None if stack.is_full() => {
            return stray::refuse(&mut stack.core, &path, peer.tag, cause::OUT_OF_RESOURCE);
        }
        None => stack.establish(path, (&local, &peer), None),
    };
    let Some(id) = id else {
        stack.core.counters.strays += 1;
        return;
    };
    stack.with(id, |association, core, engine| {
        association.answer(Chunk::new(kind::COOKIE_ACK, Bytes::new()));
        association.receive(core, engine, rest)
    });
}
