//! The finding of a judge.

/// Something that must never happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {detail}")]
pub struct Violation {
    /// The invariant that does not hold, in a few words. Two violations with the same text are of the
    /// same kind: [`explore::shrink`](crate::explore::shrink) goes by it.
    pub invariant: &'static str,
    /// What was seen: names of hosts, times, values.
    pub detail: String,
}

impl Violation {
    pub(crate) fn new(invariant: &'static str, detail: impl Into<String>) -> Self {
        Self { invariant, detail: detail.into() }
    }
}
