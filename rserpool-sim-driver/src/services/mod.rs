//! Services, and whoever uses them, in a simulated world: any [`Service`](rserpool_services::Service) on an element of
//! the core, and any [`Client`](rserpool_services::Client) on a user of the core.
//!
//! You write the two state machines, and an [`Application`] that says when which session begins. Registration,
//! selection, failover and cookies are the core's; encoded messages go through the cables of a [`World`](crate::World),
//! and every fault can happen to them. `examples/own_service.rs` is a whole one on a page.

mod application;
mod element;
mod user;

pub use application::{After, Application};
pub use element::ServiceElement;
pub use user::ApplicationUser;
