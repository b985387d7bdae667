//! Reading parameters and messages.

/// Opaque octets for fuzzers.
#[cfg(feature = "arbitrary")]
pub(super) fn arbitrary_bytes(u: &mut arbitrary::Unstructured<'_>) -> arbitrary::Result<bytes::Bytes> {
    Ok(u.arbitrary::<alloc::vec::Vec<u8>>()?.into())
}
