//! Answers to packets that belong to no association (RFC 9260 section 8.4). They tell a peer at
//! once that this process has restarted, instead of leaving it to wait.

use bytes::Bytes;
use rserpool_core::base::is_usable_address;

use super::chunk::{self, REFLECTED, cause, kind};
use super::packet::{self, Chunk, Header, Path};
use super::shared::Core;

/// Answers a packet that belongs to no association.
pub(super) fn answer(core: &mut Core, path: &Path, header: &Header, first: &Chunk) {
    let reply = match first.kind {
        kind::ABORT | kind::SHUTDOWN_COMPLETE | kind::COOKIE_ACK | kind::COOKIE_ECHO | kind::INIT => return,
        kind::ERROR if chunk::is_stale_cookie(first) => return,
        kind::SHUTDOWN_ACK => Chunk::new(kind::SHUTDOWN_COMPLETE, Bytes::new()),
        _ => chunk::abort(cause::USER_ABORT, "unknown association"),
    };
    tell(core, path, header.tag, Chunk { flags: REFLECTED, ..reply });
}

/// Refuses an INIT or a cookie; `tag` is the peer's.
pub(super) fn refuse(core: &mut Core, path: &Path, tag: u32, cause: u16) {
    tell(core, path, tag, chunk::abort(cause, "refused"));
}

/// Sends a chunk to a host with which there is no association.
pub(super) fn tell(core: &mut Core, path: &Path, tag: u32, chunk: Chunk) {
    let ip = path.remote.ip();
    // A packet with such a source is forged (rule 1), and port 0 cannot be reached.
    if !is_usable_address(&ip) || path.remote.port() == 0 {
        return;
    }
    if core.strays.take(core.now, path.remote) {
        core.emit(path.remote, packet::single(path.header(tag), &[chunk]));
    } else {
        core.counters.sctp_strays_ignored += 1;
    }
}
