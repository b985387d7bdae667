//! What is told of a world: its trace as text, and its messages as a capture.

mod capture;
mod narration;
mod trace;

pub(crate) use capture::Capture;
pub use trace::{Trace, TraceMode};
