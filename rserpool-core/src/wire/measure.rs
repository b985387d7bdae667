//! How many octets a parameter takes in a message, without encoding it.

use core::net::IpAddr;

use crate::base::PoolHandle;

use super::padding::padded;
use super::{Policy, PoolElement, SctpTransport, Transport};

/// Type and length of a parameter.
const HEADER: usize = 4;

/// The longest parameter that a 16-bit length can describe.
const LONGEST: usize = u16::MAX as usize;

impl PoolElement {
    /// The length of the parameter in octets, without the padding that follows it in a message: the length
    /// of [`PoolElement::to_parameter`]. `None` if it cannot be encoded: it is longer than 65,535 octets, or
    /// an SCTP transport has no address.
    pub fn encoded_len(&self) -> Option<usize> {
        self.encoded_len_with(self.asap_transport.as_ref())
    }

    fn encoded_len_with(&self, asap_transport: Option<&SctpTransport>) -> Option<usize> {
        // The padding of an inner parameter counts only if another one follows (reading A6).
        let mut octets = HEADER + 12 + self.user_transport.encoded_len()?;
        octets = padded(octets) + self.policy.encoded_len();
        if let Some(transport) = asap_transport {
            octets = padded(octets) + transport.encoded_len()?;
        }
        if self.encapsulation.is_some() {
            octets = padded(octets) + HEADER + 4;
        }
        (octets <= LONGEST).then_some(octets)
    }
}

impl Transport {
    fn encoded_len(&self) -> Option<usize> {
        match self {
            Self::Sctp(sctp) => sctp.encoded_len(),
            Self::Opaque(data) => Some(HEADER + data.len()),
            Self::Tcp { address, .. } | Self::Udp { address, .. } | Self::UdpLite { address, .. } => {
                Some(HEADER + 4 + octets_of_address(address))
            }
            Self::Dccp { address, .. } => Some(HEADER + 8 + octets_of_address(address)),
        }
    }
}

impl SctpTransport {
    fn encoded_len(&self) -> Option<usize> {
        let addresses: usize = self.addresses.iter().map(octets_of_address).sum();
        (addresses != 0).then_some(HEADER + 4 + addresses)
    }
}

impl Policy {
    fn encoded_len(&self) -> usize {
        let values = match self {
            Self::Other { data, .. } => data.len(),
            known => 4 * known.kind().layout().unwrap_or_default().len(),
        };
        HEADER + 4 + values
    }
}

/// The length of a Pool Element parameter with its padding, as one that others follow; 0 if it cannot be
/// encoded.
pub(crate) fn octets_of_element(element: &PoolElement) -> usize {
    padded(element.encoded_len().unwrap_or(0))
}

/// The same of an element as users see it: without its ASAP transport.
pub(crate) fn octets_for_users(element: &PoolElement) -> usize {
    padded(element.encoded_len_with(None).unwrap_or(0))
}

/// How many elements of at most these octets certainly fit into an answer to a user.
pub(crate) fn room_for_elements(handle: &PoolHandle, policy: &Policy, octets: usize) -> usize {
    let rest = LONGEST.saturating_sub(HEADER + octets_of_handle(handle) + padded(policy.encoded_len()));
    rest.checked_div(octets).unwrap_or(usize::MAX).max(1)
}

/// The length of a Pool Handle parameter with its padding.
pub(crate) fn octets_of_handle(handle: &PoolHandle) -> usize {
    HEADER + padded(handle.as_bytes().len())
}

fn octets_of_address(address: &IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => HEADER + 4,
        IpAddr::V6(_) => HEADER + 16,
    }
}
