//! A message in a few words.

use std::fmt::Write;

use bytes::Bytes;
use rserpool_core::base::ProtocolId;
use rserpool_core::endpoint::Channel;
use rserpool_core::wire::{AsapMessage, EnrpBody, EnrpMessage, UpdateAction};

/// An announcement in a few words.
pub(super) fn announcement(channel: Channel, bytes: &Bytes) -> String {
    let protocol = match channel {
        Channel::Asap => ProtocolId::ASAP,
        Channel::Enrp => ProtocolId::ENRP,
    };
    summary(protocol, bytes)
}

/// A message in a few words.
pub(super) fn summary(protocol: ProtocolId, bytes: &Bytes) -> String {
    match protocol {
        ProtocolId::ASAP => match AsapMessage::decode(bytes) {
            Ok(decoded) => asap_summary(&decoded.message),
            Err(error) => format!("ASAP malformed: {error}"),
        },
        ProtocolId::ENRP => match EnrpMessage::decode(bytes) {
            Ok(decoded) => enrp_summary(&decoded.message.body),
            Err(error) => format!("ENRP malformed: {error}"),
        },
        ProtocolId(id) => format!("data {id:#x}, {} octets", bytes.len()),
    }
}

fn asap_summary(message: &AsapMessage) -> String {
    use AsapMessage as M;
    let refused = |refused: bool| if refused { " refused" } else { "" };
    match message {
        M::Registration { handle, element } => format!("Registration {handle}/{}", element.id),
        M::Deregistration { handle, element } => format!("Deregistration {handle}/{element}"),
        M::RegistrationResponse { rejected, handle, element, .. } => {
            format!("RegistrationResponse {handle}/{element}{}", refused(*rejected))
        }
        M::DeregistrationResponse { handle, element, error } => {
            format!("DeregistrationResponse {handle}/{element}{}", refused(error.is_some()))
        }
        M::HandleResolution { handle, .. } => format!("HandleResolution {handle}"),
        M::HandleResolutionResponse { handle, elements, error, .. } => {
            let mut text = format!("HandleResolutionResponse {handle}{}", refused(error.is_some()));
            elements.iter().for_each(|element| {
                let _ = write!(text, " {}", element.id);
            });
            text
        }
        M::EndpointKeepAlive { home, registrar, handle, element } => {
            let element = element.map(|id| format!("/{id}")).unwrap_or_default();
            let home = if *home { " home" } else { "" };
            format!("KeepAlive {handle}{element} from {registrar}{home}")
        }
        M::EndpointKeepAliveAck { handle, element } => format!("KeepAliveAck {handle}/{element}"),
        M::EndpointUnreachable { handle, element } => format!("Unreachable {handle}/{element}"),
        M::ServerAnnounce { registrar, .. } => format!("ServerAnnounce {registrar}"),
        M::Cookie { .. } => "Cookie".into(),
        M::CookieEcho { .. } => "CookieEcho".into(),
        M::BusinessCard { handle, .. } => format!("BusinessCard {handle}"),
        M::Error { error } => format!("Error {:?}", error.causes.iter().map(|c| c.code).collect::<Vec<_>>()),
        other => format!("{other:?}"),
    }
}

fn enrp_summary(body: &EnrpBody) -> String {
    use EnrpBody as B;
    let flag = |set: bool, name: &'static str| if set { name } else { "" };
    match body {
        B::Presence { reply_required, checksum, .. } => {
            let checksum = checksum.map(|sum| format!(" {sum:04x}")).unwrap_or_default();
            format!("Presence{checksum}{}", flag(*reply_required, " reply required"))
        }
        B::HandleTableRequest { own_only } => format!("HandleTableRequest{}", flag(*own_only, " own only")),
        B::HandleTableResponse { rejected, more, pools } => {
            let elements: usize = pools.iter().map(|pool| pool.elements.len()).sum();
            let (rejected, more) = (flag(*rejected, " refused"), flag(*more, " more to come"));
            format!("HandleTableResponse of {elements}{rejected}{more}")
        }
        B::HandleUpdate { takeover_suggested, action, handle, element } => {
            let action = match *action {
                UpdateAction::ADD_PE => "add",
                UpdateAction::DEL_PE => "remove",
                _ => "?",
            };
            let suggested = flag(*takeover_suggested, ", takeover suggested");
            format!("HandleUpdate {action} {handle}/{} of {}{suggested}", element.id, element.home)
        }
        B::ListRequest => "ListRequest".into(),
        B::ListResponse { rejected, servers } => {
            format!("ListResponse of {}{}", servers.len(), flag(*rejected, " refused"))
        }
        B::InitTakeover { target } => format!("InitTakeover {target}"),
        B::InitTakeoverAck { target } => format!("InitTakeoverAck {target}"),
        B::TakeoverServer { target } => format!("TakeoverServer {target}"),
        B::Error { error } => format!("Error {:?}", error.causes.iter().map(|c| c.code).collect::<Vec<_>>()),
        other => format!("{other:?}"),
    }
}
