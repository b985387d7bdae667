//! The place of the element in its pool, and how far a change of it has come.

use alloc::vec::Vec;

use crate::base::{CommandId, Instant};
use crate::wire::Policy;

/// The place of the element in its pool.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) step: Step,
    pub(super) policy: Policy,
    /// Registrations sent since the last one that was granted.
    pub(super) attempts: u32,
    /// A registrar has granted a registration, and none has ended it since.
    pub(super) granted: bool,
    /// A registrar may list the element, granted or not.
    pub(super) listed: bool,
    /// The policy has changed since the registration that is under way.
    pub(super) changed: bool,
    /// Removals by a registrar since a registration last stood for a whole T4.
    pub(super) removals: u32,
}

/// What the element is about.
#[derive(Debug)]
pub(super) enum Step {
    /// It hunts for a registrar in order to register.
    Seeking,
    /// It waits for the answer to a registration.
    Registering { t2: Instant },
    /// It is registered.
    Registered { t4: Instant },
    /// It was removed again and again, and waits before it registers anew.
    BackingOff { until: Instant },
    /// It has stopped trying.
    GivenUp { refused: bool },
    /// It leaves the pool.
    Leaving(Leaving),
    /// It has left the pool.
    Left,
}

impl Membership {
    pub(super) const fn new(policy: Policy) -> Self {
        Self {
            step: Step::Seeking,
            policy,
            attempts: 0,
            granted: false,
            listed: false,
            changed: false,
            removals: 0,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.step {
            Step::Registering { t2: at } | Step::Registered { t4: at } | Step::BackingOff { until: at } => {
                Some(*at)
            }
            Step::Leaving(leaving) => Some(leaving.deadline()),
            Step::Seeking | Step::GivenUp { .. } | Step::Left => None,
        }
    }
}

/// A deregistration that is under way.
#[derive(Debug)]
pub(super) struct Leaving {
    /// When it ends in any case.
    pub(super) until: Instant,
    /// When T3 expires, if the request has been sent.
    pub(super) t3: Option<Instant>,
    /// Whether another registrar has been looked for.
    pub(super) retried: bool,
    /// The commands to be answered.
    pub(super) waiting: Vec<CommandId>,
}

impl Leaving {
    pub(super) fn deadline(&self) -> Instant {
        self.t3.map_or(self.until, |t3| t3.min(self.until))
    }
}
