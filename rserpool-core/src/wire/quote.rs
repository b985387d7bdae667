//! Single parameters outside a message, as error causes quote them.

use bytes::Bytes;

use super::writer::Writer;
use super::{Policy, PoolElement};

impl PoolElement {
    /// The Pool Element parameter by itself, without padding. Empty if it cannot be encoded, see
    /// [`PoolElement::encoded_len`].
    pub fn to_parameter(&self) -> Bytes {
        let parameter = Writer::quote(|writer| self.write(writer)).unwrap_or_default();
        debug_assert_eq!(parameter.len(), self.encoded_len().unwrap_or(0), "measured as it is written");
        parameter
    }
}

impl Policy {
    /// The Pool Member Selection Policy parameter by itself, without padding. Empty if it is longer than
    /// 65,535 octets.
    pub fn to_parameter(&self) -> Bytes {
        Writer::quote(|writer| self.write(writer)).unwrap_or_default()
    }
}
