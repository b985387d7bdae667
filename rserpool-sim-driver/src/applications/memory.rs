//! The calls that an element has had: it carries out none twice that is to be carried out at most once.

use std::collections::BTreeMap;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ProtocolId};
use rserpool_core::element::Message;
use rserpool_core::endpoint::{CallFrame, CallId, CallKind};

/// What is to be done about a call that has come.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It is to be carried out.
    New,
    /// It is in work: its answer goes to where it came from last.
    InWork,
    /// This is the answer.
    Answered(Message),
}

/// The calls of this process that are to be carried out at most once, for as long as it lives.
#[derive(Debug)]
pub(super) struct Memory {
    remembers: bool,
    /// Where each came from last, and its answer, if there is one.
    known: BTreeMap<CallId, (AssociationId, Option<Bytes>)>,
}

impl Memory {
    pub(super) const fn new(remembers: bool) -> Self {
        Self { remembers, known: BTreeMap::new() }
    }

    /// A call has come.
    pub(super) fn arrive(&mut self, session: AssociationId, frame: &CallFrame) -> Arrival {
        if let Some((latest, answer)) = self.known.get_mut(&frame.call) {
            *latest = session;
            let answer = answer.clone();
            return answer.map_or(Arrival::InWork, |bytes| {
                Arrival::Answered(message(session, frame, CallKind::Answer, bytes))
            });
        }
        match frame.kind {
            CallKind::OnceRepeated => {
                Arrival::Answered(message(session, frame, CallKind::Unknown, Bytes::new()))
            }
            CallKind::OnceRequest if self.remembers => {
                self.known.insert(frame.call, (session, None));
                Arrival::New
            }
            _ => Arrival::New,
        }
    }

    /// A call was carried out: its answer, to where it came from last. An echo: what was asked is answered.
    pub(super) fn answer(&mut self, session: AssociationId, frame: &CallFrame) -> Message {
        let bytes = frame.bytes.clone();
        let session = self.known.get_mut(&frame.call).map_or(session, |(latest, answer)| {
            *answer = Some(bytes.clone());
            *latest
        });
        message(session, frame, CallKind::Answer, bytes)
    }
}

fn message(session: AssociationId, to: &CallFrame, kind: CallKind, bytes: Bytes) -> Message {
    let frame = CallFrame { kind, call: to.call, protocol: to.protocol, bytes };
    Message::new(session, ProtocolId::CALL, frame.encode())
}
