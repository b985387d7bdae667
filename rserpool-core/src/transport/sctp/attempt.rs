//! Attempts to connect: the active half of the handshake (RFC 9260 section 5.1), raced over up
//! to three addresses of the peer.

use std::collections::VecDeque;

use bytes::Bytes;

use super::association::Retry;
use super::chunk::{self, Init, REFLECTED, cause, kind};
use super::packet::{self, Chunk, Header, Path};
use super::shared::Core;
use crate::base::Instant;
use crate::endpoint::ConnectError;

/// The most addresses of one peer that are tried.
pub(super) const MAX_ADDRESSES: usize = 3;

#[derive(Debug)]
pub(super) struct Attempt {
    deadline: Instant,
    /// Paths that were not tried yet.
    waiting: VecDeque<Path>,
    /// When the next of them gets its turn.
    next_start: Instant,
    candidates: Vec<Candidate>,
}

/// One path on which the peer was asked.
#[derive(Debug)]
struct Candidate {
    path: Path,
    local: Init,
    stage: Stage,
    retry: Retry,
    /// How often the chunk of this stage was sent.
    sent: u32,
}

#[derive(Debug)]
enum Stage {
    /// COOKIE-WAIT: an INIT is out.
    Asking,
    /// COOKIE-ECHOED: the peer has answered with this, and its cookie is on the way back.
    Echoing(Init, Bytes),
    /// The peer has sent an ABORT.
    Refused,
}

/// What has become of an attempt.
#[derive(Debug)]
pub(super) enum Progress {
    Pending,
    /// The handshake is complete on this path, with what both sides have said.
    Done(Path, Init, Init),
    Failed(ConnectError),
    /// The packet belongs to no candidate: it is a stray.
    Stray,
}

impl Attempt {
    /// Starts with the first path.
    pub(super) fn new(core: &mut Core, paths: Vec<Path>, deadline: Instant) -> Self {
        let mut attempt =
            Self { deadline, waiting: paths.into(), next_start: core.now, candidates: Vec::new() };
        attempt.start_next(core);
        attempt
    }

    /// All its paths, tried or not.
    pub(super) fn paths(&self) -> impl Iterator<Item = Path> {
        self.candidates.iter().map(|c| c.path).chain(self.waiting.iter().copied())
    }

    /// What we have offered on a path, if it was tried. Needed when the peer opens an
    /// association to us at the same moment.
    pub(super) fn offer(&self, path: &Path) -> Option<Init> {
        self.candidates.iter().find(|c| c.path == *path).map(|c| c.local)
    }

    /// A packet has arrived on one of the paths.
    pub(super) fn receive(
        &mut self,
        core: &mut Core,
        path: &Path,
        header: &Header,
        chunk: &Chunk,
    ) -> Progress {
        let racing = self.candidates.iter().any(|c| matches!(c.stage, Stage::Echoing(..)) && c.sent < 2);
        let Some(candidate) = self.candidates.iter_mut().find(|c| c.path == *path) else {
            return Progress::Stray;
        };
        if !candidate.accepts(header, chunk) {
            return Progress::Stray;
        }
        match (chunk.kind, &candidate.stage) {
            // The first answer wins; another path gets its chance if that one then stalls.
            (kind::INIT_ACK, Stage::Asking) if !racing => candidate.init_ack(core, chunk),
            (kind::COOKIE_ACK, Stage::Echoing(peer, _)) => {
                return Progress::Done(*path, candidate.local, *peer);
            }
            (kind::ABORT, _) => candidate.stage = Stage::Refused,
            (kind::ERROR, Stage::Echoing(..)) if chunk::is_stale_cookie(chunk) => candidate.ask(core),
            _ => {}
        }
        self.settle(core)
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, core: &mut Core) -> Progress {
        if self.deadline <= core.now {
            return Progress::Failed(ConnectError::TimedOut);
        }
        for candidate in &mut self.candidates {
            if !matches!(candidate.stage, Stage::Refused) && candidate.retry.is_due(core.now) {
                candidate.retry.back_off(core.now, &core.config);
                candidate.send(core);
            }
        }
        if self.next_start <= core.now {
            self.start_next(core);
        }
        self.settle(core)
    }

    /// When [`Attempt::handle_timeout`] wants to be called.
    pub(super) fn deadline(&self) -> Instant {
        let retries =
            self.candidates.iter().filter(|c| !matches!(c.stage, Stage::Refused)).map(|c| c.retry.at);
        let start = self.waiting.front().map(|_| self.next_start);
        retries.chain(start).fold(self.deadline, Instant::min)
    }

    /// Takes back what the other paths may have built up at the peer.
    pub(super) fn abandon(&self, core: &mut Core, winner: Option<Path>) {
        for candidate in self.candidates.iter().filter(|c| Some(c.path) != winner) {
            if let Stage::Echoing(peer, _) = &candidate.stage {
                let abort = chunk::abort(cause::USER_ABORT);
                core.emit(candidate.path.remote, packet::single(candidate.path.header(peer.tag), &[abort]));
            }
        }
    }

    /// Fails if the peer has refused on every path; a path that is refused makes room for the
    /// next at once.
    fn settle(&mut self, core: &mut Core) -> Progress {
        while self.candidates.iter().all(|c| matches!(c.stage, Stage::Refused)) {
            if self.waiting.is_empty() {
                return Progress::Failed(ConnectError::Refused);
            }
            self.start_next(core);
        }
        Progress::Pending
    }

    fn start_next(&mut self, core: &mut Core) {
        let Some(path) = self.waiting.pop_front() else { return };
        let local = core.offer();
        let retry = Retry::new(core.now, &core.config);
        let mut candidate = Candidate { path, local, stage: Stage::Asking, retry, sent: 0 };
        candidate.send(core);
        self.candidates.push(candidate);
        self.next_start = core.now + core.config.stagger;
    }
}

impl Candidate {
    /// Whether a packet is an answer to this handshake (RFC 9260 section 8.5).
    fn accepts(&self, header: &Header, chunk: &Chunk) -> bool {
        match &self.stage {
            Stage::Echoing(peer, _) if chunk.kind == kind::ABORT && chunk.flags & REFLECTED != 0 => {
                header.tag == peer.tag
            }
            _ => header.tag == self.local.tag,
        }
    }

    fn init_ack(&mut self, core: &mut Core, chunk: &Chunk) {
        match Init::parse(chunk) {
            Some((peer, Some(cookie))) if peer.is_valid() => {
                self.stage = Stage::Echoing(peer, cookie);
                self.restart(core);
            }
            _ => self.stage = Stage::Refused,
        }
    }

    fn ask(&mut self, core: &mut Core) {
        self.stage = Stage::Asking;
        self.restart(core);
    }

    fn restart(&mut self, core: &mut Core) {
        self.retry = Retry::new(core.now, &core.config);
        self.sent = 0;
        self.send(core);
    }

    fn send(&mut self, core: &mut Core) {
        self.sent = self.sent.saturating_add(1);
        let (tag, chunk) = match &self.stage {
            Stage::Asking => (0, self.local.chunk(kind::INIT, &[])),
            Stage::Echoing(peer, cookie) => (peer.tag, Chunk::new(kind::COOKIE_ECHO, cookie.clone())),
            Stage::Refused => return,
        };
        core.emit(self.path.remote, packet::single(self.path.header(tag), &[chunk]));
    }
}
