//! Attempts to connect: the active half of the handshake (RFC 9260 section 5.1), raced over up
//! to three addresses of the peer.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use rserpool_core::base::Instant;
use rserpool_core::endpoint::ConnectError;

use super::association::Retry;
use super::chunk::{self, Init, REFLECTED, cause, kind};
use super::packet::{self, Chunk, Header, Path};
use super::parameters::Parameters;
use super::shared::Core;
use crate::Obstacle;

#[derive(Debug)]
pub(super) struct Attempt {
    deadline: Instant,
    /// Paths that were not tried yet, and what we will offer there.
    waiting: VecDeque<(Path, Init)>,
    /// When the next of them gets its turn.
    next_start: Instant,
    candidates: Vec<Candidate>,
    /// Whether the peer has refused on one of them because it had no room.
    busy: bool,
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
    /// COOKIE-ECHOED: the peer has answered, and its cookie is on the way back.
    Echoing(Box<Answer>),
    /// The peer has sent an ABORT.
    Refused,
}

/// What the peer has said in its INIT ACK.
#[derive(Debug)]
struct Answer {
    peer: Init,
    cookie: Bytes,
    unknown: Vec<Bytes>,
    /// Its other addresses, and the one from which the answer came.
    addresses: Vec<IpAddr>,
}

/// A handshake that is complete, with what both sides have said.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) path: Path,
    pub(super) local: Init,
    pub(super) peer: Init,
    /// Where else the peer may be.
    pub(super) others: Vec<SocketAddr>,
}

/// What has become of an attempt.
#[derive(Debug)]
pub(super) enum Progress {
    Pending,
    Done(Handshake),
    Failed(ConnectError),
    /// The packet belongs to no candidate: it is a stray.
    Stray,
}

impl Attempt {
    /// Starts with the first path.
    pub(super) fn new(core: &mut Core, paths: Vec<Path>, deadline: Instant) -> Self {
        let waiting = paths.into_iter().map(|path| (path, core.offer())).collect();
        let (next_start, candidates) = (core.now, Vec::new());
        let mut attempt = Self { deadline, waiting, next_start, candidates, busy: false };
        attempt.start_next(core);
        attempt
    }

    /// All its paths, tried or not.
    pub(super) fn paths(&self) -> impl Iterator<Item = Path> {
        self.candidates.iter().map(|c| c.path).chain(self.waiting.iter().map(|(path, _)| *path))
    }

    /// Our tags on all of them.
    pub(super) fn tags(&self) -> impl Iterator<Item = u32> {
        let waiting = self.waiting.iter().map(|(_, local)| local.tag);
        self.candidates.iter().map(|c| c.local.tag).chain(waiting)
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
        let racing = self.candidates.iter().any(|c| matches!(c.stage, Stage::Echoing(_)) && c.sent < 2);
        // A host with several addresses may answer from another one than it was asked at.
        let here = self.candidates.iter().position(|c| c.path == *path);
        let tagged =
            || self.candidates.iter().position(|c| c.local.tag == header.tag && c.is_at_ports_of(path));
        let Some(index) = here.or_else(tagged) else { return Progress::Stray };
        let candidate = &mut self.candidates[index];
        if !candidate.accepts(header, chunk) {
            return Progress::Stray;
        }
        match (chunk.kind, &candidate.stage) {
            // The first answer wins; another path gets its chance if that one then stalls.
            (kind::INIT_ACK, Stage::Asking) if !racing => candidate.init_ack(core, path, chunk),
            (kind::COOKIE_ACK, Stage::Echoing(answer)) => {
                let (path, local, peer) = (candidate.path, candidate.local, answer.peer);
                let told = answer.addresses.clone();
                return Progress::Done(self.handshake(path, local, peer, &told));
            }
            (kind::ABORT, _) => {
                candidate.stage = Stage::Refused;
                self.busy |= chunk::parse_abort(chunk).cause == Some(cause::OUT_OF_RESOURCE);
            }
            (kind::ERROR, Stage::Echoing(_)) if chunk::is_stale_cookie(chunk) => candidate.ask(core),
            _ => {}
        }
        self.progress(core)
    }

    /// The network has returned a packet. `None` if it is none of ours. A peer that nobody listens for refuses as if by an
    /// ABORT; if there is no route to it at the moment, the next path is tried at once, and this one goes on.
    pub(super) fn undelivered(
        &mut self,
        core: &mut Core,
        path: &Path,
        header: &Header,
        first: Option<&Chunk>,
        obstacle: Obstacle,
    ) -> Option<Progress> {
        let candidate = self.candidates.iter_mut().find(|c| c.path == *path && c.has_sent(header, first))?;
        match obstacle {
            Obstacle::PortClosed => candidate.stage = Stage::Refused,
            Obstacle::NoRoute => self.start_next(core),
            Obstacle::TooBig { .. } => {}
        }
        Some(self.progress(core))
    }

    /// A handshake on one of the paths is complete. The endpoint that asked for the attempt
    /// says that the others lead to the same peer.
    pub(super) fn handshake(&self, path: Path, local: Init, peer: Init, told: &[IpAddr]) -> Handshake {
        let told = told.iter().map(|address| SocketAddr::new(*address, path.remote.port()));
        let others = told.chain(self.paths().map(|path| path.remote)).collect();
        Handshake { path, local, peer, others }
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
        self.progress(core)
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
            if let Stage::Echoing(answer) = &candidate.stage {
                let abort = chunk::abort(cause::USER_ABORT, "not needed");
                let header = candidate.path.header(answer.peer.tag);
                core.emit(candidate.path.remote, packet::single(header, &[abort]));
            }
        }
    }

    /// Fails if the peer has refused on every path; a path that is refused makes room for the
    /// next at once.
    fn progress(&mut self, core: &mut Core) -> Progress {
        while self.candidates.iter().all(|c| matches!(c.stage, Stage::Refused)) {
            if self.waiting.is_empty() {
                return Progress::Failed(if self.busy { ConnectError::Busy } else { ConnectError::Refused });
            }
            self.start_next(core);
        }
        Progress::Pending
    }

    fn start_next(&mut self, core: &mut Core) {
        let Some((path, local)) = self.waiting.pop_front() else { return };
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
            Stage::Echoing(answer) if chunk.kind == kind::ABORT && chunk.flags & REFLECTED != 0 => {
                header.tag == answer.peer.tag
            }
            _ => header.tag == self.local.tag,
        }
    }

    /// Whether a quoted packet is what this stage sends. An INIT has no tag, but states ours: a quote that ends before
    /// that proves nothing (RFC 9260 section 10).
    fn has_sent(&self, header: &Header, first: Option<&Chunk>) -> bool {
        match &self.stage {
            Stage::Asking => {
                let init = first.filter(|chunk| chunk.kind == kind::INIT && chunk.body.len() >= 4);
                header.tag == 0 && init.is_some_and(|chunk| chunk::first_u32(chunk) == self.local.tag)
            }
            Stage::Echoing(answer) => header.tag == answer.peer.tag,
            Stage::Refused => false,
        }
    }

    /// Whether a path has the same SCTP ports.
    fn is_at_ports_of(&self, path: &Path) -> bool {
        self.path.local_port == path.local_port && self.path.remote_port == path.remote_port
    }

    fn init_ack(&mut self, core: &mut Core, path: &Path, chunk: &Chunk) {
        let Some((peer, parameters)) = Init::parse(chunk).filter(|(peer, _)| peer.is_valid()) else {
            return self.stage = Stage::Refused;
        };
        let Parameters { cookie: Some(cookie), mut addresses, unknown, host_name: None } = parameters else {
            return self.stage = Stage::Refused;
        };
        addresses.push(path.remote.ip());
        self.stage = Stage::Echoing(Box::new(Answer { peer, cookie, unknown, addresses }));
        self.restart(core);
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
            Stage::Asking => (0, self.local.offer(kind::INIT, core.config.told(), &[], &[])),
            Stage::Echoing(answer) => (answer.peer.tag, Chunk::new(kind::COOKIE_ECHO, answer.cookie.clone())),
            Stage::Refused => return,
        };
        let mut chunks = vec![chunk];
        if let Stage::Echoing(answer) = &self.stage
            && !answer.unknown.is_empty()
        {
            chunks.push(chunk::unrecognized_parameters(&answer.unknown));
        }
        core.emit(self.path.remote, packet::single(self.path.header(tag), &chunks));
    }
}
