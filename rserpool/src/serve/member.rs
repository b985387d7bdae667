//! What happens to the membership of an element: what is said of it, and when it is tried again.

use std::ops::ControlFlow;
use std::time::Duration;

use rserpool_core::base::{RegistrarId, SctpAddress, TransportAddress};
use rserpool_core::element::{Notice, RegistrationError};
use rserpool_core::wire::{CauseCode, OperationError, Policy};
use rserpool_tokio::PoolElement;
use serde_json::json;

use crate::exit::Failure;
use crate::{client, output};

/// After how long an element that is not registered tries again; then twice as long, and so on.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const TRY_AGAIN_MAX: Duration = Duration::from_secs(30);

/// An element in its pool.
pub(super) struct Member {
    pub(super) element: PoolElement,
    /// What to type next at a terminal to use the pool, up to the registrar.
    pub(super) next: String,
    pub(super) policy: Policy,
    /// Whether to go on when no registrar answers.
    pub(super) patient: bool,
    pub(super) json: bool,
    /// The registrars that were named at the start.
    pub(super) registrars: Vec<SctpAddress>,
    /// The registrar that was named last; renewals are not worth a line.
    told: Option<TransportAddress>,
    /// The registrars of the last round of the hunt that found none.
    tried: Vec<TransportAddress>,
    /// How long to wait before the next try to register.
    pause: Duration,
}

impl Member {
    pub(super) fn new(
        element: PoolElement,
        next: String,
        policy: Policy,
        patient: bool,
        json: bool,
        registrars: Vec<SctpAddress>,
    ) -> Self {
        let (told, tried) = (None, Vec::new());
        Self { element, next, policy, patient, json, registrars, told, tried, pause: TRY_AGAIN }
    }

    /// Whether a registrar was named already.
    pub(super) const fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Something has happened to it; breaks if it cannot go on.
    pub(super) fn handle(&mut self, event: Notice) -> ControlFlow<Failure> {
        match event {
            Notice::Registered { home, registrar, .. } => {
                self.pause = TRY_AGAIN;
                if self.told.as_ref() != Some(&registrar) {
                    self.say_registered(home, &registrar);
                    self.told = Some(registrar);
                }
            }
            Notice::Deregistered => self.told = None,
            Notice::NoRegistrar { tried, .. } => self.tried = tried,
            Notice::RegistrationFailed(error) => {
                if let Err(failure) = self.registration_failed(error) {
                    return ControlFlow::Break(failure);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Somebody at a terminal need not wait for the end of a round of the hunt to know that nobody answers.
    pub(super) fn say_silent(&self) {
        output::event_at_terminal("no registrar has answered so far; Ctrl-C ends");
        let named = self.registrars.first().and_then(|registrar| registrar.sockets().next());
        match named {
            Some(at) => {
                output::event_hint(format_args!(
                    "in another terminal, rserpool registrar --bind {at}, if it is not running"
                ));
            }
            None => output::event_hint(
                "in another terminal, rserpool registrar; or name one here with --registrar",
            ),
        }
    }

    fn say_registered(&self, home: RegistrarId, registrar: &TransportAddress) {
        let (id, bind) = (self.element.id(), self.element.local_addr());
        if self.json {
            let mut event = json!({
                "event": "registered", "id": id.to_string(),
                "registrar": registrar.to_string(), "bind": bind.to_string(),
            });
            // The registrar is known by its address until its first keep-alive names it.
            if home != RegistrarId::NONE {
                event["home"] = home.to_string().into();
            }
            output::event(event);
        } else {
            output::event(format_args!("element {id} on UDP {bind} is registered at {registrar}"));
            if let (None, TransportAddress::Sctp(registrar)) = (&self.told, registrar)
                && let Some(at) = registrar.sockets().next()
            {
                output::event_hint(format_args!("in another terminal, {} --registrar {at}", self.next));
            }
        }
    }

    fn registration_failed(&mut self, error: RegistrationError) -> Result<(), Failure> {
        match error {
            // The other one may be an earlier process of ours that the registrar has not given up yet.
            RegistrationError::Rejected(ref causes)
                if first_cause(causes) == Some(CauseCode::NON_UNIQUE_IDENTIFIER) =>
            {
                let id = self.element.id();
                tracing::warn!(element = %id, again_in = ?self.pause, "another element with this identifier is alive");
                self.try_again();
                Ok(())
            }
            RegistrationError::Rejected(causes) => {
                let meaning = match first_cause(&causes) {
                    Some(CauseCode::INVALID_VALUES) => {
                        format!(": most likely it does not know the policy {}", self.policy)
                    }
                    Some(CauseCode::INCONSISTENT_POLICY) => {
                        let policy = &self.policy;
                        format!(", and this element {policy}: give all elements of a pool the same --policy")
                    }
                    _ => String::new(),
                };
                Err(Failure::failed(format!("{}{meaning}", RegistrationError::Rejected(causes))))
            }
            RegistrationError::Unanswered if self.patient => {
                self.pause = TRY_AGAIN;
                self.try_again();
                Ok(())
            }
            RegistrationError::Unanswered => Err(client::no_registrar(&self.tried)),
            other => Err(Failure::failed(other.to_string())),
        }
    }

    /// Registers again after a pause, beside this loop, because users are served all the same.
    fn try_again(&mut self) {
        let (element, policy, pause) = (self.element.clone(), self.policy.clone(), self.pause);
        self.pause = (pause * 2).min(TRY_AGAIN_MAX);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            // Refused only while the element is leaving; then there is nothing to repeat.
            let _ = element.update_policy(policy).await;
        });
    }
}

/// The first cause that a registrar has given.
fn first_cause(error: &Option<OperationError>) -> Option<CauseCode> {
    error.as_ref()?.causes.first().map(|cause| cause.code)
}
