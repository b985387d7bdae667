//! The home registrar of an element, and the hunt for one.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::context::Context;
use super::interface::Notice;
use super::pace::pause;
use crate::base::{AssociationId, ConnectId, Instant, RegistrarId, SctpAddress, SctpPort, TransportAddress};
use crate::endpoint::ConnectError;
use crate::endpoint::hunt::{ConnectIds, Hunt, HuntConfig, RoundEnd};

/// The home registrar and the hunt. While there is a home, the hunt is off.
#[derive(Debug)]
pub(super) struct Registrar {
    home: Option<Home>,
    /// The association with the home registrar before this one, until this one has granted a registration.
    former: Option<AssociationId>,
    hunt: Hunt,
    connects: ConnectIds,
    /// T5 in the first round, and the longest that it grows.
    timeouts: (Duration, Duration),
    /// A hunt that is to begin.
    rest: Option<Rest>,
    /// When a hunt began last.
    hunted: Option<Instant>,
    /// Hunts since a home registrar last answered anything.
    vain: u32,
}

/// The pause before a hunt: a registrar that lets the element in and then ends the association must not make
/// it send a flood.
#[derive(Debug)]
struct Rest {
    until: Instant,
    avoid: Option<TransportAddress>,
}

/// The home registrar (ASAP-1.1-01: an element has at most one).
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) association: AssociationId,
    /// Its address as it was configured, announced, or seen.
    pub(super) registrar: TransportAddress,
    /// [`RegistrarId::NONE`] until it has named itself.
    pub(super) id: RegistrarId,
    /// Whether it has made itself the home by a keep-alive, and was not found by a hunt.
    pub(super) adopted: bool,
}

/// What a keep-alive means for the home registrar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Claim {
    /// Nothing changes.
    None,
    /// The sender is to become the home.
    Adopt,
    /// There is no home, and the sender may be one of our registrars.
    Vacant,
}

impl Registrar {
    /// No home, and a hunt that has not begun. A registrar connects to the port from which it was contacted.
    pub(super) fn new(hunt: HuntConfig<SctpAddress>, port: SctpPort) -> Self {
        Self {
            timeouts: (hunt.timeout, hunt.timeout_max),
            home: None,
            former: None,
            hunt: Hunt::new(hunt, port),
            connects: ConnectIds::default(),
            rest: None,
            hunted: None,
            vain: 0,
        }
    }

    pub(super) const fn home(&self) -> Option<&Home> {
        self.home.as_ref()
    }

    /// Looks for these registrars from now on, instead of those that were configured.
    pub(super) fn use_registrars(&mut self, registrars: Vec<SctpAddress>) {
        self.hunt.use_registrars(registrars.into_iter().map(Into::into).collect());
    }

    /// The home registrar, if this association leads to it.
    pub(super) fn home_at(&self, association: AssociationId) -> Option<&Home> {
        self.home.as_ref().filter(|home| home.association == association)
    }

    /// Makes a registrar the home, and ends the hunt.
    pub(super) fn set_home(&mut self, context: &mut Context, home: Home) -> &Home {
        self.stop_hunt(context);
        if let Some(former) = self.home.as_ref().map(|home| home.association)
            && former != home.association
        {
            self.former = Some(former);
        }
        self.home.insert(home)
    }

    pub(super) const fn take_home(&mut self) -> Option<Home> {
        self.home.take()
    }

    /// The home registrar, no longer kept, if this association led to it.
    pub(super) fn take_home_at(&mut self, association: AssociationId) -> Option<Home> {
        self.home.take_if(|home| home.association == association)
    }

    /// The home registrar has answered a registration or has sent a keep-alive: it serves.
    pub(super) const fn handle_served(&mut self) {
        self.vain = 0;
    }

    /// The home registrar has granted a registration. Returns the association with the one before it: a registrar
    /// with which an element has registered takes itself for its home while that association is up.
    pub(super) fn take_former(&mut self) -> Option<AssociationId> {
        let former = self.former.take()?;
        self.home_at(former).is_none().then_some(former)
    }

    /// Whether a hunt is on, or about to begin.
    pub(super) const fn is_hunting(&self) -> bool {
        self.hunt.is_on() || self.rest.is_some()
    }

    /// The known registrar at an address.
    pub(super) fn known_at(&self, now: Instant, peer: &TransportAddress) -> Option<&TransportAddress> {
        self.hunt.registrar_at(now, peer)
    }

    /// Begins to hunt: at once, unless the last hunt has begun only just now; after longer and longer pauses if
    /// the registrars that were found have never answered anything.
    pub(super) fn start_hunt(
        &mut self,
        now: Instant,
        context: &mut Context,
        avoid: Option<TransportAddress>,
    ) {
        let (shortest, longest) = self.timeouts;
        let pause = pause(self.vain, shortest, longest);
        self.vain = self.vain.saturating_add(1);
        match self.hunted.map(|hunted| hunted + pause) {
            Some(until) if until > now => self.rest = Some(Rest { until, avoid }),
            _ => self.begin_hunt(now, context, avoid),
        }
    }

    fn begin_hunt(&mut self, now: Instant, context: &mut Context, avoid: Option<TransportAddress>) {
        debug_assert!(self.home.is_none(), "an element hunts for its only registrar");
        context.counters.hunts += 1;
        self.hunted = Some(now);
        self.hunt.start(now, avoid, &mut self.connects, &mut context.outbox.actions);
    }

    pub(super) fn stop_hunt(&mut self, context: &mut Context) {
        self.rest = None;
        self.hunt.stop(&mut context.outbox.actions);
    }

    /// An attempt has succeeded: the registrar becomes the home. `None` if it is not an attempt of the hunt.
    pub(super) fn handle_connected(
        &mut self,
        context: &mut Context,
        request: ConnectId,
        association: AssociationId,
    ) -> Option<&Home> {
        let registrar = self.hunt.handle_connected(request, &mut context.outbox.actions)?;
        Some(self.home.insert(Home { association, registrar, id: RegistrarId::NONE, adopted: false }))
    }

    /// An attempt has failed.
    pub(super) fn handle_connect_failed(
        &mut self,
        now: Instant,
        context: &mut Context,
        request: ConnectId,
        reason: &ConnectError,
    ) {
        let (ids, actions) = (&mut self.connects, &mut context.outbox.actions);
        self.hunt.handle_connect_failed(now, request, reason, ids, actions);
    }

    pub(super) fn handle_announce(
        &mut self,
        now: Instant,
        context: &mut Context,
        source: SocketAddr,
        bytes: &Bytes,
    ) {
        let (ids, actions) = (&mut self.connects, &mut context.outbox.actions);
        match self.hunt.handle_announce(now, source, bytes, ids, actions) {
            true => context.counters.announces += 1,
            false => context.counters.bad_announces += 1,
        }
    }

    /// A message has come over an association: if it leads to the home, the home answers.
    pub(super) fn heard(&mut self, association: AssociationId) {
        if let Some(home) = &self.home
            && home.association == association
        {
            self.hunt.answered(&home.registrar);
        }
    }

    /// A registrar has sent a keep-alive, which may name it for the first time, or under another name.
    pub(super) fn handle_keep_alive(
        &mut self,
        context: &mut Context,
        association: AssociationId,
        sender: RegistrarId,
        wants_home: bool,
    ) -> Claim {
        match &mut self.home {
            _ if sender == RegistrarId::NONE => Claim::None,
            Some(home) if home.association == association => {
                let renamed = home.id != RegistrarId::NONE && home.id != sender;
                home.id = sender;
                if renamed {
                    context.outbox.tell(Notice::HomeChanged { home: sender });
                }
                Claim::None
            }
            Some(home) if home.id == sender => Claim::None,
            _ if wants_home => Claim::Adopt,
            Some(_) => Claim::None,
            None => Claim::Vacant,
        }
    }

    /// A deadline of the hunt may have passed. True if the hunt is given up.
    pub(super) fn handle_timeout(&mut self, now: Instant, context: &mut Context) -> bool {
        if let Some(rest) = self.rest.take_if(|rest| rest.until <= now) {
            self.begin_hunt(now, context, rest.avoid);
        }
        match self.hunt.handle_timeout(now, &mut self.connects, &mut context.outbox.actions) {
            Some(RoundEnd::GoesOn { tried }) => {
                context.outbox.tell(Notice::NoRegistrar { tried });
                false
            }
            Some(RoundEnd::GivenUp { tried }) => {
                context.outbox.tell(Notice::NoRegistrar { tried });
                true
            }
            None => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.rest.as_ref().map(|rest| rest.until).or_else(|| self.hunt.poll_timeout())
    }
}
