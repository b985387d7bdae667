//! A deterministic simulated world for the state machines of `rserpool-core`.
//!
//! [`World`] runs the production code of registrars, elements and users under a virtual clock: minutes pass
//! in milliseconds, and the same seed gives the same run, octet for octet. Hosts crash, restart, freeze, are
//! slow, are cut off or move; cables delay, lose, duplicate and reorder packets.
//!
//! ```text
//!    your tests                           the program rserpool-sim (feature cli)
//!        │ hosts, faults, time                │ seeds, plans
//!        │                               ┌────▼──────────────────────────────┐
//!        │                               │ explore   draws plans, runs them, │
//!        │                               │           judges worlds at rest   │
//!    ┌───▼───────────────────────────────┴───────────────────────────────────┐
//!    │ World     lets scheduled things happen, and carries decisions out     │
//!    │   judges         what must hold at every step                         │
//!    │   record         the trace; a capture for Wireshark                   │
//!    │   associations   modelled SCTP, or rserpool-transport on each host    │
//!    │   hosts          programs and processes                               │
//!    │   network        addresses and cables                                 │
//!    └───┬───────────────▲───────────────────────────────────────────────────┘
//!        │ events        │ actions   (the contract of endpoints)
//!    ┌───▼───────────────┴───────────────────────────────────────────────────┐
//!    │ rserpool-core     registrars, elements, users; or endpoints of yours  │
//!    └───────────────────────────────────────────────────────────────────────┘
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
//! **[`Mode::Messages`]** is the usual one. Endpoints exchange encoded messages over reliable associations that
//! are modelled, and that come up and break like those of SCTP:
//!
//! * A connection needs both directions, and ends at its deadline.
//! * A peer that stays silent is given up after a while.
//! * A process that has restarted answers with an ABORT, or replaces the old association with a new one.
//! * A shutdown first delivers what is queued.
//! * Two registrars that connect to each other at once get one association.
//!
//! A loss delays a message instead of losing it. A cable may be slow: then each direction of an association
//! carries one message after the other. Announcements are datagrams: they are lost, duplicated and reordered.
//! Flow control and several addresses of one host are not modelled.
//!
//! **[`Mode::Packets`]** runs whole nodes ([`rserpool_transport::node`]) with the production SCTP stack. Its
//! packets go through the cables. The same minute takes about ten times as much work. Runs can be repeated in
//! this mode, too: the stack draws tags, ports, TSNs and keys from its seed, and does its handshakes itself.
//! sctp-proto, which carries its data, draws nothing that leaves the host. The hash of a trace covers every
//! packet; a test and `explore --twice` compare it.
//!
//! Every element runs an echo service. Every user sends supervised requests and remembers what became of them:
//! [`Client::conversations`] says what was asked, answered and sent again, and when sessions moved.
//!
//! Your own endpoints can run beside them, and pools can select by your own policies: [`custom_endpoint`] has
//! an example of each.
//!
//! # Exploration
//!
//! [`explore`] draws topology, timers, load and faults from a seed. It judges the world at every step, and again
//! when it has healed, come to rest and stopped. The program `rserpool-sim` does this for many seeds:
//!
//! ```text
//! cargo run --release -p rserpool-sim-driver -- explore --seeds 0..2000
//! cargo run --release -p rserpool-sim-driver -- explore --packets --seeds 0..200
//! ```
//!
//! Beside the usual faults, part of the worlds have [hardships](explore::Hardship): requests that take longer
//! than any time-out, servers that are full or close sessions, large requests over slow cables, clients that
//! take answers late, different presets and page sizes in one scope, lost updates, and pauses, restarts, reports
//! and departures at which time-outs matter. `--hardships full-servers,reports` draws no others.
//!
//! When a world violates an invariant, or a state machine panics, the program removes the faults that are not
//! needed, prints the rest as a plan, and saves it. A plan is a text that can be read, changed and run again
//! ([`explore::plan_text`]):
//!
//! ```text
//! cargo run --release -p rserpool-sim-driver -- replay failed-7.plan --trace trace.txt --pcap all.pcapng
//! ```
//!
//! Keep a plan that has found a bug in `tests/plans`, with a comment that names the bug: `cargo test` runs
//! every plan there. Do not keep seeds, because what a seed stands for may change with every version. `cargo
//! run --profile sim` explores with the debug assertions of the core and the simulator; it takes 9 % more
//! processor time.
//!
//! # Studies
//!
//! The module `study` (feature `study`) asks questions of worlds: how much do users get done if elements fail half of the
//! time, what does an attacker achieve? It repeats the failover paper of 2005, and runs experiments that are written as
//! TOML. The module `services` (feature `services`) brings state machines of your own into a world:
//! `examples/own_service.rs` is a whole one on a page.
//!
//! # What must hold
//!
//! At every step:
//!
//! * Every message decodes, and no receiver finds fault with it.
//! * Each command gets exactly one answer, of a kind that its documentation names.
//! * No registration is lost, and no element is given up, without a reason.
//! * An element that can be reached by all registrars that work stays on every list that it was on, whatever
//!   users report and whichever registrars die, stand still or start anew. The judge excuses what a cut, a pause
//!   or a restart of the element explains, for as long as associations need to recover and a registrar to ask it
//!   (two intervals and two time-outs of a keep-alive); a registration life that has run out; registrars that
//!   were cut off from each other; and two elements with one name.
//! * An element stays with the registrar with which it has registered last, unless elements are offered.
//! * One that can be reached again is listed again by all within a bound that follows from the configuration.
//! * One that has left is on no list once updates have arrived, and no registrar refuses its deregistration.
//! * Users report no element that they can reach. A report about a dead element takes effect at any registrar.
//!   An element gets only so many keep-alives in a second.
//! * A request is executed once while its server lives and can be reached. Sessions fail over only so often in
//!   a time.
//! * No element is selected after it has been dead for longer than the keep-alives of its registrar allow.
//! * Only its home removes an element.
//! * A handle table lists everything, and nothing is removed before its last page.
//! * The notice of a failover comes before any data from the new element. No request is answered twice.
//! * No registrar is taken over while it lives and can be reached, nor twice, nor before all that can have
//!   agreed, nor after a sign of life.
//! * No user is told that a pool is unknown while another registrar knows it.
//!
//! At rest:
//!
//! * All registrars know each other, serve, and list the same elements with the same homes; the elements name
//!   the same homes. The dead are gone.
//! * Checksums agree, and equal a recomputation. Registrars that can talk have missed no update.
//! * Tables and timers belong to what is alive.
//! * Users resolve what the registrars know. Every session is served, and no supervised request is lost.
//! * Every element is asked for a sign of life.
//!
//! At the end all processes stop in time and leave nothing behind.
//!
//! # Whether it would notice
//!
//! `mutants.sh` lets [cargo-mutants](https://mutants.rs) change one place of the registrar or the handlespace
//! at a time, and runs 200 worlds and the kept plans with each change. Of every eightieth change, 8 build,
//! and the worlds found 4 of them: omitted keep-alives and names, and announcements and deadlines that are
//! treated wrongly. They did not find a wrong pause before the next attempt, omitted offers of elements, a
//! wrong bound on the pages of a lying peer, and the report of a forged address: worlds judge what becomes of
//! a scope, and have no attackers. The unit tests check these.
//!
//! # How fast it is
//!
//! `rserpool-sim bench` prints seeds, events and simulated seconds per second, the speed-up with two threads,
//! how much faster than real time three registrars with 100 elements run, in both modes, and how long twenty
//! minutes of the failover paper take.
//!
//! # How it is built
//!
//! Arrows go down only, and each part keeps its state to itself. At the bottom are data: hosts' numbers,
//! random streams, faults, the schedule. `network` knows addresses and cables; `hosts` knows processes;
//! `associations` uses both. `record` keeps the trace, and `judges` look at hosts and network without
//! changing them. `world` owns all of these: it hands each part what it needs and carries out what it
//! returns. `explore` and `study` are on top; `study` uses `services`, which joins endpoints with services.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` (default) | the program `rserpool-sim`. A crate that only tests with a [`World`] turns it off |
//! | `services` | services of `rserpool-services`, and of your own, in a world |
//! | `study` | the failover paper, and experiments: sweeps, statistics, plots, reports |

#![cfg_attr(docsrs, feature(doc_cfg))]

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
#[cfg(feature = "services")]
#[cfg_attr(docsrs, doc(cfg(feature = "services")))]
pub mod services;
#[cfg(feature = "study")]
#[cfg_attr(docsrs, doc(cfg(feature = "study")))]
pub mod study;
mod violation;
mod world;

pub use applications::{Client, Closing, Conversation, Failover, Load, Note, Occasional, Server, Service};
pub use fault::{Fault, Order};
pub use hosts::custom_endpoint;
pub use hosts::{Custom, CustomProcess, Host, Mode, Process, Program, Startup};
pub use id::{HostId, UDP_PORT};
pub use network::{Cable, Sctp};
pub use record::{Sent, Trace, TraceMode, Traffic};
pub use violation::Violation;
pub use world::{World, WorldConfig};
