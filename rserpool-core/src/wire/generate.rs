//! Generators of valid values for fuzzers and property tests: each value can be encoded, and decodes to the
//! same value.

use alloc::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;

use super::Transport;

/// Octets without structure.
pub(super) fn octets(u: &mut Unstructured<'_>) -> Result<Bytes> {
    Ok(u.arbitrary::<Vec<u8>>()?.into())
}

/// A list of at least one value.
pub(super) fn some<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> Result<Vec<T>> {
    let first = u.arbitrary()?;
    let mut all: Vec<T> = u.arbitrary()?;
    all.push(first);
    Ok(all)
}

/// Transports for ASAP_SERVER_ANNOUNCE, where only SCTP and TCP are permitted.
pub(super) fn server_transports(u: &mut Unstructured<'_>) -> Result<Vec<Transport>> {
    let mut transports: Vec<Transport> = u.arbitrary()?;
    transports.retain(|transport| matches!(transport, Transport::Sctp(_) | Transport::Tcp { .. }));
    Ok(transports)
}
