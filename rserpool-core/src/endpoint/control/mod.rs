//! The control channel between a user and an element (RFC 5352 sections 3.8 and 3.9): what both halves of it must
//! agree on.
//!
//! It is the association that carries the data, if the element says so where it is registered; the payload protocol
//! identifier tells the two apart (ASAP-5-02: control messages have that of ASAP). All of it travels on stream 0, in
//! order.
//!
//! | message | from | to |
//! |---|---|---|
//! | ASAP_COOKIE | element | user |
//! | ASAP_COOKIE_ECHO | user | element |
//! | ASAP_BUSINESS_CARD | either | the other |
//!
//! What comes in the other direction, or where there is no control channel, is counted and has no effect.

pub(crate) mod card;

pub use card::MAX_CARD;

use crate::wire::{PoolElement, TransportUse};

/// The longest cookie, in octets, that a message can hold however messages are padded.
pub const MAX_COOKIE: usize = 65_524;

/// Whether a user and this element have a control channel (RFC 5354 section 3.4: SCTP with Transport Use 1).
pub(crate) const fn has_control_channel(element: &PoolElement) -> bool {
    matches!(element.user_transport.usage(), TransportUse::DataPlusControl)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{AsapMessage, Padding};

    #[test]
    fn the_longest_cookie_fits_into_each_message() {
        for padding in [Padding::Padded, Padding::Strict] {
            let cookie = || alloc::vec![7; MAX_COOKIE].into();
            assert!(AsapMessage::Cookie { cookie: cookie() }.encode(padding).is_ok());
            assert!(AsapMessage::CookieEcho { cookie: cookie() }.encode(padding).is_ok());
        }
        let longer = AsapMessage::Cookie { cookie: alloc::vec![7; MAX_COOKIE + 1].into() };
        assert!(longer.encode(Padding::Padded).is_err());
    }
}
