//! Valid messages about few pools, elements and registrars, so that they have to do with each other.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use rserpool_core::base::{ElementId, PoolHandle, ProtocolId, RegistrarId};
use rserpool_core::endpoint::{CallFrame, CallId, CallKind};
use rserpool_core::wire::{
    AsapMessage, EnrpBody, EnrpMessage, Padding, Policy, PoolElement, ServerInformation, Transport,
};

/// The identifier of the endpoint under test, if it is a registrar.
pub(super) const OURS: u32 = 3;

/// One of five identifiers, ours among them.
fn few(id: u32) -> u32 {
    1 + id % 5
}

fn handle(handle: &mut PoolHandle) {
    let names = ["pool", "other", "third"];
    let place = handle.as_bytes().first().map_or(0, |octet| usize::from(*octet));
    // Some stay as they are.
    if place < 240 {
        *handle = names[place % names.len()].into();
    }
}

fn element_id(id: &mut ElementId) {
    *id = ElementId(few(id.0));
}

fn registrar_id(id: &mut RegistrarId) {
    *id = RegistrarId(id.0 % 6);
}

fn element(element: &mut PoolElement) {
    element_id(&mut element.id);
    registrar_id(&mut element.home);
    // Short lives end during a run.
    element.life.0 = if element.life.0 % 4 == 0 { -1 } else { 1 + element.life.0.rem_euclid(300) };
    // A pool that everybody can join: the first that comes decides.
    if element.id.0 != 5 {
        element.policy = Policy::RoundRobin;
        if let Transport::Sctp(sctp) = &mut element.user_transport {
            sctp.usage = rserpool_core::wire::TransportUse::DataPlusControl;
        }
    }
}

fn server(server: &mut ServerInformation) {
    registrar_id(&mut server.id);
}

/// An ASAP message made of these octets.
pub(super) fn asap(octets: &[u8]) -> Bytes {
    let Ok(mut message) = AsapMessage::arbitrary(&mut Unstructured::new(octets)) else {
        return Bytes::new();
    };
    use AsapMessage as M;
    match &mut message {
        M::Registration { handle: pool, element: pe } => {
            handle(pool);
            element(pe);
        }
        M::Deregistration { handle: pool, element }
        | M::RegistrationResponse { handle: pool, element, .. }
        | M::DeregistrationResponse { handle: pool, element, .. }
        | M::EndpointKeepAliveAck { handle: pool, element }
        | M::EndpointUnreachable { handle: pool, element } => {
            handle(pool);
            element_id(element);
        }
        M::HandleResolution { handle: pool, .. } => handle(pool),
        M::HandleResolutionResponse { handle: pool, elements, policy, error, .. } => {
            handle(pool);
            elements.iter_mut().for_each(element);
            if !elements.is_empty() && elements.len().is_multiple_of(2) {
                (*policy, *error) = (Some(Policy::RoundRobin), None);
            }
        }
        M::EndpointKeepAlive { registrar, handle: pool, element, .. } => {
            registrar_id(registrar);
            handle(pool);
            element.iter_mut().for_each(element_id);
        }
        M::ServerAnnounce { registrar, .. } => registrar_id(registrar),
        M::BusinessCard { handle: pool, elements, .. } => {
            handle(pool);
            elements.iter_mut().for_each(element);
        }
        // Nothing in the others is looked up.
        _ => {}
    }
    message.encode(Padding::Padded).unwrap_or_default()
}

/// An ENRP message made of these octets, from the registrar `sender`.
pub(super) fn enrp(sender: u8, octets: &[u8]) -> Bytes {
    let Ok(mut message) = EnrpMessage::arbitrary(&mut Unstructured::new(octets)) else {
        return Bytes::new();
    };
    message.sender = RegistrarId(u32::from(sender % 6));
    message.receiver = RegistrarId(if message.receiver.0.is_multiple_of(3) { 0 } else { OURS });
    use EnrpBody as B;
    match &mut message.body {
        B::Presence { server: information, .. } => information.iter_mut().for_each(server),
        B::HandleTableResponse { pools, .. } => {
            for pool in pools {
                handle(&mut pool.handle);
                pool.elements.iter_mut().for_each(element);
            }
        }
        B::HandleUpdate { handle: pool, element: pe, action, .. } => {
            handle(pool);
            element(pe);
            action.0 %= 3;
            // Only what a sender owns counts; sometimes it lies.
            if pe.id.0 != 4 {
                pe.home = message.sender;
            }
        }
        B::ListResponse { servers, .. } => servers.iter_mut().for_each(server),
        B::InitTakeover { target } | B::InitTakeoverAck { target } | B::TakeoverServer { target } => {
            registrar_id(target);
        }
        _ => {}
    }
    message.encode(Padding::Padded).unwrap_or_default()
}

/// A message of a call, as a rule of one of these; `choice` says of which, and what it is.
pub(super) fn call(calls: &[CallId], choice: u8, octets: &[u8]) -> Bytes {
    use CallKind as K;
    let (kind, place) = (choice % 8, choice / 8);
    let Some(kind) =
        [K::Answer, K::Unknown, K::Request, K::OnceRequest, K::OnceRepeated].get(usize::from(kind))
    else {
        return Bytes::copy_from_slice(octets);
    };
    let invented = CallId { caller: u64::from(place % 2), number: u64::from(place % 5) };
    let call = calls.get(usize::from(place % 8)).copied().unwrap_or(invented);
    let bytes = Bytes::copy_from_slice(octets);
    CallFrame { kind: *kind, call, protocol: ProtocolId(0), bytes }.encode()
}
