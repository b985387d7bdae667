//! The services that other implementations of Reliable Server Pooling offer, too, as state machines without I/O.
//!
//! | service | pool | payload protocol identifier | what it does |
//! |---|---|---|---|
//! | [`Echo`] | `EchoPool` | any | each message goes back |
//! | [`Discard`] | `DiscardPool` | any | messages are swallowed |
//! | [`Daytime`] | `DaytimePool` | 0 | sends the time as text, and ends the session |
//! | [`CharGen`] | `CharGenPool` | 0 | lines of printable characters without end |
//! | [`ping_pong`] | `PingPongPool` | 33 | answers with a number that counts up over the whole session; its cookie carries it |
//! | [`calc_app`] | `CalcAppPool` | 34 | jobs that share an element's capacity; its cookie carries how far a job has come |
//!
//! A [`Service`] is what a pool element offers: it is told what its users do, and says what is to be sent. A
//! [`Client`] is its counterpart at a pool user. Neither knows sockets, clocks or tasks, so that the same code runs on
//! every runtime and in a simulator. Whoever runs one does the same for it as for an endpoint: hands in an event or
//! an expired deadline, carries out its actions in order, and sleeps until the next event or deadline. With the feature
//! `driver`, `serve` and `play` do that for the handles of all runtimes.
//!
//! The formats are those of RSPLIB, with whose users and elements these services work.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "driver")]
extern crate std;

pub mod calc_app;
mod char_gen;
mod client;
mod daytime;
mod discard;
mod echo;
pub mod ping_pong;
#[cfg(feature = "driver")]
mod run;
mod service;
mod wire;

pub use char_gen::CharGen;
pub use client::{Client, ClientAction, ClientEvent};
pub use daytime::Daytime;
pub use discard::Discard;
pub use echo::Echo;
#[cfg(feature = "driver")]
#[cfg_attr(docsrs, doc(cfg(feature = "driver")))]
pub use run::{Told, play, serve};
pub use service::{Service, ServiceAction, ServiceEvent};
pub use wire::FormatError;
