//! Padding: parameters and messages fill up to a multiple of four octets.

/// Whether the length of a message counts the padding of its last parameter (reading A5). Messages are read
/// either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Padding {
    /// The padding does not count, as RFC 5354 section 4 says.
    Strict,
    /// The padding counts, as RSPLIB expects.
    #[default]
    Padded,
}

/// The next multiple of four.
pub(super) const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}
