//! Somebody who disturbs a pool with messages that are valid.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use rserpool_core::base::{
    AssociationId, CommandId, ConnectId, ElementId, Instant, PoolHandle, ProtocolId, Random, RegistrarId,
    SctpAddress, SctpPort,
};
use rserpool_core::endpoint::{Action, Connected, Endpoint, Event, Output};
use rserpool_core::wire::{
    AsapMessage, Padding, Policy, PoolElement, RegistrationLife, SctpTransport, Transport, TransportUse,
};
use rserpool_services::calc_app::POOL;

use super::scenario::Attack;
use crate::hosts::Startup;

/// An attacker with one association to one registrar.
#[derive(Debug)]
pub(super) struct Attacker {
    startup: Startup,
    registrar: SctpAddress,
    attack: Attack,
    interval: Duration,
    policy: Policy,
    random: Random,
    association: Option<AssociationId>,
    next: Instant,
    /// The elements that it has heard of and has not reported yet.
    heard: VecDeque<ElementId>,
    actions: VecDeque<Action>,
}

impl Attacker {
    pub(super) fn new(
        startup: Startup,
        registrar: SctpAddress,
        attack: Attack,
        interval: Duration,
        policy: Policy,
    ) -> Self {
        let mut this = Self {
            startup,
            registrar,
            attack,
            interval,
            policy,
            random: Random::new(startup.seed),
            association: None,
            next: startup.now,
            heard: VecDeque::new(),
            actions: VecDeque::new(),
        };
        this.connect(startup.now);
        this
    }

    fn connect(&mut self, now: Instant) {
        let (peer, deadline) = (self.registrar.clone().into(), now + Duration::from_secs(5));
        self.actions.push_back(Action::Connect {
            request: ConnectId(1),
            local_port: SctpPort(0),
            peer,
            deadline,
        });
    }

    fn say(&mut self, message: &AsapMessage) {
        if let (Some(association), Ok(bytes)) = (self.association, message.encode(Padding::Padded)) {
            self.actions.push_back(Action::Send {
                association,
                protocol: ProtocolId::ASAP,
                stream: 0,
                bytes,
            });
        }
    }

    fn strike(&mut self) {
        let handle = PoolHandle::from(POOL);
        let ask = AsapMessage::HandleResolution { handle: handle.clone(), items: None, subscribe: false };
        match self.attack {
            Attack::Resolutions => self.say(&ask),
            Attack::Reports => match self.heard.pop_front() {
                Some(element) => self.say(&AsapMessage::EndpointUnreachable { handle, element }),
                None => self.say(&ask),
            },
            Attack::Registrations => {
                let element = self.invented();
                self.say(&AsapMessage::Registration { handle, element });
            }
        }
    }

    /// An element at our address, where nobody serves.
    fn invented(&mut self) -> PoolElement {
        let user_transport = Transport::Sctp(SctpTransport {
            port: 9,
            usage: TransportUse::DataPlusControl,
            addresses: vec![self.startup.address].into(),
        });
        PoolElement {
            id: ElementId(self.random.identifier()),
            home: RegistrarId::NONE,
            life: RegistrationLife(300),
            user_transport,
            policy: self.policy.clone(),
            asap_transport: None,
            encapsulation: None,
        }
    }
}

impl Endpoint for Attacker {
    type Command = Infallible;
    type Answer = Infallible;
    type Notice = Infallible;

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected(Connected { association, .. }) => {
                self.association = Some(association);
                self.next = now;
            }
            Event::Disconnected { .. } | Event::ConnectFailed { .. } => {
                self.association = None;
                self.connect(now);
            }
            Event::Message { bytes, .. } => {
                if let Ok(decoded) = AsapMessage::decode(&bytes)
                    && let AsapMessage::HandleResolutionResponse { elements, .. } = decoded.message
                {
                    self.heard.extend(elements.iter().map(|element| element.id));
                }
            }
            _ => {}
        }
    }

    fn handle_command(&mut self, _: Instant, _: CommandId, never: Infallible) {
        match never {}
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.association.is_some() && now >= self.next {
            self.next = now + self.interval;
            self.strike();
        }
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_output(&mut self) -> Option<Output<Infallible, Infallible>> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.association.map(|_| self.next)
    }

    fn begin_shutdown(&mut self, _: Instant, _: Instant) {}

    fn is_stopped(&self) -> bool {
        false
    }
}
