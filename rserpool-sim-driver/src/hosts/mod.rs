//! The hosts and what runs on them: programs, and the processes that they become.

pub mod custom_endpoint;
mod host;
mod process;

pub use custom_endpoint::{Custom, Startup};
pub use host::Host;
pub(crate) use host::{Body, Input, Output};
pub use process::{Machinery, Process, Program};
pub(crate) use process::{Report, Wish};
