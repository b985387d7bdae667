//! The inspector: asks a registrar for its handlespace, its peers and its counters, without becoming a peer.
//!
//! It speaks ENRP with sender identifier 0 (a list request, then the handle table page by page), and a
//! private protocol to ask for counters. `rserpool pools` and `rserpool stats` use it; [`differences`] tells
//! whether the answers of several registrars agree.

mod compare;

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

pub use compare::{Difference, Ownership, differences, differences_of, ownership};

use crate::base::{
    AssociationId, CommandId, ConnectId, ENRP_PORT, Instant, ProtocolId, RegistrarId, SctpAddress, SctpPort,
};
use crate::endpoint::hunt::read_announcement;
use crate::endpoint::management::{
    COUNTERS_REQUEST, PEERS_HEADER, PEERS_REQUEST, STATUS_REQUEST, read_peer, read_status,
};
use crate::endpoint::received::Received;
use crate::endpoint::{
    AbortCause, Action, Channel, ConfigError, Connected, Endpoint, Event, Outbox, Output, PeerStatus,
    RegistrarStatus, ReportError,
};
use crate::wire::{EnrpBody, EnrpMessage, Padding, PoolEntry, ServerInformation};

/// The most commands that wait; further ones fail at once.
const MAX_COMMANDS: usize = 16;

/// The most octets of a handle table that are read: a registrar whose table never ends must not fill our
/// memory, which takes about four times as much. The 200,000 elements that a registrar here keeps at most take
/// some 20 MB on their way.
const MAX_TABLE_OCTETS: usize = 32 << 20;

/// The configuration of an inspector.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectorConfig {
    /// The registrar, with its ENRP port; `None`: the first that announces itself.
    pub registrar: Option<SctpAddress>,
    /// The ENRP port of a registrar that announces itself (default 9901).
    pub enrp_port: SctpPort,
    /// How long the registrar may take to announce itself, to accept a connection, and to answer each
    /// request.
    pub timeout: Duration,
    /// How messages are padded.
    pub padding: Padding,
}

impl InspectorConfig {
    /// For any network: it asks the first registrar that announces itself, unless
    /// [`registrar`](Self::registrar) is set.
    pub const fn rfc() -> Self {
        // Three INITs, at RTO.Initial of a second, and a moment for the answer.
        let timeout = Duration::from_secs(5);
        Self { registrar: None, enrp_port: ENRP_PORT, timeout, padding: Padding::Padded }
    }

    /// For a LAN.
    pub fn fast() -> Self {
        Self { timeout: Duration::from_secs(2), ..Self::rfc() }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The first key whose value cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        ConfigError::require(!self.timeout.is_zero(), "timeout", "must be longer than zero")
    }
}

/// What the application can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// The handlespace and the peers. Answered by [`Answer::Handlespace`].
    Handlespace,
    /// Counters. Answered by [`Answer::Counters`].
    Counters,
    /// How it takes its peers to be. Answered by [`Answer::Peers`].
    Peers,
    /// Who it is, and how it is. Answered by [`Answer::Status`].
    Status,
}

impl Command {
    /// The answer with an error.
    const fn failed(self, error: InspectError) -> Answer {
        match self {
            Self::Handlespace => Answer::Handlespace(Err(error)),
            Self::Counters => Answer::Counters(Err(error)),
            Self::Peers => Answer::Peers(Err(error)),
            Self::Status => Answer::Status(Err(error)),
        }
    }
}

/// What ends a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Command::Handlespace`]: a registrar's view of the operational scope.
    Handlespace(Result<Snapshot, InspectError>),
    /// To [`Command::Counters`]: counters and sizes by name, since those of another version differ.
    Counters(Result<Vec<(String, u64)>, InspectError>),
    /// To [`Command::Peers`].
    Peers(Result<Vec<PeerStatus>, InspectError>),
    /// To [`Command::Status`].
    Status(Result<RegistrarStatus, InspectError>),
}

/// What the application is told unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The association is closed and the inspector is done.
    Stopped,
}

/// A registrar's view of the operational scope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The registrar.
    pub registrar: RegistrarId,
    /// Where it was asked.
    pub address: SctpAddress,
    /// Its peers.
    pub peers: Vec<ServerInformation>,
    /// The pools with their elements.
    pub pools: Vec<PoolEntry>,
}

/// Why a question could not be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// No registrar is configured, and none has announced itself in time.
    #[error("no registrar announces itself: name one")]
    Unannounced,
    /// No association with the registrar could be opened, or it has ended.
    #[error("registrar {0} cannot be reached: check its address and UDP port")]
    Unreachable(SctpAddress),
    /// The registrar did not answer in time, for example because its configuration turns the question off.
    #[error(
        "registrar {0} does not answer this question: use a registrar that knows it, and has it turned on"
    )]
    Unanswered(SctpAddress),
    /// The registrar refused: it is starting (RFC 5353 section 3.2.3), or it is one of RSPLIB, which sends
    /// its handle table only to peers.
    #[error(
        "registrar {0} refused: it is starting, or shows its handlespace only to its peers; try again later, or ask another one"
    )]
    Refused(SctpAddress),
    /// The answer cannot be understood, or does not end.
    #[error(
        "registrar {0} gave an answer that cannot be understood: check that it speaks the same version of the protocol"
    )]
    Unintelligible(SctpAddress),
    /// The answer names a value, of a peer or of itself, that cannot be read.
    #[error(
        "registrar {registrar} says what cannot be understood, {error}: check that it speaks the same version of the protocol"
    )]
    Unreadable {
        /// The registrar that was asked.
        registrar: SctpAddress,
        /// What it says.
        error: ReportError,
    },
    /// There are too many questions at the same time, or the inspector is shutting down.
    #[error(
        "the inspector takes no more questions: wait for the answers to earlier ones, or start another one"
    )]
    Busy,
}

/// An inspector. See [`crate::endpoint`] for how it is driven.
#[derive(Debug)]
pub struct Inspector {
    config: InspectorConfig,
    /// The registrar, once it is known.
    registrar: Option<SctpAddress>,
    link: Link,
    /// The commands; the first one is being carried out.
    commands: VecDeque<(CommandId, Command)>,
    progress: Progress,
    deadline: Option<Instant>,
    next_connect: u64,
    outbox: Outbox<Answer, Notice>,
    leaving: bool,
}

/// The association with the registrar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    /// Waiting for an announcement.
    Listening,
    Opening(ConnectId),
    Up(AssociationId),
}

/// What has arrived of the present answer.
#[derive(Debug, Default)]
struct Progress {
    peers: Vec<ServerInformation>,
    pools: Vec<PoolEntry>,
    octets: usize,
}

impl Inspector {
    /// An inspector that connects at its first command.
    pub fn new(config: InspectorConfig, _now: Instant) -> Self {
        Self {
            registrar: config.registrar.clone(),
            config,
            link: Link::Down,
            commands: VecDeque::new(),
            progress: Progress::default(),
            deadline: None,
            next_connect: 0,
            outbox: Outbox::default(),
            leaving: false,
        }
    }

    /// Begins the first command, or connects if there is no association.
    fn begin(&mut self, now: Instant) {
        let Some((_, command)) = self.commands.front().copied() else {
            self.deadline = None;
            return;
        };
        match self.link {
            Link::Up(association) => {
                self.progress = Progress::default();
                match command {
                    Command::Handlespace => self.ask(now, association, EnrpBody::ListRequest),
                    Command::Counters => self.ask_management(now, association, COUNTERS_REQUEST),
                    Command::Peers => self.ask_management(now, association, PEERS_REQUEST),
                    Command::Status => self.ask_management(now, association, STATUS_REQUEST),
                }
            }
            Link::Listening | Link::Opening(_) => {}
            Link::Down => {
                let Some(peer) = self.registrar.clone() else {
                    self.link = Link::Listening;
                    self.deadline = Some(now + self.config.timeout);
                    return;
                };
                self.next_connect += 1;
                let request = ConnectId(self.next_connect);
                self.link = Link::Opening(request);
                self.outbox.act(Action::Connect {
                    request,
                    local_port: SctpPort(0),
                    peer: peer.into(),
                    deadline: now + self.config.timeout,
                });
            }
        }
    }

    fn ask(&mut self, now: Instant, association: AssociationId, body: EnrpBody) {
        self.deadline = Some(now + self.config.timeout);
        let message = EnrpMessage { sender: RegistrarId::NONE, receiver: RegistrarId::NONE, body };
        if let Ok(bytes) = message.encode(self.config.padding) {
            self.outbox.send(association, ProtocolId::ENRP, bytes);
        }
    }

    fn ask_management(&mut self, now: Instant, association: AssociationId, question: &'static [u8]) {
        self.deadline = Some(now + self.config.timeout);
        self.outbox.send(association, ProtocolId::MANAGEMENT, Bytes::from_static(question));
    }

    /// Ends the first command and begins the next.
    fn finish(&mut self, now: Instant, answer: Answer) {
        self.deadline = None;
        if let Some((id, _)) = self.commands.pop_front() {
            self.outbox.answer(id, answer);
        }
        self.begin(now);
    }

    /// Ends the first command with an error.
    fn fail(&mut self, now: Instant, error: InspectError) {
        match self.commands.front() {
            Some((_, command)) => self.finish(now, command.failed(error)),
            None => self.deadline = None,
        }
    }

    fn fail_all(&mut self, error: &InspectError) {
        self.deadline = None;
        for (id, command) in core::mem::take(&mut self.commands) {
            self.outbox.answer(id, command.failed(error.clone()));
        }
    }

    /// A registrar has announced itself: the first one that is reached by SCTP is asked.
    fn handle_announce(&mut self, now: Instant, source: SocketAddr, bytes: &Bytes) {
        let mut named = read_announcement(source, bytes).into_iter().flatten();
        let found = named.find_map(|registrar| registrar.as_sctp().cloned());
        if let Some(found) = found
            && self.link == Link::Listening
        {
            self.registrar = Some(SctpAddress { port: self.config.enrp_port, ..found });
            self.link = Link::Down;
            self.deadline = None;
            self.begin(now);
        }
    }

    /// An error that names the registrar.
    fn error(&self, what: impl FnOnce(SctpAddress) -> InspectError) -> InspectError {
        self.registrar.clone().map_or(InspectError::Unannounced, what)
    }

    fn handle_enrp(&mut self, now: Instant, association: AssociationId, bytes: &Bytes) {
        if !matches!(self.commands.front(), Some((_, Command::Handlespace))) {
            return;
        }
        let unintelligible = self.error(InspectError::Unintelligible);
        let Received { message: Ok(message), report: _ } = EnrpMessage::decode(bytes).into() else {
            return self.fail(now, unintelligible);
        };
        match message.body {
            EnrpBody::ListResponse { rejected: true, .. }
            | EnrpBody::HandleTableResponse { rejected: true, .. } => {
                self.fail(now, self.error(InspectError::Refused));
            }
            EnrpBody::ListResponse { servers, .. } => {
                self.progress.peers = servers;
                self.ask(now, association, EnrpBody::HandleTableRequest { own_only: false });
            }
            EnrpBody::HandleTableResponse { more, pools, .. } => {
                self.progress.octets += bytes.len();
                let empty = pools.is_empty();
                append(&mut self.progress.pools, pools);
                if !more && let Some(address) = self.registrar.clone() {
                    let Progress { peers, pools, .. } = core::mem::take(&mut self.progress);
                    let snapshot = Snapshot { registrar: message.sender, address, peers, pools };
                    self.finish(now, Answer::Handlespace(Ok(snapshot)));
                } else if empty || self.progress.octets > MAX_TABLE_OCTETS {
                    self.fail(now, unintelligible);
                } else {
                    self.ask(now, association, EnrpBody::HandleTableRequest { own_only: false });
                }
            }
            // A foreign registrar may greet us, or send updates; neither is an answer.
            _ => {}
        }
    }

    fn handle_management(&mut self, now: Instant, bytes: &Bytes) {
        let answer = match self.commands.front() {
            Some((_, Command::Counters)) => {
                let counters = read_counters(bytes);
                Answer::Counters(counters.ok_or_else(|| self.error(InspectError::Unintelligible)))
            }
            Some((_, Command::Peers)) => Answer::Peers(self.read_peers(bytes)),
            Some((_, Command::Status)) => Answer::Status(self.read_status(bytes)),
            Some((_, Command::Handlespace)) | None => return,
        };
        self.finish(now, answer);
    }

    fn read_status(&self, bytes: &Bytes) -> Result<RegistrarStatus, InspectError> {
        let unintelligible = || self.error(InspectError::Unintelligible);
        let text = core::str::from_utf8(bytes).map_err(|_| unintelligible())?;
        read_status(text)
            .map_err(|error| self.error(|registrar| InspectError::Unreadable { registrar, error }))
    }

    /// Reads the header, and a line for each peer.
    fn read_peers(&self, bytes: &Bytes) -> Result<Vec<PeerStatus>, InspectError> {
        let unintelligible = || self.error(InspectError::Unintelligible);
        let mut lines = core::str::from_utf8(bytes).map_err(|_| unintelligible())?.lines();
        if lines.next() != Some(PEERS_HEADER) {
            return Err(unintelligible());
        }
        let read = |line| match read_peer(line) {
            Some(Ok(peer)) => Ok(peer),
            Some(Err(error)) => Err(self.error(|registrar| InspectError::Unreadable { registrar, error })),
            None => Err(unintelligible()),
        };
        lines.map(read).collect()
    }

    fn stop_if_down(&mut self) {
        if self.is_stopped() {
            self.outbox.tell(Notice::Stopped);
        }
    }
}

impl Endpoint for Inspector {
    type Command = Command;
    type Answer = Answer;
    type Notice = Notice;

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected(Connected { association, origin, .. }) => {
                if origin.attempt().map(Link::Opening) == Some(self.link) {
                    self.link = Link::Up(association);
                    self.begin(now);
                } else {
                    self.outbox.act(Action::Abort { association, cause: AbortCause::User });
                }
            }
            Event::ConnectFailed { request, .. } if self.link == Link::Opening(request) => {
                self.link = Link::Down;
                self.fail_all(&self.error(InspectError::Unreachable));
                if self.leaving {
                    self.stop_if_down();
                }
            }
            Event::Disconnected { association, .. } if self.link == Link::Up(association) => {
                self.link = Link::Down;
                self.fail_all(&self.error(InspectError::Unreachable));
                if self.leaving {
                    self.stop_if_down();
                }
            }
            Event::Message { association, protocol, bytes, .. } if self.link == Link::Up(association) => {
                match protocol {
                    ProtocolId::ENRP => self.handle_enrp(now, association, &bytes),
                    ProtocolId::MANAGEMENT => self.handle_management(now, &bytes),
                    _ => {}
                }
            }
            Event::Announce { channel: Channel::Asap, source, bytes } => {
                self.handle_announce(now, source, &bytes);
            }
            _ => {}
        }
    }

    fn handle_command(&mut self, now: Instant, id: CommandId, command: Command) {
        if self.leaving || self.commands.len() >= MAX_COMMANDS {
            return self.outbox.answer(id, command.failed(InspectError::Busy));
        }
        self.commands.push_back((id, command));
        if self.commands.len() == 1 {
            self.begin(now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            // A late answer must not be mistaken for the answer to the next question.
            if let Link::Up(association) = self.link {
                self.outbox.act(Action::Abort { association, cause: AbortCause::User });
            }
            self.link = Link::Down;
            self.fail(now, self.error(InspectError::Unanswered));
        }
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.outbox.actions.pop_front()
    }

    fn poll_output(&mut self) -> Option<Output<Answer, Notice>> {
        self.outbox.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    fn begin_shutdown(&mut self, _now: Instant, deadline: Instant) {
        if self.leaving {
            return;
        }
        self.leaving = true;
        self.fail_all(&InspectError::Busy);
        match self.link {
            Link::Up(association) => self.outbox.act(Action::Shutdown { association, deadline }),
            Link::Opening(request) => {
                self.outbox.act(Action::CancelConnect { request });
                self.link = Link::Down;
            }
            Link::Listening => self.link = Link::Down,
            Link::Down => {}
        }
        self.stop_if_down();
    }

    fn is_stopped(&self) -> bool {
        self.leaving && self.link == Link::Down
    }
}

/// Appends a page. A pool that is continued on it becomes one again.
fn append(pools: &mut Vec<PoolEntry>, page: Vec<PoolEntry>) {
    for entry in page {
        match pools.last_mut() {
            Some(last) if last.handle == entry.handle => last.elements.extend(entry.elements),
            _ => pools.push(entry),
        }
    }
}

/// Reads lines `name value`.
fn read_counters(bytes: &Bytes) -> Option<Vec<(String, u64)>> {
    core::str::from_utf8(bytes)
        .ok()?
        .lines()
        .map(|line| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_string(), value.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests;
