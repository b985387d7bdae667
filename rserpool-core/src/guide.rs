//! Write your own driver: how to run an endpoint where no adapter exists yet.
//!
//! A driver connects the state machines with the world: it reads the clock, moves octets and sleeps. This
//! page builds one, piece by piece; `cargo test` compiles and runs every piece. The rules it follows are
//! those of [`endpoint`](crate::endpoint).
//!
//! # Where to cut
//!
//! ```text
//!   your program: commands, answers, notices
//!                    │
//!      A ────────────┼──────────── futures of some runtime
//!                    │
//!          rserpool-driver: event loop, handles
//!                    │
//!      B ────────────┼──────────── datagrams
//!                    │
//!          rserpool-transport: node, SCTP
//!                    │
//!      C ────────────┼──────────── events and actions: associations, messages
//!                    │
//!   registrar   element   user   your own endpoint
//! ```
//!
//! | you have | cut at | take | it looks like |
//! |---|---|---|---|
//! | a runtime for `async` | A | `rserpool-driver` | the crates `rserpool-tokio` and `rserpool-smol`: two traits, `Runtime` and `Socket`, and `Listener` for TCP |
//! | UDP sockets, threads or an event loop | B | `rserpool-transport` | its example `blocking`, [below](#datagrams) |
//! | associations: SCTP of a kernel, a bus, memory | C | this crate | `examples/custom_transport.rs` |
//! | a device without an operating system | C | this crate without default features | the program in `rserpool-core/no-std` |
//!
//! # A clock and a seed
//!
//! Time is a number of nanoseconds since an origin that you choose. It must not go backwards. On a device,
//! count ticks; with `std`, use the monotonic clock:
//!
//! ```
//! use rserpool_core::base::Instant;
//!
//! let origin = std::time::Instant::now();
//! let clock = || Instant::ORIGIN + origin.elapsed();
//! assert!(clock() <= clock());
//! ```
//!
//! Random numbers follow from the seed in the configuration. In production, take the seed from the operating
//! system, since identifiers are drawn from it. In a test, take a constant: the test is then the same every
//! time.
//!
//! # One turn
//!
//! The same follows every input: carry out the actions of the endpoint, and pass on what it tells. This
//! function is a whole driver except that it does not sleep:
//!
//! ```
//! use rserpool_core::base::{AssociationId, CommandId, Instant, SctpAddress, SctpPort, UdpPort};
//! use rserpool_core::element::{Element, ElementConfig};
//! use rserpool_core::endpoint::{Action, Connected, Endpoint, Event, Origin, Output};
//!
//! /// What the world has for an endpoint.
//! enum Input<C> {
//!     Event(Event),
//!     Command(CommandId, C),
//!     Time,
//! }
//!
//! fn turn<E: Endpoint>(
//!     endpoint: &mut E,
//!     now: Instant,
//!     input: Input<E::Command>,
//!     mut carry_out: impl FnMut(Action),
//!     mut tell: impl FnMut(Output<E::Answer, E::Notice>),
//! ) {
//!     match input {
//!         Input::Event(event) => endpoint.handle_event(now, event),
//!         Input::Command(id, command) => endpoint.handle_command(now, id, command),
//!         Input::Time => endpoint.handle_timeout(now),
//!     }
//!     while let Some(action) = endpoint.poll_action() {
//!         carry_out(action);
//!     }
//!     while let Some(output) = endpoint.poll_output() {
//!         tell(output);
//!     }
//! }
//!
//! // An element looks for its registrar as soon as it exists: without any other input, hand in the time.
//! let registrar = SctpAddress::new([192, 0, 2, 1].into(), SctpPort(3863), UdpPort(9899));
//! let mut config = ElementConfig::rfc("EchoPool".into(), 1);
//! config.addresses = vec![[192, 0, 2, 2].into()];
//! config.udp_port = UdpPort(9899);
//! config.hunt.registrars = vec![registrar.clone()];
//! let mut element = Element::new(config, Instant::ORIGIN);
//! let mut wanted = Vec::new();
//! turn(&mut element, Instant::ORIGIN, Input::Time, |action| wanted.push(action), |_| ());
//! let [Action::Connect { request, local_port, peer, .. }] = &wanted[..] else { panic!("{wanted:?}") };
//! assert_eq!(*peer, registrar.clone().into());
//!
//! // The transport has connected them: the element registers, with one message.
//! let home = AssociationId::sctp(1);
//! let up = Event::Connected(Connected::new(home, Origin::Attempt(*request), *local_port, registrar));
//! let mut sent = 0;
//! let carry_out = |action| match action {
//!     Action::Send { association, .. } if association == home => sent += 1,
//!     other => panic!("{other:?}"),
//! };
//! turn(&mut element, Instant::ORIGIN, Input::Event(up), carry_out, |_| ());
//! assert_eq!(sent, 1);
//! ```
//!
//! # Commands, answers and notices
//!
//! A command carries a name of your choice, and gets exactly one answer with that name, at once or later.
//! A driver therefore keeps the callers that wait in a map by that name, and needs nothing else. A notice
//! carries no name: the application has not asked for it. Both come out of one queue, in their order:
//!
//! ```
//! use rserpool_core::base::{CommandId, Instant, SctpAddress, SctpPort, UdpPort};
//! use rserpool_core::endpoint::{Endpoint, Output};
//! use rserpool_core::user::{Answer, Command, Resolve, User, UserConfig};
//!
//! let registrar = SctpAddress::new([192, 0, 2, 1].into(), SctpPort(3863), UdpPort(9899));
//! let mut config = UserConfig::rfc(1);
//! config.hunt.registrars = vec![registrar.into()];
//! let mut user = User::new(config);
//! let purge = Command::Purge { handle: "EchoPool".into() };
//! user.handle_command(Instant::ORIGIN, CommandId(7), purge);
//! assert_eq!(user.poll_output(), Some(Output::Answer(CommandId(7), Answer::Noted)));
//!
//! // This one needs a registrar first: the answer comes when there is one, or none was found in time.
//! let resolve = Command::Resolve(Resolve::new("EchoPool".into()));
//! user.handle_command(Instant::ORIGIN, CommandId(8), resolve);
//! assert_eq!(user.poll_output(), None);
//! assert!(user.poll_action().is_some());
//! ```
//!
//! # Sleep
//!
//! After every turn, ask for the one deadline, and sleep until then or until something arrives. Waking up
//! early changes nothing, so one timer of any precision is enough:
//!
//! ```
//! use core::time::Duration;
//! use rserpool_core::base::{Instant, RegistrarId};
//! use rserpool_core::endpoint::{Action, Endpoint};
//! use rserpool_core::registrar::{Registrar, RegistrarConfig};
//!
//! let mut config = RegistrarConfig::rfc(Some(RegistrarId(1)), 1);
//! config.announce = true;
//! config.addresses = vec![[192, 0, 2, 1].into()];
//! let mut registrar = Registrar::new(config, Instant::ORIGIN);
//! while registrar.poll_output().is_some() {}
//!
//! // It announces itself at once, and then every second.
//! assert_eq!(registrar.poll_timeout(), Some(Instant::ORIGIN));
//! registrar.handle_timeout(Instant::ORIGIN);
//! assert!(matches!(registrar.poll_action(), Some(Action::Announce { .. })));
//! let due = Instant::ORIGIN + Duration::from_secs(1);
//! assert_eq!((registrar.poll_action(), registrar.poll_timeout()), (None, Some(due)));
//!
//! registrar.handle_timeout(Instant::ORIGIN + Duration::from_millis(500));
//! assert_eq!((registrar.poll_action(), registrar.poll_timeout()), (None, Some(due)));
//!
//! registrar.handle_timeout(due + Duration::from_millis(3));
//! assert!(matches!(registrar.poll_action(), Some(Action::Announce { .. })));
//! assert!(registrar.poll_timeout() > Some(due));
//! ```
//!
//! # Leave
//!
//! [`begin_shutdown`](crate::endpoint::Endpoint::begin_shutdown) is one more input. The loop goes on
//! until [`is_stopped`](crate::endpoint::Endpoint::is_stopped), which comes at the deadline at the
//! latest: an element deregisters first, a registrar hands its elements over.
//!
//! ```
//! use core::time::Duration;
//! use rserpool_core::base::{Instant, RegistrarId};
//! use rserpool_core::endpoint::{Endpoint, Output};
//! use rserpool_core::registrar::{Notice, Registrar, RegistrarConfig};
//!
//! let now = Instant::ORIGIN;
//! let mut registrar = Registrar::new(RegistrarConfig::rfc(Some(RegistrarId(1)), 1), now);
//! registrar.begin_shutdown(now, now + Duration::from_secs(2));
//! while registrar.poll_action().is_some() {}
//! let last = core::iter::from_fn(|| registrar.poll_output()).last();
//! assert_eq!(last, Some(Output::Notice(Notice::Stopped)));
//! assert!(registrar.is_stopped());
//! ```
//!
//! # Datagrams
//!
//! With the crate `rserpool-transport`, a driver need not understand the actions: its `Node` gives them to
//! its `Sctp`, and only datagrams in and out remain. The front page of that crate shows a whole registrar on
//! one blocking socket, which `cargo run -p rserpool-transport --example blocking` runs.
//!
//! # Before you use it in production
//!
//! * Check the configuration (`check`) before you make the endpoint, which takes it as it is.
//! * Bound your queues. An endpoint keeps something for each association, so the transport bounds their
//!   number; you bound the notices that the application has not fetched. If the application hangs, stop the
//!   loop: then keep-alives go unanswered, and users move to an element that works.
//! * Let no source of input starve another one: hand in one thing, drain everything, then go to the next
//!   source.
//! * Never call an endpoint with an earlier time than before. If your clock can jump back, use the latest
//!   time until it has caught up.
//! * Record the inputs with their times when something goes wrong. The same inputs give the same outputs, so
//!   the record is a complete bug report.
