//! The pool element: a server's place in a pool, and its half of the sessions with users.
//!
//! It finds a registrar, registers, renews the registration, answers keep-alives, follows a change
//! of its home registrar, and leaves cleanly (RFC 5352 sections 3.1, 3.2, 3.4 and 3.6). It passes
//! application messages through; what they mean is the application's business.

mod config;
mod counters;
mod home;
mod interface;
mod leave;
mod machine;
mod registration;
mod sessions;
#[cfg(test)]
mod tests;

pub use config::ElementConfig;
pub(crate) use config::MAX_HANDLE;
pub use counters::Counters;
pub use interface::{Command, Notice, Refusal, RegistrationError};
pub use machine::Element;
