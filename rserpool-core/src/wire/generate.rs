//! Generators of valid values for fuzzers and property tests: what they make can be encoded, and
//! decodes to the same again.

use alloc::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;

use super::policy::MAX_FIELDS;
use super::{Policy, PolicyType, Transport};

/// Opaque octets.
pub(super) fn octets(u: &mut Unstructured<'_>) -> Result<Bytes> {
    Ok(u.arbitrary::<Vec<u8>>()?.into())
}

/// At least one.
pub(super) fn some<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> Result<Vec<T>> {
    let first = u.arbitrary()?;
    let mut all: Vec<T> = u.arbitrary()?;
    all.push(first);
    Ok(all)
}

/// Transports for ASAP_SERVER_ANNOUNCE, where only SCTP and TCP may stand.
pub(super) fn server_transports(u: &mut Unstructured<'_>) -> Result<Vec<Transport>> {
    let mut transports: Vec<Transport> = u.arbitrary()?;
    transports.retain(|transport| matches!(transport, Transport::Sctp(_) | Transport::Tcp { .. }));
    Ok(transports)
}

impl<'a> Arbitrary<'a> for Policy {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kind = if u.ratio(1, 8)? { PolicyType(u.arbitrary()?) } else { *u.choose(PolicyType::KNOWN)? };
        match kind.layout() {
            None if kind.is_invalid() => Ok(Self::RoundRobin),
            Some(layout) => {
                let mut numbers = [0; MAX_FIELDS];
                for (number, _) in numbers.iter_mut().zip(layout) {
                    *number = u.arbitrary()?;
                }
                Self::known(kind, numbers).ok_or(arbitrary::Error::IncorrectFormat)
            }
            None => Ok(Self::Other { kind, data: octets(u)? }),
        }
    }
}
