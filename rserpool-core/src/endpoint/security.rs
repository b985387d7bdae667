//! What a transport has found out about who is at the other end of an association.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// How an association is secured.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Security {
    /// It is not: anybody may be at the other end, and on the way.
    #[default]
    Plain,
    /// By TLS, and the peer has shown no certificate. Users need none (RFC 5352 section 9.2).
    Anonymous,
    /// By TLS, and the peer has proved to be this.
    Verified(Identity),
}

impl Security {
    /// Whom the peer has proved to be.
    pub const fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Verified(identity) => Some(identity),
            Self::Plain | Self::Anonymous => None,
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("without TLS"),
            Self::Anonymous => f.write_str("without a certificate"),
            Self::Verified(identity) => identity.fmt(f),
        }
    }
}

/// The names in a certificate that the transport has verified.
///
/// Each is written with its kind: `dns:registrar.example`, `ip:192.0.2.1`, `uri:spiffe://example/element`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Arc<[String]>);

impl Identity {
    /// An identity with these names.
    pub fn new(names: Vec<String>) -> Self {
        Self(names.into())
    }

    /// Its names, in the order of the certificate.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Identity {
    /// The first name; the others say the same of the same peer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.first().map_or("a certificate without names", String::as_str))
    }
}
