//! What the elements of a session have left with it for those that replace them.

use bytes::Bytes;

/// What a session carries from one element to the next. It ends with the session.
#[derive(Debug, Default)]
pub(super) struct Handover {
    cookie: Option<Bytes>,
}

impl Handover {
    /// The latest cookie that was received; an empty one is one, too. It stays until another one comes: an element
    /// that fails before it has sent its own leaves this one to the next.
    pub(super) const fn cookie(&self) -> Option<&Bytes> {
        self.cookie.as_ref()
    }

    /// Keeps a cookie instead of the one before.
    pub(super) fn keep_cookie(&mut self, cookie: &Bytes) {
        // A copy of its own: the octets may be a part of a message that is much longer.
        self.cookie = Some(Bytes::copy_from_slice(cookie));
    }
}
