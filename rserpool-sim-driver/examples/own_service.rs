//! State machines of your own on the endpoints of the core, under a virtual clock: a counter that moves with its
//! session when its server dies.
//!
//! ```text
//! cargo run -p rserpool-sim-driver --example own_service
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, PoolHandle, ProtocolId};
use rserpool_core::user::RequestId;
use rserpool_services::{Client, ClientAction, ClientEvent, Service, ServiceAction, ServiceEvent};
use rserpool_sim_driver::services::{After, Application, ApplicationUser, ServiceElement};
use rserpool_sim_driver::{Fault, Program, World, WorldConfig};

const COUNT: ProtocolId = ProtocolId(0x4321);

/// The server: every message of a session is answered with how many there were. The count is left with the user.
#[derive(Debug, Default)]
struct Counter {
    counts: BTreeMap<AssociationId, u8>,
    actions: VecDeque<ServiceAction>,
}

impl Service for Counter {
    fn handle_event(&mut self, _: Instant, event: ServiceEvent) {
        match event {
            ServiceEvent::Restored { session, cookie } => {
                self.counts.insert(session, cookie.first().copied().unwrap_or_default());
            }
            ServiceEvent::Received { session, protocol, .. } => {
                let count = self.counts.entry(session).or_default();
                *count += 1;
                let bytes = Bytes::copy_from_slice(&[*count]);
                self.actions.push_back(ServiceAction::SendCookie { session, cookie: bytes.clone() });
                self.actions.push_back(ServiceAction::Send { session, protocol, bytes });
            }
            _ => {}
        }
    }

    fn poll_action(&mut self) -> Option<ServiceAction> {
        self.actions.pop_front()
    }
}

/// The user's side: asks once a second, until the count is ten.
#[derive(Debug)]
struct Asking {
    next: Instant,
    asked: u64,
    actions: VecDeque<ClientAction<u8>>,
}

impl Client for Asking {
    type Report = u8;

    fn handle_event(&mut self, _: Instant, event: ClientEvent) {
        if let ClientEvent::Received { bytes, .. } = event {
            let count = bytes.first().copied().unwrap_or_default();
            self.actions.push_back(ClientAction::Answered(RequestId(self.asked)));
            self.actions.push_back(ClientAction::Report(count));
            if count == 10 {
                self.actions.push_back(ClientAction::Close);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.next = now + Duration::from_secs(1);
        self.asked += 1;
        let (request, bytes) = (RequestId(self.asked), Bytes::from_static(b"?"));
        self.actions.push_back(ClientAction::Request { request, protocol: COUNT, bytes });
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }

    fn poll_action(&mut self) -> Option<ClientAction<u8>> {
        self.actions.pop_front()
    }
}

/// What the user does: one session, and it remembers the counts.
#[derive(Debug, Default)]
struct OneSession {
    counts: Vec<u8>,
}

impl Application for OneSession {
    type Client = Asking;

    fn next(&mut self, now: Instant, after: After) -> Option<(Instant, PoolHandle)> {
        (after == After::Start).then(|| (now, "Counters".into()))
    }

    fn begin(&mut self, now: Instant) -> Asking {
        Asking { next: now + Duration::from_secs(1), asked: 0, actions: VecDeque::new() }
    }

    fn report(&mut self, _: Instant, _: &mut Asking, count: u8) {
        self.counts.push(count);
    }
}

pub(crate) fn main() {
    let mut world = World::new(WorldConfig::lan(1));
    let registrar = world.fast_registrar("r");
    let elements = ["e1", "e2"].map(|name| {
        let config = world.element_config("Counters", &[registrar]);
        world.add(name, Program::Custom(ServiceElement::program(config, |_| Counter::default())))
    });
    world.run_for(Duration::from_secs(1));
    let config = world.user_config(&[registrar]);
    let user = world.add("u", Program::Custom(ApplicationUser::program(config, |_| OneSession::default())));

    // After five and a half seconds the server dies.
    world.run_for(Duration::from_millis(5_500));
    world.apply(Fault::Kill(elements[0]));
    world.run_for(Duration::from_secs(10));

    let counts = &world.custom::<ApplicationUser<OneSession>>(user).expect("it runs").application().counts;
    assert_eq!(*counts, (1..=10).collect::<Vec<u8>>(), "the count has moved with the session");
    assert_eq!(world.violation(), None);
    println!("{counts:?}, although the server of the first ones died");
}
