//! What an application does now and then.

/// A value that holds for one of so many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasional<T> {
    /// One of so many, at least 1.
    pub one_of: u32,
    /// What holds for it.
    pub value: T,
}

impl<T: Copy> Occasional<T> {
    /// The value, if it holds for the request with this number, counted from 1.
    pub(super) fn at(self, number: u64) -> Option<T> {
        number.is_multiple_of(u64::from(self.one_of.max(1))).then_some(self.value)
    }
}
