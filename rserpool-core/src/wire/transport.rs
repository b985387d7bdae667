//! Transport parameters (RFC 5354 sections 3.3 to 3.7 and 3.16).

use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::Bytes;

/// What a transport is used for (RFC 5354 section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum TransportUse {
    /// 0x0000: application data only.
    DataOnly,
    /// 0x0001: application data and ASAP control messages.
    DataPlusControl,
}

/// The SCTP Transport parameter (0x4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SctpTransport {
    /// The SCTP port.
    pub port: u16,
    /// What it is used for.
    pub usage: TransportUse,
    /// The addresses, at least one on the wire.
    pub addresses: Vec<IpAddr>,
}

/// A transport under which an element serves its users.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// SCTP (0x4).
    Sctp(SctpTransport),
    /// TCP (0x5): data only.
    Tcp {
        /// The port.
        port: u16,
        /// The second half-word: reserved by the RFC, Transport Use for RSPLIB (`ambiguities`
        /// A9). We send 0 and ignore it, but keep what came.
        reserved: u16,
        /// The address.
        address: IpAddr,
    },
    /// UDP (0x6): data only.
    Udp {
        /// The port.
        port: u16,
        /// Reserved; kept as it came.
        reserved: u16,
        /// The address.
        address: IpAddr,
    },
    /// UDP-Lite (0x7): data only.
    UdpLite {
        /// The port.
        port: u16,
        /// Reserved; kept as it came.
        reserved: u16,
        /// The address.
        address: IpAddr,
    },
    /// DCCP (0x3): data only.
    Dccp {
        /// The port.
        port: u16,
        /// Reserved; kept as it came.
        reserved: u16,
        /// The DCCP service code.
        service_code: u32,
        /// The address.
        address: IpAddr,
    },
    /// Something else (0x10), known to the application alone.
    Opaque(Bytes),
}

/// The type of a transport, by which the elements of a pool must agree (RFC 5352 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransportKind {
    /// SCTP.
    Sctp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// UDP-Lite.
    UdpLite,
    /// DCCP.
    Dccp,
    /// Something else.
    Opaque,
}

impl Transport {
    /// Its type.
    pub const fn kind(&self) -> TransportKind {
        match self {
            Self::Sctp(_) => TransportKind::Sctp,
            Self::Tcp { .. } => TransportKind::Tcp,
            Self::Udp { .. } => TransportKind::Udp,
            Self::UdpLite { .. } => TransportKind::UdpLite,
            Self::Dccp { .. } => TransportKind::Dccp,
            Self::Opaque(_) => TransportKind::Opaque,
        }
    }

    /// What it is used for: all but SCTP carry data only.
    pub const fn usage(&self) -> TransportUse {
        match self {
            Self::Sctp(sctp) => sctp.usage,
            _ => TransportUse::DataOnly,
        }
    }
}
