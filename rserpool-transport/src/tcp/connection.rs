//! One TCP connection: what has come in, what waits to be written, and how long it may last.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{Instant, TransportAddress};
use rserpool_core::endpoint::HangUp;

use super::config::TcpConfig;
use super::frames::{BadLength, Frames, LONGEST};

/// The longest message that a user may send: room for a registration with the longest pool handle
/// (1,024 octets) and the largest Pool Element that a registrar keeps (2,048), so that even this,
/// which must come over SCTP, is answered and not cut off. What users ask is shorter.
const MAX_REQUEST: usize = 4096;

/// Octets that wait to be written at which no further request is read: an answer has up to 65,535
/// octets, a request may have 16, therefore a client that asks without reading the answers must wait.
pub(super) const PAUSE_AT: usize = 1 << 16;

/// The most octets that may wait to be written: an answer beyond the pause, and some to spare.
pub(super) const MAX_OUTPUT: usize = 4 * PAUSE_AT;

/// The most octets that may wait to be read; a driver that asks [`Connection::reads`] keeps less.
pub(super) const MAX_INPUT: usize = 4 * PAUSE_AT;

/// Octets of a session that wait to be written at which its endpoint is asked to wait, and of which half must have been
/// written before it may go on: what the system takes at a time, several times.
pub(super) const CONGESTED_AT: usize = 1 << 18;

/// The most octets of a session that may wait to be written: twice a message, and the requests that a session sends again
/// when it moves.
pub(super) const MAX_DATA_OUTPUT: usize = 4 << 20;

/// What a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Messages of ASAP.
    Asap,
    /// The octets of a session.
    Octets,
}

impl Content {
    /// What is spoken at an address that we connect to.
    pub(super) const fn at(address: &TransportAddress) -> Self {
        match address {
            TransportAddress::Octets(_) => Self::Octets,
            _ => Self::Asap,
        }
    }
}

/// Which side has opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    /// We have, to ask a registrar, or for a session.
    Us,
    /// A user has, from this address.
    Peer(SocketAddr),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) opener: Opener,
    pub(super) content: Content,
    pub(super) frames: Frames,
    /// Whether the endpoint takes nothing at present.
    pub(super) held: bool,
    /// Whether the endpoint was asked to wait.
    congested: bool,
    /// Whether it stands in the queue of those that may have messages.
    pub(super) queued: bool,
    /// Whether the endpoint knows it.
    pub(super) named: bool,
    /// The messages that wait to be written: how many octets each still has, and since when it waits.
    output: VecDeque<(usize, Instant)>,
    waiting: usize,
    /// When it was opened, or the last message came.
    heard: Instant,
    /// Whether any message has come.
    asked: bool,
    /// Since when a message is incomplete.
    partial: Option<Instant>,
    /// When it is to be dropped, once we have decided to close it.
    pub(super) closing: Option<Instant>,
    /// Whether we have told the peer that nothing more comes.
    pub(super) finished: bool,
    /// Whether the peer has told us so.
    pub(super) ended: bool,
}

impl Connection {
    pub(super) fn new(opener: Opener, content: Content, now: Instant) -> Self {
        let limit = if opener == Opener::Us { LONGEST } else { MAX_REQUEST };
        Self {
            opener,
            content,
            frames: Frames::new(limit),
            held: false,
            congested: false,
            queued: false,
            named: true,
            output: VecDeque::new(),
            waiting: 0,
            heard: now,
            asked: false,
            partial: None,
            closing: None,
            finished: false,
            ended: false,
        }
    }

    /// Whether more of what the peer sends is wanted. Only the side that answers may pause
    /// reading: if both ends did, both could wait for ever.
    pub(super) fn reads(&self) -> bool {
        !self.ended && !self.is_paused()
    }

    /// Whether the peer has to take answers before it is given more, or our endpoint what has come.
    pub(super) fn is_paused(&self) -> bool {
        self.held || (self.opener != Opener::Us && self.waiting >= PAUSE_AT)
    }

    /// What has come: the next whole message of ASAP, or the octets as they are.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, BadLength> {
        match self.content {
            Content::Asap => self.frames.next(),
            Content::Octets => Ok(self.frames.take(PAUSE_AT)),
        }
    }

    /// Whether the endpoint has to wait from now on.
    pub(super) fn becomes_congested(&mut self) -> bool {
        let full = self.content == Content::Octets && self.waiting >= CONGESTED_AT;
        full && !core::mem::replace(&mut self.congested, true)
    }

    /// Whether the endpoint may go on from now on.
    pub(super) fn becomes_free(&mut self) -> bool {
        self.waiting <= CONGESTED_AT / 2 && core::mem::take(&mut self.congested)
    }

    /// Whether everything has been written.
    pub(super) const fn is_written(&self) -> bool {
        self.waiting == 0
    }

    /// A message waits to be written from now on; false if there are too many.
    pub(super) fn queue(&mut self, now: Instant, octets: usize) -> bool {
        self.output.push_back((octets, now));
        self.waiting += octets;
        self.waiting
            <= match self.content {
                Content::Asap => MAX_OUTPUT,
                Content::Octets => MAX_DATA_OUTPUT,
            }
    }

    /// So many octets have been written.
    pub(super) fn written(&mut self, mut octets: usize) {
        self.waiting = self.waiting.saturating_sub(octets);
        while let Some((first, _)) = self.output.front_mut() {
            if octets < *first {
                *first -= octets;
                break;
            }
            octets -= *first;
            self.output.pop_front();
        }
        let left: usize = self.output.iter().map(|(octets, _)| octets).sum();
        debug_assert_eq!(self.waiting, left, "what waits is what the messages have left");
    }

    /// A whole message has been taken.
    pub(super) const fn took_message(&mut self, now: Instant) {
        self.heard = now;
        self.asked = true;
        self.partial = None;
    }

    /// There is no whole message at the moment.
    pub(super) fn took_none(&mut self, now: Instant) {
        match self.frames.len() {
            0 => self.partial = None,
            _ => self.partial = self.partial.or(Some(now)),
        }
    }

    /// When it has lasted too long, and why; without a reason it is our own close that has.
    pub(super) fn deadline(&self, config: &TcpConfig) -> Option<(Instant, Option<HangUp>)> {
        let patience = if self.asked { config.idle_timeout } else { config.first_timeout };
        // While we close, no further request counts; connections that we opened are the registrar's to close.
        let idle = matches!(self.opener, Opener::Peer(_)) && self.closing.is_none();
        let limits = [
            self.partial.map(|since| (since + config.message_timeout, Some(HangUp::Slow))),
            self.output.front().map(|(_, since)| (*since + config.write_timeout, Some(HangUp::Unread))),
            idle.then_some((self.heard + patience, Some(HangUp::Silent))),
            self.closing.map(|at| (at, None)),
        ];
        limits.into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}
