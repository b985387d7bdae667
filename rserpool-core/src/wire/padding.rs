//! Padding: parameters and messages fill up to a multiple of four octets.

/// Whether the padding of the last parameter counts in the length of the message (reading A5).
/// Receivers of ours accept both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Padding {
    /// It does not count, as RFC 5354 section 4 says.
    Strict,
    /// It counts, as RSPLIB expects.
    #[default]
    Padded,
}

/// The next multiple of four.
pub(super) const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}
