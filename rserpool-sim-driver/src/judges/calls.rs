//! Calls: how often each is sent, and that nobody carries one out twice that is to be carried out at most once.

use std::collections::BTreeMap;

use bytes::Bytes;
use rserpool_core::base::ProtocolId;
use rserpool_core::endpoint::{CallFrame, CallId, CallKind};
use rserpool_core::user::{CallDelivery, RequestId, SessionId};

use super::view::View;
use crate::applications::request_of;
use crate::id::HostId;
use crate::violation::Violation;

/// The calls that were sent, each with its user, in one life of the process.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<CallId, (HostId, u32)>);

impl Calls {
    /// A user sends a message of a call.
    pub(super) fn sent(&mut self, view: &View<'_>, user: HostId, bytes: &Bytes) -> Result<(), Violation> {
        let Some(client) = view.client(user) else { return Ok(()) };
        let (Some(frame), Some(delivery)) = (CallFrame::decode(bytes), client.load().calls) else {
            let detail = format!("{} sent {} octets", view.name(user), bytes.len());
            return Err(Violation::new("who makes calls sends calls", detail));
        };
        let sender = (user, view.host(user).life());
        let earlier = self.0.insert(frame.call, sender);
        let (call, name) = (frame.call, view.name(user));
        if earlier.is_some_and(|earlier| earlier != sender) {
            let detail = format!("{call:?} of {name} was made by another process, too");
            return Err(Violation::new("no two calls have the same name", detail));
        }
        let first = earlier.is_none();
        let expected = match delivery {
            CallDelivery::Report if !first => {
                let detail = format!("{call:?} of {name}");
                return Err(Violation::new("a call whose failure is told is sent once", detail));
            }
            CallDelivery::Retry | CallDelivery::Report => CallKind::Request,
            CallDelivery::Once if first => CallKind::OnceRequest,
            CallDelivery::Once => CallKind::OnceRepeated,
        };
        if frame.kind == expected {
            return Ok(());
        }
        let detail = format!("{call:?} of {name} was sent as {:?}, not {expected:?}", frame.kind);
        Err(Violation::new("a call that is to be carried out at most once says when it comes again", detail))
    }
}

/// The request in a message that an element was handed, if it may carry that out.
pub(super) fn executed(protocol: ProtocolId, bytes: &Bytes) -> Option<RequestId> {
    if protocol != ProtocolId::CALL {
        return request_of(bytes);
    }
    let frame = CallFrame::decode(bytes).filter(|frame| frame.kind != CallKind::OnceRepeated)?;
    request_of(&frame.bytes)
}

/// The session of a call that a user was just told the answer of.
pub(super) fn answered(view: &View<'_>, user: HostId, bytes: &Bytes) -> Option<SessionId> {
    let (client, request) = (view.client(user)?, request_of(bytes));
    client.conversations().iter().find(|conversation| conversation.last_call == request)?.session()
}
