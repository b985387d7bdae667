//! The pool user: resolves pool handles, talks to elements, and moves on when one dies.
//!
//! It finds a registrar, resolves handles, keeps a cache, reports unreachable elements (RFC 5352
//! sections 3.3, 3.5 and 3.7) and holds sessions: an association with one element at a time,
//! replaced by another when the element fails. The application marks the requests that are to
//! be sent again; nothing is resent silently.

mod cache;
mod config;
mod counters;
mod health;
mod interface;
mod machine;
mod registrar;
mod requests;
mod resolution;
mod search;
mod session;
#[cfg(test)]
mod tests;

pub use config::UserConfig;
pub use counters::Counters;
pub use interface::{Command, Delivery, FailureReason, Notice, RequestId, SessionId, UserError};
pub use machine::User;
pub use requests::MAX_UNANSWERED;
