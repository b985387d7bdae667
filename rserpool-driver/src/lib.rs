//! The event loop and the handles of Reliable Server Pooling: everything that an adapter for some runtime
//! needs.
//!
//! This crate drives the state machines of [`rserpool_core`] over [`rserpool_transport`]: it reads the clock,
//! sockets and queues. It knows no runtime. An adapter implements two traits, [`Runtime`] and [`Socket`]
//! (or, with the feature `udp`, `Watched` instead of the latter), and [`Listener`] if it is to have ASAP
//! over TCP, and names the handles with its own runtime, as `rserpool-tokio`, `rserpool-smol` and
//! `rserpool-blocking` do:
//!
//! ```
//! /// Implements `rserpool_driver::Runtime`.
//! pub struct MyRuntime;
//!
//! pub type PoolUser = rserpool_driver::PoolUser<MyRuntime>;
//! ```
//!
//! ```text
//!   rserpool-tokio      rserpool-smol      rserpool-blocking      your adapter
//! ────────┬──────────────────┬───────────────────┬─────────────────────┬──────
//!   ┌─────▼──────────────────▼───────────────────▼─────────────────────▼────┐
//!   │ handles       Registrar  PoolElement  PoolUser  Session  Inspector    │
//!   │   │ commands  ▲ answers, notices: bounded queues                      │
//!   │ event loop    one task for each endpoint: clock, sockets, timers      │
//!   ├───────────────────────────────────────────────────────────────────────┤
//!   │ rserpool-transport, rserpool-core                                     │
//!   └───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The scenarios in the package `conformance` test all this on every runtime.
//!
//! # How it works
//!
//! Each endpoint has a task of its own, the event loop, and a UDP socket of its own. A handle
//! sends commands to it over a bounded queue; each command carries the channel for its answer. In
//! every round the loop sends what is to be sent, passes notices on, takes commands, receives,
//! and serves the timers, each within a budget, so that no source starves another.
//!
//! # An application that does not listen is not alive
//!
//! Events of an element wait in a bounded queue, [`EVENT_QUEUE`]. When it is full, the event loop receives nothing
//! more until the application takes an event; commands and timers go on. This is on purpose: pooling reports whether
//! a *server* is alive, and an application that hangs is not. Its keep-alives go unanswered and users move on.
//!
//! Events of a session wait in a queue of its own, [`SESSION_QUEUE`]. When it is full, nothing more is read from the
//! association with the element of this session, which has to wait as soon as the receive window is full. The other
//! sessions of the user go on, and nobody is taken for dead. Drop a session whose events you do not read; dropping
//! closes it.
//!
//! # Cancel safety
//!
//! Every async function here may be dropped at any time. A command that was taken before is still
//! carried out, and its answer is lost, except that a session that was not received is closed.
//! Functions that wait for an event lose no event. Where more is to be said, the function says it. Scenarios drop the
//! futures of those that wait.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `tls` | `Builder::secured_by`: TLS |
//! | `tower` | `Session::service`: calls as a service of tower |
//! | `udp` | `BatchedSocket` and `Watched`: UDP in batches, for adapters whose runtime watches sockets |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod announce;
mod builder;
mod call;
mod connect;
mod datagrams;
mod delivery;
mod element;
mod error;
mod error_queue;
mod event_loop;
mod families;
mod fate;
mod handle;
mod inspector;
mod interfaces;
mod io;
mod line;
mod log;
mod long_calls;
mod memory;
mod names;
mod observed;
mod octets;
mod pairing;
mod patience;
mod registrar;
mod role;
mod room;
mod router;
mod runtime;
mod seal;
#[cfg(feature = "tls")]
mod secure;
mod serve;
mod session;
mod tcp;
#[cfg(feature = "tower")]
mod tower;
#[cfg(feature = "udp")]
mod udp;
mod user;
pub mod vocabulary;
mod watch;

pub use accept::{ElementSession, ReceivedMessage};
pub use announce::{
    ASAP_ANNOUNCE_GROUP, ASAP_ANNOUNCE_GROUP_V6, AnnounceGroup, Announcing, ENRP_ANNOUNCE_GROUP,
    ENRP_ANNOUNCE_GROUP_V6, RSPLIB_ASAP_GROUP, RSPLIB_ENRP_GROUP,
};
pub use builder::{Builder, Configuration, EVENT_QUEUE, MAX_BUSY_POLL, Preset};
pub use call::CallOptions;
pub use connect::Connect;
pub use delivery::SESSION_QUEUE;
pub use element::PoolElement;
pub use error::{Ended, IdentifierTaken, Panicked, StartError, Stopped};
pub use error_queue::ErrorQueue;
pub use inspector::Inspector;
pub use io::{Intake, Io};
pub use memory::{CallCounters, Remembering};
pub use octets::{MessageSink, Octets, Sink};
pub use pairing::{Correlator, Pairing};
pub use patience::Patience;
pub use registrar::Registrar;
pub use rserpool_core::endpoint::pieces::MAX_LONG_MESSAGE;
#[cfg(feature = "tls")]
pub use rserpool_tls as tls;
pub use runtime::{
    AsyncRead, AsyncWrite, BoxFuture, ByteStream, Connecting, Listener, Received, Runtime, Socket,
};
pub use seal::{CookieKey, CookieKeys, KeyTooShort};
pub use serve::{Incoming, SERVED_AT_ONCE};
pub use session::{Session, SessionEvent};
pub use tcp::TcpListening;
#[cfg(feature = "tower")]
pub use tower::CallService;
#[cfg(feature = "udp")]
pub use udp::{BatchedSocket, Direction, SocketRef, Watched};
pub use user::{PoolUser, UserStatus};
pub use watch::{PoolState, Watch};
