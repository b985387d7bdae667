//! The handlespace as `pools` and `resolve` show it, in JSON and in tables.

use std::net::IpAddr;

use rserpool_core::base::{PoolHandle, RegistrarId, SctpAddress, SctpPort, UdpPort};
use rserpool_core::inspector::{Difference, InspectError, Ownership, ownership};
use rserpool_core::wire::{LifeUnit, Policy, PoolElement, RegistrationLife, Transport, TransportUse};
use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::survey::{Survey, View};

/// The handlespace of a registrar, and what it shares with others.
#[derive(Debug, Serialize)]
pub(crate) struct Handlespace {
    pub(crate) registrar: String,
    /// Who answers, and how it is, for people.
    #[serde(skip)]
    pub(crate) head: String,
    /// Whether all copies that could be seen are the same.
    pub(crate) agree: bool,
    pub(crate) registrars: Vec<Registrar>,
    pub(crate) differences: Vec<Differs>,
    pub(crate) pools: Vec<Pool>,
}

/// A registrar: the one asked, one that it or another one names, or the home of an element.
#[derive(Debug, Serialize)]
pub(crate) struct Registrar {
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) port: u16,
    pub(crate) udp_port: u16,
    /// The elements whose home it is, in its own copy if that is known.
    pub(crate) own_elements: usize,
    /// The PE checksum over them.
    pub(crate) checksum: String,
    /// All elements in its copy, if that is known.
    pub(crate) elements: Option<usize>,
}

/// How a registrar answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It shows its handlespace.
    Serving,
    /// It refuses to show it: it is starting, or one of RSPLIB's.
    Starting,
    /// It does not answer.
    Unreachable,
    /// Elements have it as their home, and nobody names it.
    Unknown,
}

/// What a copy has of the elements of a home registrar, and what it should have.
#[derive(Debug, Serialize)]
pub(crate) struct Differs {
    pub(crate) copy: String,
    pub(crate) home: String,
    pub(crate) elements: usize,
    pub(crate) checksum: String,
    pub(crate) expected_elements: usize,
    pub(crate) expected_checksum: String,
}

/// A pool.
#[derive(Debug, Serialize)]
pub(crate) struct Pool {
    /// The handle, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handle: Option<String>,
    /// The octets of the handle, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handle_hex: Option<String>,
    /// The handle for people.
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) policy: String,
    pub(crate) elements: Vec<Element>,
}

/// An element of a pool.
#[derive(Debug, Serialize)]
pub(crate) struct Element {
    pub(crate) id: String,
    pub(crate) home: String,
    /// Seconds; -1 means for ever.
    pub(crate) life_s: Number,
    pub(crate) policy: Map<String, Value>,
    pub(crate) transports: Vec<Address>,
    #[serde(skip)]
    pub(crate) policy_text: String,
}

/// Where an element serves its users.
#[derive(Debug, Serialize)]
pub(crate) struct Address {
    pub(crate) protocol: &'static str,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) udp_port: Option<u16>,
    pub(crate) control: bool,
}

impl Handlespace {
    pub(crate) fn new(survey: &Survey, life_unit: LifeUnit) -> Self {
        let differences: Vec<Differs> = survey.differences().iter().map(Differs::new).collect();
        let seen = ownership(&survey.first);
        let mut registrars: Vec<Registrar> = survey
            .registrars
            .iter()
            .map(|(id, view)| {
                let own = view.copy.as_ref().map_or(&seen, |copy| &copy.owned);
                Registrar::new(*id, Some(view), own.get(id).copied())
            })
            .collect();
        let strangers = seen.iter().filter(|(home, _)| !survey.registrars.contains_key(home));
        registrars.extend(strangers.map(|(home, own)| Registrar::new(*home, None, Some(*own))));
        Self {
            registrar: survey.first.registrar.to_string(),
            head: survey.status.as_ref().map_or_else(
                || format!("registrar {} is serving", survey.first.registrar),
                crate::status::sentence,
            ),
            agree: differences.is_empty(),
            registrars,
            differences,
            pools: survey
                .first
                .pools
                .iter()
                .map(|pool| Pool::new(&pool.handle, None, &pool.elements, life_unit))
                .collect(),
        }
    }
}

impl Registrar {
    fn new(id: RegistrarId, view: Option<&View>, own: Option<Ownership>) -> Self {
        let own = own.unwrap_or(Ownership::NONE);
        let address = view.map(|view| view.address.clone());
        let address = address.unwrap_or(SctpAddress::multihomed(Vec::new(), SctpPort(0), UdpPort(0)));
        let copy = view.and_then(|view| view.copy.as_ref().ok());
        Self {
            id: id.to_string(),
            state: match view.map(|view| &view.copy) {
                None => State::Unknown,
                Some(Ok(_)) => State::Serving,
                Some(Err(InspectError::Refused(_))) => State::Starting,
                Some(Err(_)) => State::Unreachable,
            },
            addresses: address.addresses,
            port: address.port.0,
            udp_port: address.udp_port.0,
            own_elements: own.elements,
            checksum: checksum(own),
            elements: copy.map(|copy| copy.elements),
        }
    }
}

impl Differs {
    fn new(difference: &Difference) -> Self {
        Self {
            copy: difference.copy.to_string(),
            home: difference.home.to_string(),
            elements: difference.found.elements,
            checksum: checksum(difference.found),
            expected_elements: difference.expected.elements,
            expected_checksum: checksum(difference.expected),
        }
    }
}

/// Octets as hexadecimal digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn checksum(ownership: Ownership) -> String {
    format!("{:#06x}", ownership.checksum)
}

impl Pool {
    /// `policy` is the pool's own if it is known; ENRP tells only those of the elements.
    pub(crate) fn new(
        handle: &PoolHandle,
        policy: Option<&Policy>,
        elements: &[PoolElement],
        life_unit: LifeUnit,
    ) -> Self {
        let policy = policy.or_else(|| elements.first().map(|element| &element.policy));
        let text = std::str::from_utf8(handle.as_bytes()).ok();
        Self {
            handle: text.map(Into::into),
            handle_hex: text.is_none().then(|| hex(handle.as_bytes())),
            name: handle.to_string(),
            policy: policy.map_or_else(|| "unknown".into(), policy_name),
            elements: elements.iter().map(|element| Element::new(element, life_unit)).collect(),
        }
    }
}

impl Element {
    fn new(element: &PoolElement, life_unit: LifeUnit) -> Self {
        let udp_port = element.encapsulation.map(|ports| ports.user).filter(|port| *port != 0);
        Self {
            id: element.id.to_string(),
            home: element.home.to_string(),
            life_s: seconds(element.life, life_unit),
            policy: policy(&element.policy),
            transports: vec![Address::new(&element.user_transport, udp_port)],
            policy_text: element.policy.to_string(),
        }
    }
}

impl Address {
    fn new(transport: &Transport, udp_port: Option<u16>) -> Self {
        let (protocol, addresses, port) = match transport {
            Transport::Sctp(sctp) => ("sctp", sctp.addresses.to_vec(), sctp.port),
            Transport::Tcp { port, address, .. } => ("tcp", vec![*address], *port),
            Transport::Udp { port, address, .. } => ("udp", vec![*address], *port),
            Transport::UdpLite { port, address, .. } => ("udp-lite", vec![*address], *port),
            Transport::Dccp { port, address, .. } => ("dccp", vec![*address], *port),
            Transport::Opaque(_) => ("opaque", Vec::new(), 0),
            _ => ("unknown", Vec::new(), 0),
        };
        let control = transport.usage() == TransportUse::DataPlusControl;
        Self { protocol, addresses, port, udp_port, control }
    }
}

/// A life in seconds: a whole number, unless it is not one in milliseconds. Those below 0 are not scaled: they
/// mean for ever, or nothing.
fn seconds(life: RegistrationLife, unit: LifeUnit) -> Number {
    match unit {
        LifeUnit::Milliseconds if life.0 > 0 && life.0 % 1000 != 0 => {
            Number::from_f64(f64::from(life.0) / 1000.0).unwrap_or_else(|| life.0.into())
        }
        LifeUnit::Milliseconds if life.0 > 0 => (life.0 / 1000).into(),
        _ => life.0.into(),
    }
}

/// The name of a policy, or the number of one that has no name.
fn policy_name(policy: &Policy) -> String {
    let kind = policy.kind();
    if kind.is_known() { kind.name().into() } else { kind.to_string() }
}

/// The name, and each value: fractions from 0 to 1, everything else as whole numbers.
fn policy(policy: &Policy) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("type".into(), policy_name(policy).into());
    for (field, value) in policy.values() {
        let name = field.name().to_lowercase().replace(' ', "_");
        let value: Value =
            if field.is_fraction() { (f64::from(value) / f64::from(u32::MAX)).into() } else { value.into() };
        object.insert(name, value);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use rserpool_core::wire::PolicyType;

    #[test]
    fn a_policy_without_a_name_has_a_number() {
        let private = Policy::Other { kind: PolicyType(0x8000_0099), data: bytes::Bytes::new() };
        assert_eq!(policy(&private)["type"], "0x80000099");
        assert_eq!(policy_name(&Policy::LeastUsed { load: 1 }), "LeastUsed");
    }

    #[test]
    fn lives_are_shown_in_seconds_whatever_their_unit() {
        let text = |life, unit| seconds(RegistrationLife(life), unit).to_string();
        assert_eq!(text(300, LifeUnit::Seconds), "300");
        assert_eq!(text(300_000, LifeUnit::Milliseconds), "300");
        assert_eq!(text(1_500, LifeUnit::Milliseconds), "1.5");
        assert_eq!(text(-1, LifeUnit::Milliseconds), "-1");
    }
}
