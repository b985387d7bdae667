//! Endpoints and selection policies of your own in a simulated world.
//!
//! Any type that implements [`Endpoint`] can run on a host, beside registrars, elements and users, and is
//! broken like them. This one is a load tool: one process with one association that is many elements.
//!
//! ```
//! use std::collections::VecDeque;
//! use std::time::Duration;
//! use rserpool_core::base::{ASAP_PORT, CommandId, ConnectId, ElementId, Instant, ProtocolId, SctpPort};
//! use rserpool_core::base::{RegistrarId, SctpAddress};
//! use rserpool_core::endpoint::{Action, Connected, Endpoint, Event, Outbox, Output};
//! use rserpool_core::wire::{AsapMessage, Padding, Policy, PoolElement, RegistrationLife};
//! use rserpool_core::wire::{SctpTransport, Transport, TransportUse};
//! use rserpool_sim_driver::{Custom, Fault, Startup, Program, World, WorldConfig};
//!
//! #[derive(Debug)]
//! struct Crowd {
//!     startup: Startup,
//!     registered: u32,
//!     out: Outbox<(), String>,
//! }
//!
//! impl Crowd {
//!     /// It connects at once.
//!     fn new(startup: Startup, registrar: SctpAddress) -> Self {
//!         let mut out = Outbox::default();
//!         let deadline = startup.now + Duration::from_secs(1);
//!         out.act(Action::Connect { request: ConnectId(1), local_port: SctpPort(7), peer: registrar.into(), deadline });
//!         Self { startup, registered: 0, out }
//!     }
//!
//!     fn element(&self, id: u32) -> PoolElement {
//!         let user_transport = Transport::Sctp(SctpTransport {
//!             port: 7,
//!             usage: TransportUse::DataPlusControl,
//!             addresses: vec![self.startup.address].into(),
//!         });
//!         PoolElement {
//!             id: ElementId(id),
//!             home: RegistrarId::NONE,
//!             life: RegistrationLife(300),
//!             user_transport,
//!             policy: Policy::RoundRobin,
//!             asap_transport: None,
//!             encapsulation: None,
//!         }
//!     }
//! }
//!
//! impl Endpoint for Crowd {
//!     type Command = ();
//!     type Answer = ();
//!     type Notice = String;
//!
//!     fn handle_event(&mut self, _now: Instant, event: Event) {
//!         let mut send = |out: &mut Outbox<(), String>, association, message: AsapMessage| {
//!             out.send(association, ProtocolId::ASAP, message.encode(Padding::Padded).unwrap());
//!         };
//!         match event {
//!             Event::Connected(Connected { association, .. }) => {
//!                 for id in 1..=100 {
//!                     let element = self.element(id);
//!                     send(&mut self.out, association, AsapMessage::Registration { handle: "Crowd".into(), element });
//!                 }
//!             }
//!             Event::Message { association, bytes, .. } => match AsapMessage::decode(&bytes).unwrap().message {
//!                 AsapMessage::RegistrationResponse { rejected: false, .. } => self.registered += 1,
//!                 AsapMessage::EndpointKeepAlive { handle, element: Some(element), .. } => {
//!                     send(&mut self.out, association, AsapMessage::EndpointKeepAliveAck { handle, element });
//!                 }
//!                 other => self.out.tell(format!("{other:?}")),
//!             },
//!             _ => {}
//!         }
//!     }
//!
//!     fn handle_command(&mut self, _: Instant, _: CommandId, (): ()) {}
//!     fn handle_timeout(&mut self, _: Instant) {}
//!     fn poll_action(&mut self) -> Option<Action> { self.out.actions.pop_front() }
//!     fn poll_output(&mut self) -> Option<Output<(), String>> { self.out.outputs.pop_front() }
//!     fn poll_timeout(&self) -> Option<Instant> { None }
//!     fn begin_shutdown(&mut self, _: Instant, _: Instant) {}
//!     fn is_stopped(&self) -> bool { false }
//! }
//!
//! let mut world = World::new(WorldConfig::lan(1));
//! let scope = world.fast_registrars(2);
//! world.run_for(Duration::from_secs(1));
//! let registrar = world.address(scope[0], ASAP_PORT);
//! let crowd = Custom::new(&[SctpPort(7)], move |startup| Crowd::new(startup, registrar.clone()));
//! let crowd = world.add("crowd", Program::Custom(crowd));
//! world.run_for(Duration::from_millis(10));
//! assert_eq!(world.custom::<Crowd>(crowd).unwrap().registered, 100);
//! let listed = |world: &World, n: usize| world.registrar(scope[n]).unwrap().handlespace().element_count();
//! assert_eq!((listed(&world, 0), listed(&world, 1)), (100, 100));
//!
//! // It answers every keep-alive until it is killed.
//! world.run_for(Duration::from_secs(5));
//! assert_eq!(listed(&world, 1), 100);
//! world.apply(Fault::Kill(crowd));
//! world.run_for(Duration::from_secs(1));
//! assert_eq!((listed(&world, 0), listed(&world, 1)), (0, 0));
//! assert_eq!(world.violation(), None);
//! ```
//!
//! # A selection policy
//!
//! A selection policy of your own needs no endpoint: it is a part of the configuration of every registrar
//! whose scope has such a pool, and of the users, which choose among what they have been told. This one
//! prefers the element that costs least; how others are written, `examples/custom_policy.rs` of
//! `rserpool-core` shows.
//!
//! ```
//! use std::time::Duration;
//! use rserpool_core::base::Random;
//! use rserpool_core::element::ElementConfig;
//! use rserpool_core::policy::{Policies, SelectionPolicy, Slot};
//! use rserpool_core::user::UserConfig;
//! use rserpool_core::wire::{Policy, PolicyType};
//! use rserpool_sim_driver::{Fault, HostId, Load, Program, Service, World, WorldConfig};
//!
//! const CHEAPEST: PolicyType = PolicyType(0x8000_0001);
//!
//! /// The elements of one pool with what each costs, the cheapest first.
//! #[derive(Debug, Default)]
//! struct Cheapest(Vec<(u32, Slot)>);
//!
//! impl SelectionPolicy for Cheapest {
//!     fn insert(&mut self, slot: Slot, values: &Policy) {
//!         self.remove(slot);
//!         // What comes from the network may be anything: an element without a cost is dear.
//!         let cost = match values {
//!             Policy::Other { data, .. } => data.first_chunk().map_or(u32::MAX, |cost| u32::from_be_bytes(*cost)),
//!             _ => u32::MAX,
//!         };
//!         self.0.push((cost, slot));
//!         self.0.sort();
//!     }
//!     fn remove(&mut self, slot: Slot) {
//!         self.0.retain(|(_, other)| *other != slot);
//!     }
//!     fn select(&mut self, _: &mut Random, count: usize, selected: &mut Vec<Slot>) {
//!         selected.extend(self.0.iter().map(|(_, slot)| *slot).take(count));
//!     }
//! }
//!
//! let mut policies = Policies::default();
//! policies.add(CHEAPEST, Cheapest::default)?;
//! let mut world = World::new(WorldConfig::lan(1));
//!
//! // All registrars of the scope know the policy, or they would refuse its pools.
//! let scope = world.idle_registrars(2);
//! for registrar in &scope {
//!     world.configure_registrar(*registrar, |config| config.policies = policies.clone());
//!     world.apply(Fault::Start(*registrar));
//! }
//! let element = |world: &mut World, name: &str, cost: u32| {
//!     let policy = Policy::Other { kind: CHEAPEST, data: cost.to_be_bytes().to_vec().into() };
//!     let mut config = world.element_config("Pool", &scope);
//!     config.policy = policy;
//!     world.add(name, Program::Element(config, Service::default()))
//! };
//! let (dear, cheap) = (element(&mut world, "dear", 9), element(&mut world, "cheap", 1));
//! world.run_for(Duration::from_secs(1));
//! let mut config = world.user_config(&scope);
//! config.policies = policies;
//! let user = world.add("u", Program::User(config, Load::light("Pool".into())));
//! world.run_for(Duration::from_secs(1));
//!
//! // The cheap element serves; when it dies, the dear one.
//! let id = |world: &World, element: HostId| world.server(element).unwrap().element().id();
//! let serves = |world: &World| world.client(user).unwrap().conversations()[0].element;
//! assert_eq!(serves(&world), Some(id(&world, cheap)));
//! world.apply(Fault::Kill(cheap));
//! world.run_for(Duration::from_secs(2));
//! assert_eq!(serves(&world), Some(id(&world, dear)));
//! assert_eq!(world.violation(), None);
//! # Ok::<(), rserpool_core::policy::NotPrivate>(())
//! ```

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rserpool_core::base::{Instant, SctpPort};
use rserpool_core::endpoint::{Action, Endpoint, Event, Output};

/// What an endpoint is told when it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Startup {
    /// The present time.
    pub now: Instant,
    /// The address of its host; the UDP port is [`UDP_PORT`](crate::UDP_PORT).
    pub address: IpAddr,
    /// The seed of all its random choices; each start has another one.
    pub seed: u64,
}

type Start = dyn Fn(Startup) -> Box<dyn Machine> + Send + Sync;

/// How an endpoint of your own is started.
#[derive(Clone)]
pub struct Custom {
    /// The SCTP ports on which it listens.
    ports: Arc<[SctpPort]>,
    start: Arc<Start>,
}

impl Custom {
    /// A program that listens on these SCTP ports and makes its endpoint with `start`, each time its
    /// host is started.
    pub fn new<E>(ports: &[SctpPort], start: impl Fn(Startup) -> E + Send + Sync + 'static) -> Self
    where
        E: Endpoint + fmt::Debug + 'static,
        E::Answer: fmt::Debug,
        E::Notice: fmt::Debug,
    {
        Self { ports: ports.into(), start: Arc::new(move |startup| Box::new(Driven(start(startup)))) }
    }

    pub(crate) fn start(&self, startup: Startup) -> Box<dyn Machine> {
        (self.start)(startup)
    }

    pub(crate) fn ports(&self) -> &[SctpPort] {
        &self.ports
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom").field("ports", &self.ports).finish_non_exhaustive()
    }
}

/// Two are equal if one is a clone of the other.
impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.start, &other.start)
    }
}

impl Eq for Custom {}

/// An endpoint whose commands and notices the world does not know.
pub(crate) trait Machine: fmt::Debug {
    fn handle_event(&mut self, now: Instant, event: Event);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_action(&mut self) -> Option<Action>;
    fn poll_timeout(&self) -> Option<Instant>;
    fn begin_shutdown(&mut self, now: Instant, deadline: Instant);
    fn is_stopped(&self) -> bool;
    /// The next notice, for the trace.
    fn poll_note(&mut self) -> Option<String>;
    fn as_any(&self) -> &dyn Any;
}

/// See [`Machine`].
#[derive(Debug)]
struct Driven<E>(E);

impl<E> Machine for Driven<E>
where
    E: Endpoint + fmt::Debug + 'static,
    E::Answer: fmt::Debug,
    E::Notice: fmt::Debug,
{
    fn handle_event(&mut self, now: Instant, event: Event) {
        self.0.handle_event(now, event);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.0.poll_action()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        self.0.begin_shutdown(now, deadline);
    }

    fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }

    fn poll_note(&mut self) -> Option<String> {
        self.0.poll_output().map(|output| match output {
            Output::Answer(_, answer) => format!("{answer:?}"),
            Output::Notice(notice) => format!("{notice:?}"),
        })
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }
}
