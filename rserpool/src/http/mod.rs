//! What a daemon tells over HTTP: metrics, and whether it lives and is ready.
//!
//! ```text
//!   listener    connections: few at a time, each with a deadline and one request
//!   answers     which path gets which answer
//!   report      how the endpoint is, as families of metrics; asks its event loop
//!   process     the same of the process
//!   exposition  families as text
//! ```
//!
//! Numbers are taken when somebody asks for them. Nothing is counted for this alone.

mod answers;
mod exposition;
mod listener;
mod process;
mod report;

pub(crate) use listener::Listener;
pub(crate) use report::Observed;
