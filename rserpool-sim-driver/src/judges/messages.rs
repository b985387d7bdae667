//! Messages: each decodes without anything to report, and ENRP messages say only what they may.

use bytes::Bytes;
use rserpool_core::endpoint::Channel;
use rserpool_core::wire::{AsapMessage, EnrpBody, EnrpMessage, UpdateAction};

use super::view::View;
use crate::id::HostId;
use crate::violation::Violation;

/// Decodes an ASAP message that a host has sent.
pub(super) fn asap(view: &View<'_>, host: HostId, bytes: &Bytes) -> Result<AsapMessage, Violation> {
    match AsapMessage::decode(bytes) {
        Ok(decoded) if decoded.report.is_empty() => Ok(decoded.message),
        Ok(decoded) => Err(malformed(view, host, bytes, &format!("{:?}", decoded.report))),
        Err(error) => Err(malformed(view, host, bytes, &error.to_string())),
    }
}

/// Decodes an ENRP message that a host has sent.
pub(super) fn enrp(view: &View<'_>, host: HostId, bytes: &Bytes) -> Result<EnrpMessage, Violation> {
    match EnrpMessage::decode(bytes) {
        Ok(decoded) if decoded.report.is_empty() => Ok(decoded.message),
        Ok(decoded) => Err(malformed(view, host, bytes, &format!("{:?}", decoded.report))),
        Err(error) => Err(malformed(view, host, bytes, &error.to_string())),
    }
}

fn malformed(view: &View<'_>, host: HostId, bytes: &Bytes, problem: &str) -> Violation {
    let detail = format!("{} sent {bytes:02x?}: {problem}", view.name(host));
    Violation::new("every message decodes", detail)
}

/// An announcement decodes, too; each channel has one kind of message.
pub(super) fn announcement(
    view: &View<'_>,
    host: HostId,
    channel: Channel,
    bytes: &Bytes,
) -> Result<(), Violation> {
    let fits = match channel {
        Channel::Asap => matches!(AsapMessage::decode(bytes), Ok(decoded)
            if decoded.report.is_empty() && matches!(decoded.message, AsapMessage::ServerAnnounce { .. })),
        Channel::Enrp => matches!(EnrpMessage::decode(bytes), Ok(decoded)
            if decoded.report.is_empty() && matches!(decoded.message.body, EnrpBody::Presence { .. })),
    };
    if fits {
        return Ok(());
    }
    let detail = format!("{} announced {bytes:02x?}", view.name(host));
    Err(Violation::new("every message decodes", detail))
}

/// A registrar speaks for itself and its own elements only, and in pages of the size that is set.
pub(super) fn may_say(
    view: &View<'_>,
    host: HostId,
    message: &EnrpMessage,
    bytes: &Bytes,
) -> Result<(), Violation> {
    let Some((registrar, config)) = view.registrar(host).zip(view.registrar_config(host)) else {
        return Ok(());
    };
    let id = registrar.id();
    let problem = match &message.body {
        _ if message.sender != id => "a sender that is not its own",
        EnrpBody::HandleUpdate { action: UpdateAction::ADD_PE, element, .. } if element.home != id => {
            "an element that has another home as an update"
        }
        EnrpBody::HandleTableResponse { rejected: true, pools, .. } if !pools.is_empty() => {
            "a refusal with pools"
        }
        EnrpBody::ListResponse { rejected: true, servers } if !servers.is_empty() => "a refusal with servers",
        EnrpBody::HandleTableResponse { pools, .. }
            if bytes.len() > config.handle_table_octets
                && pools.iter().map(|pool| pool.elements.len()).sum::<usize>() > 1 =>
        {
            "a page that is too long"
        }
        EnrpBody::Presence { checksum: None, .. } => "a presence without checksum",
        EnrpBody::InitTakeover { target } | EnrpBody::TakeoverServer { target } if *target == id => {
            "that it takes itself over"
        }
        _ => return Ok(()),
    };
    let detail = format!("{} sent {problem}: {message:?}", view.name(host));
    Err(Violation::new("ENRP messages say what they may", detail))
}
