//! The attempts to connect that are under way, and what each is for.

use alloc::collections::BTreeMap;
use core::ops::Deref;

use crate::base::ConnectId;
use crate::endpoint::hunt::ConnectIds;
use crate::handlespace::PeHandle;

/// How many attempts may be under way before elements have to wait for theirs. A dead peer may have many
/// elements, and handshakes with all of them at once would overrun the buffers on the way.
pub(super) const MAX_PROBES: usize = 128;

/// The name of a contact, see `enrp::contacts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ContactId(pub(super) u32);

/// The purpose of an attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// To ask an element of ours whether it is alive.
    Element(PeHandle),
    /// To ask an element of another home whether it is alive.
    Foreign(PeHandle),
    /// To meet another registrar.
    Registrar(ContactId),
}

/// The attempts under way. Reading goes through [`Deref`].
#[derive(Debug, Default)]
pub(super) struct Attempts {
    under_way: BTreeMap<ConnectId, Attempt>,
    ids: ConnectIds,
}

impl Attempts {
    /// Whether an element has to wait for its attempt. Contacts do not wait; they are few.
    pub(super) fn are_full(&self) -> bool {
        self.under_way.len() >= MAX_PROBES
    }

    /// Names a new attempt.
    pub(super) fn begin(&mut self, attempt: Attempt) -> ConnectId {
        let request = self.ids.next_id();
        self.under_way.insert(request, attempt);
        request
    }

    /// An attempt has ended; `None` if it was cancelled before.
    pub(super) fn end(&mut self, request: ConnectId) -> Option<Attempt> {
        self.under_way.remove(&request)
    }

    /// Removes all attempts and returns them.
    pub(super) fn end_all(&mut self) -> impl Iterator<Item = ConnectId> + use<> {
        core::mem::take(&mut self.under_way).into_keys()
    }
}

impl Deref for Attempts {
    type Target = BTreeMap<ConnectId, Attempt>;

    fn deref(&self) -> &Self::Target {
        &self.under_way
    }
}
