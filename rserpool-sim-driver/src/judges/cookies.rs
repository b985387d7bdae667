//! Cookies: each session takes its own to the next element, the newest one, before anything else.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ProtocolId};
use rserpool_core::user::SessionId;
use rserpool_core::wire::AsapMessage;

use super::view::View;
use crate::id::HostId;
use crate::violation::Violation;

/// Something of a process: of which host, in which life of it.
type Of<T> = (HostId, u32, T);

/// The cookies of all sessions.
#[derive(Debug, Default)]
pub(super) struct Cookies {
    /// The cookie that each host was handed last.
    heard: BTreeMap<HostId, Bytes>,
    /// The newest cookie of each session.
    newest: BTreeMap<Of<SessionId>, Bytes>,
    /// The associations over which users have said something.
    spoken: BTreeSet<Of<AssociationId>>,
    /// The cookie that each user has sent, and not yet told its application of.
    echoed: BTreeMap<HostId, Bytes>,
    /// The sessions in which elements have had messages.
    served: BTreeSet<Of<AssociationId>>,
}

impl Cookies {
    /// A host was handed an ASAP message.
    pub(super) fn heard(&mut self, host: HostId, bytes: &Bytes) {
        if let Ok(AsapMessage::Cookie { cookie }) = AsapMessage::decode(bytes).map(|decoded| decoded.message)
        {
            self.heard.insert(host, cookie);
        }
    }

    /// A user keeps the cookie that it was handed last.
    pub(super) fn kept(&mut self, view: &View<'_>, user: HostId, session: SessionId) {
        if let Some(cookie) = self.heard.get(&user) {
            self.newest.insert((user, view.host(user).life(), session), cookie.clone());
        }
    }

    /// A session of a user has ended, and its cookie with it.
    pub(super) fn closed(&mut self, view: &View<'_>, user: HostId, session: SessionId) {
        self.newest.remove(&(user, view.host(user).life(), session));
    }

    /// A user sends a message: a cookie comes before any other.
    pub(super) fn sent(
        &mut self,
        view: &View<'_>,
        user: HostId,
        over: AssociationId,
        protocol: ProtocolId,
        bytes: &Bytes,
    ) -> Result<(), Violation> {
        if view.client(user).is_none() {
            return Ok(());
        }
        let first = self.spoken.insert((user, view.host(user).life(), over));
        let message = AsapMessage::decode(bytes).map(|decoded| decoded.message);
        let (ProtocolId::ASAP, Ok(AsapMessage::CookieEcho { cookie })) = (protocol, message) else {
            return Ok(());
        };
        self.echoed.insert(user, cookie);
        if first {
            return Ok(());
        }
        let detail = format!("{} has said something before its cookie", view.name(user));
        Err(Violation::new("a cookie is echoed before anything else", detail))
    }

    /// A session of a user has moved.
    pub(super) fn moved(
        &mut self,
        view: &View<'_>,
        user: HostId,
        session: SessionId,
        cookie_echoed: bool,
    ) -> Result<(), Violation> {
        let newest = self.newest.get(&(user, view.host(user).life(), session));
        let echoed = self.echoed.remove(&user);
        // All elements have a control channel.
        if newest == echoed.as_ref() && cookie_echoed == echoed.is_some() {
            return Ok(());
        }
        let detail = format!(
            "{session:?} of {}: its newest cookie is {newest:02x?}, it has echoed {echoed:02x?} and told {cookie_echoed}",
            view.name(user),
        );
        Err(Violation::new("each session echoes its newest cookie", detail))
    }

    /// The application of an element has got a message.
    pub(super) fn received(&mut self, view: &View<'_>, server: HostId, session: AssociationId) {
        self.served.insert((server, view.host(server).life(), session));
    }

    /// The application of an element has got the state of a session.
    pub(super) fn restored(
        &self,
        view: &View<'_>,
        server: HostId,
        session: AssociationId,
    ) -> Result<(), Violation> {
        if !self.served.contains(&(server, view.host(server).life(), session)) {
            return Ok(());
        }
        let detail = format!("{} has served {session:?} already", view.name(server));
        Err(Violation::new("the state of a session comes before its requests", detail))
    }
}
