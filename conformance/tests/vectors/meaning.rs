//! Messages as the fields that `vectors/README.md` lists.

use std::net::IpAddr;

use rserpool_core::wire::{
    AsapMessage, EncapsulationPorts, EnrpBody, EnrpMessage, ErrorCause, OperationError, Policy, PolicyField,
    PoolElement, SctpTransport, ServerInformation, Transport, TransportUse,
};
use toml::{Table, Value};

/// Fields in the order in which they are added; what is absent is left out.
#[derive(Default)]
struct Fields(Table);

impl Fields {
    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }

    fn maybe(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    fn id(self, key: &str, value: u32) -> Self {
        self.with(key, i64::from(value))
    }

    fn octets(self, key: &str, value: &[u8]) -> Self {
        self.with(key, hex(value))
    }
}

pub(crate) fn asap(message: &AsapMessage) -> Table {
    use AsapMessage as M;
    let fields = Fields::default().with("type", message.message_type().name());
    let fields = match message {
        M::Registration { handle, element } => {
            fields.octets("handle", handle.as_bytes()).with("element", pool_element(element))
        }
        M::Deregistration { handle, element }
        | M::EndpointKeepAliveAck { handle, element }
        | M::EndpointUnreachable { handle, element } => {
            fields.octets("handle", handle.as_bytes()).id("id", element.0)
        }
        M::RegistrationResponse { rejected, handle, element, error } => {
            let fields = fields.with("rejected", *rejected).octets("handle", handle.as_bytes());
            fields.id("id", element.0).maybe("error", error.as_ref().map(causes))
        }
        M::DeregistrationResponse { handle, element, error } => {
            let fields = fields.octets("handle", handle.as_bytes());
            fields.id("id", element.0).maybe("error", error.as_ref().map(causes))
        }
        M::HandleResolution { handle, subscribe, items } => {
            let fields = fields.with("subscribe", *subscribe).octets("handle", handle.as_bytes());
            fields.maybe("items", items.map(i64::from))
        }
        M::HandleResolutionResponse { updates, handle, policy: overall, elements, error } => {
            let fields = fields.with("updates", *updates).octets("handle", handle.as_bytes());
            let fields = fields.maybe("policy", overall.as_ref().map(policy));
            let fields = fields.with("elements", list(elements, pool_element));
            fields.maybe("error", error.as_ref().map(causes))
        }
        M::EndpointKeepAlive { home, registrar, handle, element } => {
            let fields = fields.with("home", *home).id("registrar", registrar.0);
            let fields = fields.octets("handle", handle.as_bytes());
            fields.maybe("id", element.map(|element| i64::from(element.0)))
        }
        M::ServerAnnounce { registrar, transports, encapsulation } => {
            let fields = fields.id("registrar", registrar.0).with("transports", list(transports, transport));
            fields.maybe("ports", encapsulation.as_ref().map(ports))
        }
        M::Cookie { cookie } | M::CookieEcho { cookie } => fields.octets("cookie", cookie),
        M::BusinessCard { handle, policy: overall, elements } => {
            let fields = fields.octets("handle", handle.as_bytes());
            let fields = fields.maybe("policy", overall.as_ref().map(policy));
            fields.with("elements", list(elements, pool_element))
        }
        M::Error { error } => fields.with("error", causes(error)),
        other => panic!("{other:?} has no meaning here"),
    };
    fields.0
}

pub(crate) fn enrp(message: &EnrpMessage) -> Table {
    use EnrpBody as B;
    let fields = Fields::default().with("type", message.message_type().name());
    let fields = fields.id("sender", message.sender.0).id("receiver", message.receiver.0);
    let fields = match &message.body {
        B::Presence { reply_required, checksum, server: information } => {
            let fields = fields.with("reply_required", *reply_required);
            let fields = fields.maybe("checksum", checksum.map(i64::from));
            fields.maybe("server", information.as_ref().map(server))
        }
        B::HandleTableRequest { own_only } => fields.with("own_only", *own_only),
        B::HandleTableResponse { rejected, more, pools } => {
            let pools = list(pools, |pool| {
                let fields = Fields::default().octets("handle", pool.handle.as_bytes());
                fields.with("elements", list(&pool.elements, pool_element)).0.into()
            });
            fields.with("rejected", *rejected).with("more", *more).with("pools", pools)
        }
        B::HandleUpdate { takeover_suggested, action, handle, element } => {
            let fields = fields.with("takeover_suggested", *takeover_suggested);
            let fields = fields.with("action", i64::from(action.0)).octets("handle", handle.as_bytes());
            fields.with("element", pool_element(element))
        }
        B::ListRequest => fields,
        B::ListResponse { rejected, servers } => {
            fields.with("rejected", *rejected).with("servers", list(servers, server))
        }
        B::InitTakeover { target } | B::InitTakeoverAck { target } | B::TakeoverServer { target } => {
            fields.id("target", target.0)
        }
        B::Error { error } => fields.with("error", causes(error)),
        other => panic!("{other:?} has no meaning here"),
    };
    fields.0
}

pub(crate) fn cause(cause: &ErrorCause) -> Value {
    let fields = Fields::default().with("code", i64::from(cause.code.0));
    fields.octets("information", &cause.information).0.into()
}

fn causes(error: &OperationError) -> Value {
    list(&error.causes, cause)
}

fn list<T>(all: &[T], one: impl Fn(&T) -> Value) -> Value {
    Value::Array(all.iter().map(one).collect())
}

fn pool_element(element: &PoolElement) -> Value {
    let fields = Fields::default().id("id", element.id.0).id("home", element.home.0);
    let fields = fields.with("life", i64::from(element.life.0));
    let fields = fields.with("user_transport", transport(&element.user_transport));
    let fields = fields.with("policy", policy(&element.policy));
    let fields = fields.maybe("asap_transport", element.asap_transport.as_ref().map(sctp));
    fields.maybe("ports", element.encapsulation.as_ref().map(ports)).0.into()
}

fn server(server: &ServerInformation) -> Value {
    let fields = Fields::default().id("id", server.id.0).with("transport", sctp(&server.transport));
    fields.maybe("ports", server.encapsulation.as_ref().map(ports)).0.into()
}

fn ports(ports: &EncapsulationPorts) -> Value {
    Fields::default().with("user", i64::from(ports.user)).with("asap", i64::from(ports.asap)).0.into()
}

fn sctp(sctp: &SctpTransport) -> Value {
    let usage = i64::from(sctp.usage == TransportUse::DataPlusControl);
    let fields = Fields::default().with("kind", "SCTP").with("port", i64::from(sctp.port));
    fields.with("use", usage).with("addresses", list(&sctp.addresses, address)).0.into()
}

fn transport(transport: &Transport) -> Value {
    let (kind, port, reserved, only) = match transport {
        Transport::Sctp(transport) => return sctp(transport),
        Transport::Opaque(data) => {
            return Fields::default().with("kind", "Opaque").octets("data", data).0.into();
        }
        Transport::Tcp { port, reserved, address } => ("TCP", port, reserved, address),
        Transport::Udp { port, reserved, address } => ("UDP", port, reserved, address),
        Transport::UdpLite { port, reserved, address } => ("UDP-Lite", port, reserved, address),
        Transport::Dccp { port, reserved, address, .. } => ("DCCP", port, reserved, address),
        other => panic!("{other:?} has no meaning here"),
    };
    let service_code = match transport {
        Transport::Dccp { service_code, .. } => Some(i64::from(*service_code)),
        _ => None,
    };
    let fields = Fields::default().with("kind", kind).with("port", i64::from(*port));
    let fields = fields.with("reserved", i64::from(*reserved)).maybe("service_code", service_code);
    fields.with("addresses", Value::Array(vec![address(only)])).0.into()
}

fn policy(policy: &Policy) -> Value {
    let mut fields = Fields::default().id("type", policy.kind().0);
    if let Policy::Other { data, .. } = policy {
        return fields.octets("data", data).0.into();
    }
    for (field, value) in policy.values() {
        let key = match field {
            PolicyField::Weight => "weight",
            PolicyField::Priority => "priority",
            PolicyField::Load => "load",
            PolicyField::Degradation => "degradation",
            PolicyField::DelayPenaltyFactor => "dpf",
            PolicyField::Distance => "distance",
            other => panic!("{other:?} has no meaning here"),
        };
        fields = fields.id(key, value);
    }
    fields.0.into()
}

/// The octets tell more than the texts, of which an IPv6 address has several.
fn address(address: &IpAddr) -> Value {
    Value::String(match address {
        IpAddr::V4(_) => address.to_string(),
        IpAddr::V6(v6) => hex(&v6.octets()),
    })
}

/// Brings the addresses of a vector into the form of [`address`].
pub(crate) fn with_address_octets(value: &mut Value) {
    match value {
        Value::Table(table) => {
            if let Some(Value::Array(addresses)) = table.get_mut("addresses") {
                for each in addresses {
                    let text = each.as_str().expect("an address is a text");
                    *each = address(&text.parse().expect("an address"));
                }
            }
            table.iter_mut().for_each(|(_, inner)| with_address_octets(inner));
        }
        Value::Array(all) => all.iter_mut().for_each(with_address_octets),
        _ => {}
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
