//! Calls: the requests whose answers name them.

use bytes::Bytes;

use super::Sessions;
use crate::base::{CommandId, Instant, ProtocolId};
use crate::endpoint::pieces::{self, Arrived, MAX_LONG_MESSAGE};
use crate::endpoint::{CallFrame, CallId, CallKind, Refusal};
use crate::user::context::Context;
use crate::user::interface::{
    Answer, Call, CallDelivery, CallError, Delivery, Message, RequestId, SessionId, UnansweredReason,
};

impl Sessions {
    /// Makes a call; its end answers `command`.
    pub(in crate::user) fn call(
        &mut self,
        now: Instant,
        context: &mut Context,
        command: CommandId,
        call: Call,
    ) {
        let Call { session, request, protocol, bytes, delivery, limits } = call;
        let sent = match self.sessions.get_mut(&session) {
            _ if bytes.len() > MAX_LONG_MESSAGE => Err(Refusal::Length),
            None => Err(Refusal::UnknownSession),
            Some(known) => {
                let caller = known.caller(&mut context.random);
                let call = CallId { caller, number: request.0 };
                let (kind, delivery) = match delivery {
                    CallDelivery::Retry => (CallKind::Request, Delivery::Retry(request)),
                    CallDelivery::Report => (CallKind::Request, Delivery::Report(request)),
                    CallDelivery::Once => (CallKind::OnceRequest, Delivery::Retry(request)),
                };
                let frame = CallFrame { kind, call, protocol, bytes };
                let message = Message::new(session, ProtocolId::CALL, frame.encode());
                self.send_of_any_length(now, context, message.delivery(delivery).limits(limits))
            }
        };
        match sent {
            Ok(()) => {
                self.calls.insert((session, request), command);
            }
            Err(refusal) => {
                context.outbox.answer(command, Answer::Called(Err(CallError::Refused(refusal))));
            }
        }
    }

    /// An element has sent a message of a call. One that answers nothing is late: the call has ended before.
    pub(super) fn handle_call(&mut self, context: &mut Context, id: SessionId, bytes: &Bytes) {
        let Some(frame) = CallFrame::decode(bytes) else {
            context.counters.malformed += 1;
            return;
        };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let request = RequestId(frame.call.number);
        let ours = session.is_caller(frame.call.caller) && self.calls.contains_key(&(id, request));
        let result = match frame.kind {
            CallKind::Answer if ours => Ok(frame.bytes),
            CallKind::Unknown if ours => Err(CallError::Unanswered(UnansweredReason::ElementFailed)),
            _ => {
                context.counters.answers_late += 1;
                return;
            }
        };
        session.forget(request);
        self.end_call(context, id, request, result);
        self.supervise(context, id);
        self.tell_writable(context, id);
    }

    /// A piece of a long answer has come. Only one that belongs to a call is kept.
    pub(super) fn handle_piece_of_call(
        &mut self,
        context: &mut Context,
        id: SessionId,
        protocol: ProtocolId,
        piece: Bytes,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Some(beginning) = pieces::beginning_of_call(&piece) {
            let awaited = CallFrame::decode(&beginning).is_some_and(|frame| {
                frame.kind == CallKind::Answer
                    && session.is_caller(frame.call.caller)
                    && self.calls.contains_key(&(id, RequestId(frame.call.number)))
            });
            if !awaited {
                context.counters.answers_late += 1;
                return session.drop_incomplete();
            }
        }
        match session.assemble(protocol, piece) {
            Arrived::Whole(_, bytes) => self.handle_call(context, id, &bytes),
            // If its beginning was dropped, it was counted then.
            Arrived::Piece | Arrived::Misfit | Arrived::Message(..) | Arrived::NoRoom => {}
        }
    }

    /// A request has ended. False if it was no call.
    pub(super) fn end_call(
        &mut self,
        context: &mut Context,
        id: SessionId,
        request: RequestId,
        result: Result<Bytes, CallError>,
    ) -> bool {
        let Some(command) = self.calls.remove(&(id, request)) else { return false };
        context.outbox.answer(command, Answer::Called(result));
        true
    }

    /// A session has ended, and its calls with it.
    pub(super) fn end_calls(&mut self, context: &mut Context, id: SessionId) {
        let of_session = (id, RequestId(0))..=(id, RequestId(u64::MAX));
        while let Some((&(_, request), _)) = self.calls.range(of_session.clone()).next() {
            self.end_call(context, id, request, Err(CallError::Closed));
        }
    }
}
