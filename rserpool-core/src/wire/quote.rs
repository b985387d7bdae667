//! Single parameters outside of a message, as error causes quote them.

use bytes::Bytes;

use super::writer::Writer;
use super::{Policy, PoolElement};

impl PoolElement {
    /// The parameter by itself, without padding; empty if it is too long to be one.
    pub fn to_parameter(&self) -> Bytes {
        Writer::quote(|writer| self.write(writer)).unwrap_or_default()
    }
}

impl Policy {
    /// The parameter by itself; empty if it is too long to be one.
    pub fn to_parameter(&self) -> Bytes {
        Writer::quote(|writer| self.write(writer)).unwrap_or_default()
    }
}
