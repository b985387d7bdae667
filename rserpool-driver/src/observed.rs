//! Debug lines about what an endpoint hears and does: every message with its name, every association, every
//! attempt. The core itself knows no log.

use bytes::Bytes;
use rserpool_core::base::{CommandId, Instant, ProtocolId};
use rserpool_core::endpoint::{Action, Connected, Endpoint, Event, OutputOf, Reservation, TransportCounters};
use rserpool_core::wire::{Field, describe_asap, describe_enrp};

use crate::log::cut;

/// The fields of a message that a debug line shows, by the names of the RFCs.
const SHOWN: [&str; 5] =
    ["Pool Handle", "PE Identifier", "Sending Server's ID", "Receiving Server's ID", "Targeting Server's ID"];

/// An endpoint whose inputs and actions are logged at the level debug.
#[derive(Debug)]
pub(super) struct Observed<E>(pub(super) E);

impl<E: Endpoint> Endpoint for Observed<E> {
    type Command = E::Command;
    type Answer = E::Answer;
    type Notice = E::Notice;

    fn handle_event(&mut self, now: Instant, event: Event) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            tell_event(&event);
        }
        self.0.handle_event(now, event);
    }

    fn handle_command(&mut self, now: Instant, id: CommandId, command: E::Command) {
        self.0.handle_command(now, id, command);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn note_transport(&mut self, counters: &TransportCounters) {
        self.0.note_transport(counters);
    }

    fn poll_reservation(&mut self) -> Option<Reservation> {
        self.0.poll_reservation()
    }

    fn poll_action(&mut self) -> Option<Action> {
        let action = self.0.poll_action()?;
        if tracing::enabled!(tracing::Level::DEBUG) {
            tell_action(&action);
        }
        Some(action)
    }

    fn poll_output(&mut self) -> Option<OutputOf<Self>> {
        self.0.poll_output()
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
}

fn tell_event(event: &Event) {
    match event {
        Event::Connected(Connected { association, origin, peer, .. }) => match origin.attempt() {
            Some(attempt) => {
                tracing::debug!(association = association.number(), %peer, attempt = attempt.0, "connected");
            }
            None => tracing::debug!(association = association.number(), %peer, "a peer has connected"),
        },
        Event::ConnectFailed { request, reason } => {
            tracing::debug!(attempt = request.0, %reason, "cannot connect");
        }
        Event::Disconnected { association, reason } => {
            tracing::debug!(association = association.number(), %reason, "disconnected");
        }
        Event::Message { association, protocol, bytes, .. } => {
            let message = message(*protocol, bytes);
            tracing::debug!(association = association.number(), %message, "received");
        }
        Event::Announce { source, .. } => tracing::trace!(%source, "announcement heard"),
        // The others become notices, or change nothing that an operator sees.
        _ => {}
    }
}

fn tell_action(action: &Action) {
    match action {
        Action::Connect { request, peer, .. } => tracing::debug!(attempt = request.0, %peer, "connecting"),
        Action::CancelConnect { request } => tracing::debug!(attempt = request.0, "attempt given up"),
        Action::Send { association, protocol, bytes, .. } => {
            let message = message(*protocol, bytes);
            tracing::debug!(association = association.number(), %message, "sent");
        }
        Action::Shutdown { association, .. } => {
            tracing::debug!(association = association.number(), "closing");
        }
        Action::Abort { association, .. } => tracing::debug!(association = association.number(), "aborted"),
        Action::Hold { association } => tracing::trace!(association = association.number(), "held"),
        Action::Release { association } => tracing::trace!(association = association.number(), "released"),
        Action::Announce { .. } => tracing::trace!("announced"),
    }
}

/// The name of a message, and what it is about.
fn message(protocol: ProtocolId, bytes: &Bytes) -> String {
    let tree = match protocol {
        ProtocolId::ASAP => describe_asap(bytes),
        ProtocolId::ENRP => describe_enrp(bytes),
        _ => return format!("{} octets of protocol {}", bytes.len(), protocol.0),
    };
    let mut text = tree.name.to_string();
    show(&tree, &mut text, &mut Vec::new());
    text
}

/// Appends the first field of each name that is shown.
fn show(field: &Field, text: &mut String, shown: &mut Vec<&'static str>) {
    for field in &field.fields {
        // A parameter has the name of its only field, and no value; behind the value are its octets.
        let value = field.value.split(" (").next().unwrap_or_default();
        if SHOWN.contains(&field.name) && !value.is_empty() && !shown.contains(&field.name) {
            shown.push(field.name);
            *text += &format!(", {} {}", field.name, cut(value));
        }
        show(field, text, shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rserpool_core::wire::{AsapMessage, Padding};

    #[test]
    fn a_message_is_named_with_what_it_is_about() {
        let question =
            AsapMessage::HandleResolution { handle: "EchoPool".into(), subscribe: false, items: None };
        let bytes = question.encode(Padding::Padded).unwrap();
        assert_eq!(message(ProtocolId::ASAP, &bytes), "ASAP_HANDLE_RESOLUTION, Pool Handle EchoPool");
        assert_eq!(message(ProtocolId(0), &Bytes::from_static(b"hello")), "5 octets of protocol 0");
    }
}
