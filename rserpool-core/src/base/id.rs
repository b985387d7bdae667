//! Identifiers. Each has its own type, so that one cannot be mistaken for another.

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
    /// The ENRP server identifier of a registrar (RFC 5353 section 2.1). No registrar has zero, which means
    /// "none" or "all".
    RegistrarId
}

wire_identifier! {
    /// The PE identifier of a pool element (RFC 5354 section 3.14), unique within its pool. Zero is never
    /// chosen, because it means "none" to RSPLIB.
    ElementId
}

impl RegistrarId {
    /// No registrar: the home of an element that has none, or the receiver of an ENRP message to all.
    pub const NONE: Self = Self(0);
}

/// The name of a pool (RFC 5354 section 3.9): octets, compared by length and content.
///
/// A handle of up to 32 octets works with every implementation; RSPLIB refuses longer ones. A message could
/// hold 65,531 octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolHandle(Bytes);

impl PoolHandle {
    /// The longest handle, in octets, that is registered and resolved here. Handles are kept in tables and
    /// are part of every message about an element.
    pub const MAX_OCTETS: usize = 1024;

    /// A handle of these octets. Its length is not checked here.
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
    /// Escapes control characters: a handle comes from the network and may be shown in a terminal.
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
    /// What an application has not named (RFC 9260 section 3.3.1). All octets of a session over TCP have this one.
    pub const UNSPECIFIED: Self = Self(0);
    /// ASAP (RFC 5352 section 8.3).
    pub const ASAP: Self = Self(11);
    /// ENRP (RFC 5353 section 5.3).
    pub const ENRP: Self = Self(12);
    /// The private question for counters and peers, by which an inspector asks a registrar.
    pub const MANAGEMENT: Self = Self(0x5253_0001);
    /// Calls, the private framing by which an answer names its request.
    pub const CALL: Self = Self(0x5253_0002);
    /// A piece of a message that is too long for one, in a private framing. It is no message by itself.
    pub const PIECE: Self = Self(0x5253_0003);
    /// The last piece of such a message.
    pub const LAST_PIECE: Self = Self(0x5253_0004);
}

/// Defines an identifier that is used only within one process.
macro_rules! local_identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u64);
    };
}

/// Identifies an association: its carrier, and a number that the transport of that carrier chooses and never
/// uses again. A TCP connection is an association, too.
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

    /// What carries its messages. With several transports, a driver chooses the transport by it.
    pub const fn carrier(self) -> Carrier {
        self.carrier
    }

    /// The number, unique among the associations of one transport.
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
    /// Identifies an attempt to connect. The endpoint that asks for the attempt chooses it and never uses it
    /// again.
    ConnectId
}
local_identifier! {
    /// A command, named by the application; its answer carries the same value.
    CommandId
}
