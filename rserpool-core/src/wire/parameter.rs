//! The parameters of RFC 5354 that are made of other parameters, and our encapsulation port.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Policy, SctpTransport, Transport};
use crate::base::{ElementId, PoolHandle, RegistrarId};

/// The type of a parameter, known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterType(pub u16);

impl core::fmt::Debug for ParameterType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// How long a registration lives (RFC 5354 section 3.10): seconds, -1 for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct RegistrationLife(pub i32);

impl RegistrationLife {
    /// It never expires.
    pub const INFINITE: Self = Self(-1);

    /// The life as a duration; `None` if it is infinite. Other negative values, which the RFC
    /// does not define, count as zero.
    pub fn duration(self) -> Option<Duration> {
        (self != Self::INFINITE).then(|| Duration::from_secs(u64::try_from(self.0).unwrap_or(0)))
    }
}

/// A private parameter (0xa6ab): the UDP ports under which SCTP is encapsulated.
///
/// Its type asks others to skip it silently. It stands last in Pool Element, in Server
/// Information and in ASAP_SERVER_ANNOUNCE, never inside a transport, where RSPLIB would abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct EncapsulationPorts {
    /// The UDP port of the user transport, or of the server's transport; 0 if not stated.
    pub user: u16,
    /// The UDP port of the ASAP transport; 0 if not stated.
    pub asap: u16,
}

/// The Pool Element parameter (0xa, RFC 5354 section 3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolElement {
    /// The PE identifier.
    pub id: ElementId,
    /// The home registrar; [`RegistrarId::NONE`] while there is none.
    pub home: RegistrarId,
    /// How long the registration lives.
    pub life: RegistrationLife,
    /// Where the element serves its users.
    pub user_transport: Transport,
    /// The element's policy and its values.
    pub policy: Policy,
    /// Where the element speaks ASAP with registrars; filled in by its home registrar.
    pub asap_transport: Option<SctpTransport>,
    /// The UDP ports of both transports.
    pub encapsulation: Option<EncapsulationPorts>,
}

/// The Server Information parameter (0xb, RFC 5354 section 3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInformation {
    /// The registrar.
    pub id: RegistrarId,
    /// Where it speaks ENRP.
    pub transport: SctpTransport,
    /// The UDP port of that transport, in `user`.
    pub encapsulation: Option<EncapsulationPorts>,
}

/// A pool in ENRP_HANDLE_TABLE_RESPONSE: its handle and some of its elements (RFC 5353 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolEntry {
    /// The pool.
    pub handle: PoolHandle,
    /// The elements.
    pub elements: Vec<PoolElement>,
}
