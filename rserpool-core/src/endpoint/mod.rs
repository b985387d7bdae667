//! What registrar, pool element, pool user and inspector have in common: the contract by which they are
//! driven, the hunt for a registrar that element and user share, and how messages are received.
//!
//! # The contract
//!
//! An endpoint is one value that owns all its state. It never waits, never fails towards the network, and
//! never looks at a clock. Its driver repeats these four steps for ever. It begins with step 2, because the
//! constructor may have decided something already:
//!
//! 1. hand in one thing: [`Endpoint::handle_event`], [`Endpoint::handle_command`] or
//!    [`Endpoint::handle_timeout`], with a `now` that never goes backwards;
//! 2. drain [`Endpoint::poll_action`] until `None` and carry the actions out in their order;
//! 3. drain [`Endpoint::poll_output`] until `None` and hand answers and notices to the application;
//! 4. sleep until something arrives or [`Endpoint::poll_timeout`] is due.
//!
//! To leave, call [`Endpoint::begin_shutdown`] and go on with the loop until [`Endpoint::is_stopped`], at
//! most until the deadline. [`guide`](crate::guide) writes a driver by these rules.
//!
//! # What an endpoint promises
//!
//! * Whatever a peer sends causes an answer, a counter or a notice; never an `Err`, never a panic.
//! * Every command gets exactly one [`Output::Answer`] with its [`CommandId`](crate::base::CommandId). What
//!   follows from the command comes after the answer.
//! * What it keeps is bounded: by its configuration, by a named constant, or by the associations.
//! * The same inputs give the same outputs, octet for octet:
//!
//! ```
//! use core::time::Duration;
//! use rserpool_core::base::{AssociationId, Instant, ProtocolId, SctpAddress, SctpPort, UdpPort};
//! use rserpool_core::endpoint::{Action, Connected, Endpoint, Event, Origin};
//! use rserpool_core::registrar::{Registrar, RegistrarConfig};
//!
//! // A registrar that draws its identifier and its keep-alives from the seed, and receives garbage.
//! let association = AssociationId::sctp(1);
//! let run = |seed| {
//!     let mut registrar = Registrar::new(RegistrarConfig::rfc(None, seed), Instant::ORIGIN);
//!     let peer = SctpAddress::new([192, 0, 2, 7].into(), SctpPort(40_000), UdpPort(9899));
//!     let mut now = Instant::ORIGIN;
//!     registrar.handle_event(now, Event::Connected(Connected::new(association, Origin::Peer, SctpPort(3863), peer)));
//!     let mut actions = Vec::new();
//!     for octet in 0..=255_u8 {
//!         now += Duration::from_millis(100);
//!         let bytes = vec![octet, 0, 0, 4].into();
//!         let protocol = ProtocolId::ASAP;
//!         registrar.handle_event(now, Event::Message { association, protocol, stream: 0, bytes });
//!         actions.extend(core::iter::from_fn(|| registrar.poll_action()));
//!         registrar.handle_timeout(now);
//!         actions.extend(core::iter::from_fn(|| registrar.poll_action()));
//!     }
//!     (registrar.id(), actions)
//! };
//! assert_eq!(run(42), run(42));
//! assert_ne!(run(42).0, run(43).0);
//! // The sender is told what was wrong, over the same association.
//! assert!(run(42).1.iter().all(|action| matches!(action, Action::Send { association: a, .. } if *a == association)));
//! ```
//!
//! # What a transport owes
//!
//! | for | it gives |
//! |---|---|
//! | [`Action::Connect`] | exactly one [`Event::Connected`] with the request, or one [`Event::ConnectFailed`], at the latest at the deadline |
//! | [`Action::CancelConnect`] | nothing; a `Connected` that was on its way may still come, and the endpoint answers it with [`Action::Abort`] |
//! | [`Action::Send`] | the whole message, reliably and in order, as [`Event::Message`] at the other end |
//! | [`Action::Hold`], [`Action::Release`] | no [`Event::Message`] in between, if it can make the peer wait |
//! | [`Action::Shutdown`] | delivery of what is queued, then [`Event::Disconnected`], at the latest at the deadline |
//! | [`Action::Abort`] | [`Event::Disconnected`] with [`DownReason::Local`] |
//! | [`Action::Announce`] | a datagram to the channel, or nothing where there is no multicast |
//! | a peer that connects | [`Event::Connected`] without a request, if an endpoint listens on that port |
//! | a peer that is gone | [`Event::Disconnected`], sooner or later |
//! | a peer on which it hangs up, or which it does not let in | [`Event::HungUp`] to the endpoint that listens there, to be counted |
//!
//! An [`AssociationId`](crate::base::AssociationId) is never reused; nothing names it before its `Connected`
//! or after its `Disconnected`. The transport listens on the SCTP ports of the endpoint: the ASAP and ENRP
//! port of a registrar, the own port of an element; a user and an inspector do not listen. The transport
//! bounds the number of associations, since an endpoint keeps something for each.

pub(crate) mod call;
pub(crate) mod config;
mod contract;
pub(crate) mod control;
pub(crate) mod counters;
pub mod hunt;
pub(crate) mod management;
mod peer_status;
pub mod pieces;
pub(crate) mod received;
mod refusal;
mod registrar_status;
mod security;
#[cfg(test)]
pub(crate) mod testing;
mod transport_counters;

pub use call::{CallFrame, CallId, CallKind, MAX_CALL};
pub use config::ConfigError;
pub use contract::{
    AbortCause, AbortReason, Action, Channel, ConnectError, Connected, DownReason, Endpoint, Event, HangUp,
    MAX_MESSAGE, Origin, Outbox, Output, OutputOf, Reservation,
};
pub use control::{MAX_CARD, MAX_COOKIE};
pub use management::ReportError;
pub use peer_status::{PeerState, PeerStatus};
pub use refusal::Refusal;
pub use registrar_status::{RegistrarState, RegistrarStatus};
pub use security::{Identity, Security};
pub use transport_counters::TransportCounters;
