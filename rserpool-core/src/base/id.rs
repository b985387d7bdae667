//! Identifiers, each a type of its own so that none is taken for another.

use alloc::string::String;
use core::fmt;

use bytes::Bytes;

use super::Carrier;

/// Defines an identifier of 32 bits on the wire, shown as `0x` and lower-case hexadecimal digits.
macro_rules! wire_identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

wire_identifier! {
    /// The ENRP server identifier of a registrar (RFC 5353 section 2.1). Zero means "none" or
    /// "everybody", so a registrar never has it.
    RegistrarId
}

wire_identifier! {
    /// The PE identifier of a pool element (RFC 5354 section 3.14), unique within its pool. Zero
    /// is never chosen, because RSPLIB takes it for "none".
    ElementId
}

impl RegistrarId {
    /// No registrar: an element without a home, or an ENRP message to everybody.
    pub const NONE: Self = Self(0);
}

/// The name of a pool (RFC 5354 section 3.9): octets, compared by length and content.
///
/// A handle of up to 32 octets works with every implementation; RSPLIB takes no longer one. The
/// wire allows 65,531 octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolHandle(Bytes);

impl PoolHandle {
    /// The longest handle, in octets, that this project registers and resolves: handles stand in
    /// tables and in every message about an element. The wire allows more.
    pub const MAX_OCTETS: usize = 1024;

    /// A handle of these octets.
    pub fn new(octets: impl Into<Bytes>) -> Self {
        Self(octets.into())
    }

    /// The octets.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The handle as text, with U+FFFD for octets that are not UTF-8.
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl From<&str> for PoolHandle {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for PoolHandle {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for PoolHandle {
    /// Control characters are escaped: a handle comes from the network and goes to a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in String::from_utf8_lossy(&self.0).chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

impl fmt::Debug for PoolHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for PoolHandle {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let octets: &[u8] = u.arbitrary()?;
        Ok(Self(Bytes::copy_from_slice(octets)))
    }
}

/// The SCTP payload protocol identifier of a message (RFC 9260 section 3.3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProtocolId(pub u32);

impl ProtocolId {
    /// ASAP (RFC 5352 section 8.3).
    pub const ASAP: Self = Self(11);
    /// ENRP (RFC 5353 section 5.3).
    pub const ENRP: Self = Self(12);
    /// This project's own question for counters, see `registrar::management`.
    pub const MANAGEMENT: Self = Self(0x5253_0001);
}

/// Defines an identifier that stays within one process.
macro_rules! local_identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u64);
    };
}

/// An association: its carrier, and a number that the transport chooses and never uses again for that carrier.
/// A TCP connection is one, too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssociationId {
    carrier: Carrier,
    number: u64,
}

impl AssociationId {
    /// An association over SCTP, whatever carries its packets.
    pub const fn sctp(number: u64) -> Self {
        Self { carrier: Carrier::Sctp, number }
    }

    /// A TCP connection.
    pub const fn tcp(number: u64) -> Self {
        Self { carrier: Carrier::Tcp, number }
    }

    /// What carries its messages. A driver with several transports finds by it the one that is meant.
    pub const fn carrier(self) -> Carrier {
        self.carrier
    }

    /// Its number, unique among the associations of one transport.
    pub const fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Debug for AssociationId {
    /// `AssociationId(2)`, or `AssociationId(tcp 2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.carrier {
            Carrier::Sctp => write!(f, "AssociationId({})", self.number),
            Carrier::Tcp => write!(f, "AssociationId(tcp {})", self.number),
        }
    }
}

local_identifier! {
    /// An attempt to connect, named by the endpoint that asks for it and never reused by it.
    ConnectId
}
local_identifier! {
    /// A command, named by the application; its answer carries the same value.
    CommandId
}
