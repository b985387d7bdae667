//! A deterministic simulated world for the state machines of `rserpool-core`.
//!
//! [`World`] runs registrars, elements and users, the very code of production, under a virtual
//! clock: minutes pass in milliseconds, and the same seed gives the same run, octet for octet.
//! Hosts crash, restart, stand still, are slow, cut off or moved; links delay, lose and reorder.
//!
//! ```text
//!   your test                      the program rserpool-sim (feature cli)
//!       │ hosts, faults, time           │ seeds
//!       │                          ┌────▼─────────────────────────────┐
//!       │                          │ explore   draws worlds, judges   │
//!   ┌───▼──────────────────────────┴──────────────────────────────────┐
//!   │ World     hosts, links, faults, one queue of what happens next  │
//!   │ Trace     every step as text, or as a capture for Wireshark     │
//!   └─────▲ actions ────────────────────────────────────────│ events ─┘
//!         │             (the contract of endpoints)         ▼
//!   ┌─────┴───────────────────────────────────────────────────────────┐
//!   │ rserpool-core: registrars, elements, users; or your own         │
//!   └─────────────────────────────────────────────────────────────────┘
//! ```
//!
//! ```
//! use std::time::Duration;
//! use rserpool_sim_driver::{Fault, World, WorldConfig};
//!
//! let mut world = World::new(WorldConfig::lan(1));
//! let registrar = world.fast_registrar("r");
//! let element = world.fast_element("e", "EchoPool", &[registrar]);
//! world.run_for(Duration::from_secs(1));
//! let listed = |world: &World| world.registrar(registrar).unwrap().handlespace().element_count();
//! assert_eq!(listed(&world), 1);
//!
//! // The element dies; its registrar notices within 425 ms.
//! world.apply(Fault::Kill(element));
//! world.run_for(Duration::from_millis(425));
//! assert_eq!(listed(&world), 0);
//!
//! // Nothing has happened that must never happen.
//! assert_eq!(world.violation(), None);
//! println!("{}", world.trace().text());
//! ```
//!
//! # What is modelled
//!
//! Endpoints exchange encoded messages over reliable associations that come up and break as those
//! of SCTP do: a connection needs both directions and ends at its deadline; a silent peer is given
//! up after a while; a process that has restarted answers with an ABORT, or replaces the old
//! association with a new one; a shutdown delivers first what is queued. Losses make messages late
//! instead of lost. Two registrars that connect to each other at once get one association.
//! Announcements are datagrams: they are lost, doubled and reordered.
//!
//! Every element runs an echo service, every user sends supervised requests and keeps books:
//! [`Client::conversations`] says what was asked, answered, resent and when sessions moved.
//!
//! Endpoints of somebody's own run beside them: see [`custom`] for an example.
//!
//! # Exploration
//!
//! [`explore`] draws topology, timers, load and faults from a seed, and judges the world at every
//! step and when it has healed, come to rest and stopped. The program `rserpool-sim` does so for
//! many seeds, shrinks what fails, and repeats it:
//!
//! ```text
//! cargo run --release -p rserpool-sim-driver -- explore --seeds 0..2000
//! cargo run --release -p rserpool-sim-driver -- replay --seed 7 --trace trace.txt --pcap all.pcapng
//! ```
//!
//! Checked at every step: every message decodes and nobody finds fault with one; each command gets
//! exactly one final notice, of a kind that it documents; no registration is lost and no element
//! given up without a reason; no element is selected that has been dead for longer than its
//! registrar's keep-alives allow; a failover notice comes before any data of the new element; no
//! request is answered twice; no registrar is taken over that lives and can be reached, and none
//! twice; no user is told that a pool is unknown which another registrar knows. At rest: all
//! registrars know each other, serve, and list the same elements with the same homes, which the
//! elements take for their homes; the dead are gone; checksums agree and equal a recomputation;
//! tables and timers are those of what is alive; users resolve what the registrars know; every
//! session is served and no supervised request lost. At the end everybody stops in time and leaves
//! nothing.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` (default) | the program `rserpool-sim`. A crate that only tests with a [`World`] turns it off |
//!
//! # What is not here yet
//!
//! * Whole nodes with real SCTP packets through a lossy link. Flow control and several addresses
//!   of one host are not modelled either.

mod agreement;
mod app;
mod association;
mod capture;
pub mod custom;
pub mod explore;
mod fault;
mod handshake;
mod host;
mod invariants;
mod narration;
mod network;
mod presets;
mod queue;
mod random;
mod running;
mod scope;
mod trace;
mod transport;
mod verdict;
mod world;

pub use app::{Client, Conversation, Failover, Load, Note, Server, Service, Violation};
pub use custom::{Custom, Place};
pub use fault::{Fault, Order};
pub use host::{Host, HostId, Machinery, Process, Program};
pub use network::{Link, Sctp};
pub use trace::{Trace, TraceMode};
pub use world::{UDP_PORT, World, WorldConfig};
