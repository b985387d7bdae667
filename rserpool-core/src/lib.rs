//! Reliable Server Pooling (RFC 5351 to 5356) as pure state machines without I/O.
//!
//! A pool handle names a pool. Pool elements register in the pool at a registrar. Pool users resolve the
//! handle, talk to one element, and move to another one when it dies. This crate holds the whole protocol and
//! nothing else: no socket, no clock, no thread, no runtime. `rserpool-tokio` runs it on tokio,
//! `rserpool-smol` on smol and async-std, `rserpool-blocking` on plain threads. To run it on something else,
//! read the [`guide`].
//!
//! # The layers
//!
//! ```text
//!        your application
//!     │ commands   ▲ answers, notices
//!   ┌─▼────────────┴───────────────────────────────────┐
//!   │ rserpool-tokio, -smol, -blocking   sockets       │   or a runtime of your own
//!   ├──────────────────────────────────────────────────┤
//!   │ rserpool-driver      event loop, handles, clock  │   or a loop of your own
//!   ├──────────────────────────────────────────────────┤
//!   │ rserpool-transport   SCTP over UDP, TCP, node    │   or a transport of your own
//!   └─┬────────────▲───────────────────────────────────┘
//!     │ events     │ actions   (endpoint: the contract)
//!   ┌─▼────────────┴───────────────────────────────────┐
//!   │ registrar     element     user     inspector     │   pure state machines
//!   │ handlespace   pools, elements, checksum          │
//!   │ policy        the order of selection             │   this crate:
//!   │ wire          ASAP and ENRP messages             │   no_std + alloc
//!   │ base          time, identifiers, seeds           │
//!   └──────────────────────────────────────────────────┘
//! ```
//!
//! | module | what it does | what it does not |
//! |---|---|---|
//! | [`base`] | time, identifiers, deadlines, seeded randomness | read a clock |
//! | [`wire`] | ASAP and ENRP messages to bytes and back | decide anything |
//! | [`policy`] | the order in which elements are selected | know elements, only their numbers |
//! | [`handlespace`] | pools, elements, consistency, checksum, a deadline for each element | know messages or associations |
//! | [`registrar`], [`element`], [`user`], [`inspector`] | the endpoints: state machines | see a packet |
//!
//! [`endpoint`] holds the contract by which endpoints are driven and by which they meet a transport;
//! [`guide`] writes a driver by it. In this table, each module uses only modules above it.
//!
//! # The run loop
//!
//! Every endpoint is driven by the same loop: hand in one input ([`Endpoint::handle_event`],
//! [`Endpoint::handle_command`] or [`Endpoint::handle_timeout`]) with the present time; drain
//! [`Endpoint::poll_action`] and carry the actions out; drain [`Endpoint::poll_output`] and tell the
//! application; sleep until something arrives or [`Endpoint::poll_timeout`] is due. The same inputs give the
//! same outputs, byte for byte.
//!
//! A registrar that is asked for a pool it does not know:
//!
//! ```
//! use rserpool_core::base::{AssociationId, Instant, ProtocolId, RegistrarId, SctpAddress, SctpPort, UdpPort};
//! use rserpool_core::endpoint::{Action, Connected, Endpoint, Event, Origin};
//! use rserpool_core::registrar::{Registrar, RegistrarConfig};
//! use rserpool_core::wire::{AsapMessage, CauseCode, Padding};
//!
//! // The driver chooses the origin of time and the seed.
//! let now = Instant::ORIGIN;
//! let mut registrar = Registrar::new(RegistrarConfig::rfc(Some(RegistrarId(1)), 42), now);
//!
//! // The transport says that a user has connected and sent a message.
//! let association = AssociationId::sctp(1);
//! let peer = SctpAddress::new("192.0.2.7".parse()?, SctpPort(40000), UdpPort(9899));
//! let connected = Event::Connected(Connected::new(association, Origin::Peer, SctpPort(3863), peer));
//! registrar.handle_event(now, connected);
//! let question = AsapMessage::HandleResolution { handle: "EchoPool".into(), subscribe: false, items: None };
//! let bytes = question.encode(Padding::default())?;
//! let message = Event::Message { association, protocol: ProtocolId::ASAP, stream: 0, bytes };
//! registrar.handle_event(now, message);
//!
//! // The registrar asks for one action, a message: there is no such pool.
//! let Some(Action::Send { bytes, .. }) = registrar.poll_action() else { panic!("no answer") };
//! let AsapMessage::HandleResolutionResponse { error: Some(error), .. } =
//!     AsapMessage::decode(&bytes)?.message
//! else {
//!     panic!("not a negative response")
//! };
//! assert_eq!(error.causes[0].code, CauseCode::UNKNOWN_POOL_HANDLE);
//! assert_eq!(registrar.poll_action(), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Examples
//!
//! ```text
//! cargo run -p rserpool-core --example custom_transport
//! cargo run -p rserpool-core --example custom_policy
//! ```
//!
//! A pool that talks through memory instead of SCTP, and a selection policy of an application's own.
//!
//! # Readings
//!
//! Comments cite requirements of the RFCs by number (`ASAP-3.1-22`, listed in [`requirements`]), and our
//! readings of unclear passages ("reading A5", listed in [`readings`]).
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `std` (default) | `std` in the dependencies; without it the crate is `no_std` + `alloc`: an element takes some 66 KiB of code on a Cortex-M4 and 3 KiB of heap |
//! | `arbitrary` | messages for fuzzers: `arbitrary::Arbitrary` for the types of [`wire`] |
//! | `proptest` | the same for property tests: strategies in `wire::strategy` |
//!
//! [`Endpoint::handle_event`]: endpoint::Endpoint::handle_event
//! [`Endpoint::handle_command`]: endpoint::Endpoint::handle_command
//! [`Endpoint::handle_timeout`]: endpoint::Endpoint::handle_timeout
//! [`Endpoint::poll_action`]: endpoint::Endpoint::poll_action
//! [`Endpoint::poll_output`]: endpoint::Endpoint::poll_output
//! [`Endpoint::poll_timeout`]: endpoint::Endpoint::poll_timeout
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod base;
pub mod element;
pub mod endpoint;
pub mod guide;
pub mod handlespace;
pub mod inspector;
pub mod policy;
#[cfg(doc)]
pub mod readings;
pub mod registrar;
#[cfg(doc)]
pub mod requirements;
pub mod user;
pub mod wire;
