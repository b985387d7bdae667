//! A deterministic simulated world for the state machines of `rserpool-core`.
//!
//! [`World`] runs registrars, elements and users, the very code of production, under a virtual
//! clock: minutes pass in milliseconds, and the same seed gives the same run, octet for octet.
//! Hosts crash, restart, stand still, are slow, cut off or moved; cables delay, lose and reorder.
//!
//! ```text
//!   your test                      the program rserpool-sim (feature cli)
//!       │ hosts, faults, time           │ seeds
//!       │                          ┌────▼─────────────────────────────┐
//!       │                          │ explore   draws worlds, judges   │
//!   ┌───▼──────────────────────────┴──────────────────────────────────┐
//!   │ World     hosts, cables, faults, one queue of what happens next  │
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
//! # Two modes
//!
//! [`Mode::Messages`] is what most worlds are made of: endpoints exchange encoded messages over
//! reliable associations that are modelled, and come up and break as those of SCTP do: a connection
//! needs both directions and ends at its deadline; a silent peer is given up after a while; a process
//! that has restarted answers with an ABORT, or replaces the old association with a new one; a
//! shutdown delivers first what is queued. Losses make messages late instead of lost. Two registrars
//! that connect to each other at once get one association. Flow control and several addresses of one
//! host are not modelled. Announcements are datagrams: they are lost, doubled and reordered.
//!
//! [`Mode::Packets`] runs whole nodes ([`rserpool_transport::node`]) with the SCTP stack of production, whose
//! packets go through cables that delay, lose, double and reorder them; about ten times as much work
//! for the same minute. It is repeatable, too: the stack does its handshakes itself and draws tags,
//! ports, TSNs and keys from its seed, and sctp-proto, which it lets carry data only, draws nothing
//! that leaves the host. So the hash covers every packet; a test and `explore --twice` compare it.
//!
//! Every element runs an echo service, every user sends supervised requests and keeps books:
//! [`Client::conversations`] says what was asked, answered, resent and when sessions moved.
//!
//! Endpoints of somebody's own run beside them, and pools select by policies of somebody's own: see
//! [`custom_endpoint`] for an example of each.
//!
//! # Exploration
//!
//! [`explore`] draws topology, timers, load and faults from a seed, and judges the world at every
//! step and when it has healed, come to rest and stopped. The program `rserpool-sim` does so for
//! many seeds, shrinks what fails, and repeats it:
//!
//! ```text
//! cargo run --release -p rserpool-sim-driver -- explore --seeds 0..2000
//! cargo run --release -p rserpool-sim-driver -- explore --packets --seeds 0..200
//! cargo run --release -p rserpool-sim-driver -- replay --seed 7 --trace trace.txt --pcap all.pcapng
//! ```
//!
//! Checked at every step: every message decodes and nobody finds fault with one; each command gets
//! exactly one answer, of a kind that it documents; no registration is lost and no element
//! given up without a reason; no element is selected that has been dead for longer than its
//! registrar's keep-alives allow; only its home removes an element; a handle table lists everything, and
//! nothing is removed before its last page; a failover notice comes before any data of the new element; no
//! request is answered twice; no registrar is taken over that lives and can be reached, none twice,
//! none before all that can have agreed, and none after a sign of life; no user is told that a pool is unknown which another registrar knows. At rest: all
//! registrars know each other, serve, and list the same elements with the same homes, which the
//! elements take for their homes; the dead are gone; checksums agree and equal a recomputation;
//! tables and timers are those of what is alive; users resolve what the registrars know; every
//! session is served and no supervised request lost; every element is asked for a sign of life. At the end everybody stops in time and leaves
//! nothing.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` (default) | the program `rserpool-sim`. A crate that only tests with a [`World`] turns it off |
//!
//! # Whether it would notice
//!
//! `mutation-check.sh` puts ten bugs into a copy of the tree, one at a time, and lets `explore` look
//! for each within 10,000 seeds. What it prints:
//!
//! ```text
//! updates of registrations are lost            found by seed 16: at rest all registrars list the same
//! a takeover without arbitration               found by seed 14: all have a say in a takeover
//! a takeover goes on when its target lives     found by seed 19: a sign of life stops a takeover
//! who takes over does not watch its elements   found by seed 0: at rest all registrars list the same
//! the checksum forgets an element              found by seed 3: the checksum equals a recomputation
//! the keep-alive timer is not armed again      found by seed 0: at rest every element is asked whether it lives
//! the cursor of a download stays at the end    found by seed 5: a table lists everything
//! DEL_PE is obeyed from anyone                 found by seed 14: only its home removes an element
//! both yield an element that two claim         found by seed 78: at rest all registrars list the same
//! an audit sweeps before its last page         found by seed 165: a resynchronisation removes nothing before its last page
//! 10 of 10 found
//! ```
//!
//! # How fast it is
//!
//! `rserpool-sim bench` prints seeds, events and simulated seconds per second, the speed-up with two
//! threads, and how much faster than real three registrars with 100 elements are, in both modes.
//!
//! # How it is built
//!
//! Arrows go down only. At the bottom are data: names, random streams, faults, associations, cables;
//! above them processes and hosts, then the world, which owns everything. What a world does is split by
//! subject: `course` (what is due), `running` (processes), `transport`, `handshake` (modelled associations),
//! `packets` (real ones), `breaking` (faults), `narration` (traces), `invariants`, `scope`, `agreement` (what
//! must hold). [`explore`] is on top.

mod applications;
mod associations;
pub mod explore;
mod fault;
mod hosts;
mod id;
mod judges;
mod network;
mod random;
mod record;
mod schedule;
mod violation;
mod world;

pub use applications::{Client, Conversation, Failover, Load, Note, Server, Service};
pub use fault::{Fault, Order};
pub use hosts::custom_endpoint;
pub use hosts::{Custom, CustomProcess, Host, Mode, Process, Program, Startup};
pub use id::{HostId, UDP_PORT};
pub use network::{Cable, Sctp};
pub use record::{Trace, TraceMode};
pub use violation::Violation;
pub use world::{World, WorldConfig};
