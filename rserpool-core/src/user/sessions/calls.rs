//! Calls: the requests whose answers name them.

use bytes::Bytes;

use super::Sessions;
use crate::base::{CommandId, Instant, ProtocolId};
use crate::endpoint::{CallFrame, CallHalf, CallId, MAX_CALL, Refusal};
use crate::user::context::Context;
use crate::user::interface::{Answer, Call, CallError, Delivery, Message, RequestId, SessionId};

impl Sessions {
    /// Makes a call; its end answers `command`.
    pub(in crate::user) fn call(
        &mut self,
        now: Instant,
        context: &mut Context,
        command: CommandId,
        call: Call,
    ) {
        let Call { session, request, protocol, bytes, resend, limits } = call;
        let sent = match self.sessions.get_mut(&session) {
            _ if bytes.len() > MAX_CALL => Err(Refusal::Length),
            None => Err(Refusal::UnknownSession),
            Some(known) => {
                let caller = known.caller(&mut context.random);
                let call = CallId { caller, number: request.0 };
                let frame = CallFrame { half: CallHalf::Request, call, protocol, bytes };
                let delivery = if resend { Delivery::Retry(request) } else { Delivery::Report(request) };
                let message = Message::new(session, ProtocolId::CALL, frame.encode());
                self.send(now, context, message.delivery(delivery).limits(limits))
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
        if frame.half != CallHalf::Answer || !ours {
            context.counters.answers_late += 1;
            return;
        }
        session.forget(request);
        self.end_call(context, id, request, Ok(frame.bytes));
        self.supervise(context, id);
        self.tell_writable(context, id);
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
