//! Our messages in the words of Wireshark, and the words of Wireshark made comparable.
//!
//! Every line `name: value` of Wireshark's is compared, except types and lengths of parameters,
//! which `structure` compares, and padding. Where a name goes with a number, as in
//! `Policy Type: Round Robin (RR) (0x00000001)`, the number counts.

use rserpool_core::base::{PoolHandle, RegistrarId};
use rserpool_core::wire::{
    AsapMessage, EnrpBody, EnrpMessage, ErrorCause, Field, OperationError, Policy, PoolElement,
    SctpTransport, ServerInformation, Transport, TransportUse,
};

/// The values in a message as Wireshark decoded it.
pub(crate) fn values(decoded: &str) -> Vec<String> {
    const ELSEWHERE: [&str; 6] =
        ["Parameter Type", "Parameter Length", "Cause Length", "Length", "Padding", "Reserved"];
    let fields = decoded.lines().filter_map(|line| line.trim().split_once(": "));
    let fields = fields.filter(|(name, _)| !ELSEWHERE.contains(name));
    fields
        .filter(|(name, _)| !name.starts_with("[Malformed"))
        .map(|(name, value)| match name {
            "Policy Type" | "Update Action" | "Transport Use" | "Cause Code" => {
                format!("{name}: {}", last_word(value))
            }
            _ => format!("{name}: {value}"),
        })
        .collect()
}

/// Types and lengths of parameters and causes, each with its depth, and the length of the message.
pub(crate) fn structure(decoded: &str) -> Vec<(usize, String)> {
    let fields = decoded.lines().filter_map(|line| {
        let depth = (line.len() - line.trim_start().len()) / 4;
        line.trim().split_once(": ").map(|(name, value)| (depth, name, value))
    });
    fields.filter_map(|(depth, name, value)| Some((depth, structural(name, value)?))).collect()
}

/// The same of our tree.
pub(crate) fn structure_of_tree(field: &Field, depth: usize, found: &mut Vec<(usize, String)>) {
    if let Some(line) = structural(field.name, &field.value) {
        found.push((depth, line));
    }
    for inner in &field.fields {
        structure_of_tree(inner, depth + 1, found);
    }
}

fn structural(name: &str, value: &str) -> Option<String> {
    match name {
        "Length" | "Message Length" => Some(format!("Length {value}")),
        "Parameter Length" | "Cause Length" => Some(format!("{name} {value}")),
        "Parameter Type" | "Cause Code" => Some(format!("{name} {}", last_word(value))),
        _ => None,
    }
}

/// The number at the end, without parentheses.
fn last_word(value: &str) -> &str {
    value.rsplit(' ').next().unwrap_or_default().trim_matches(['(', ')'])
}

/// The values of an ASAP message.
pub(crate) fn asap(message: &AsapMessage) -> Vec<String> {
    let mut lines = Lines::default();
    let kind = message.message_type();
    let name = match kind.0 {
        1 => "ASAP Registration",
        2 => "ASAP Deregistration",
        3 => "ASAP Registration Response",
        4 => "ASAP Deregistration Response",
        6 => "ASAP Handle Resolution Response",
        7 => "ASAP Endpoint Keep-Alive",
        9 => "ASAP Endpoint Unreachable",
        10 => "ASAP Server Announce",
        11 => "ASAP Cookie",
        14 => "ASAP Error",
        _ => panic!("{kind} is not among the vectors"),
    };
    lines.add(format!("Type: {name} ({})", kind.0));
    match message {
        AsapMessage::Registration { handle, element } => {
            lines.flags(&[]);
            lines.handle(handle);
            lines.element(element);
        }
        AsapMessage::Deregistration { handle, element }
        | AsapMessage::EndpointUnreachable { handle, element } => {
            lines.flags(&[]);
            lines.handle(handle);
            lines.identifier("PE Identifier", element.0);
        }
        AsapMessage::RegistrationResponse { rejected, handle, element, error } => {
            lines.flags(&[(1, *rejected, "R Bit: Rejected", "R Bit: Accepted")]);
            lines.handle(handle);
            lines.identifier("PE Identifier", element.0);
            lines.error(error);
        }
        AsapMessage::DeregistrationResponse { handle, element, error } => {
            lines.flags(&[]);
            lines.handle(handle);
            lines.identifier("PE Identifier", element.0);
            lines.error(error);
        }
        AsapMessage::HandleResolutionResponse { updates, handle, policy, elements, error } => {
            // Wireshark 4.0 does not know the A flag.
            lines.add(format!("Flags: {:#04x}", u8::from(*updates)));
            lines.handle(handle);
            policy.iter().for_each(|policy| lines.policy(policy));
            elements.iter().for_each(|element| lines.element(element));
            lines.error(error);
        }
        AsapMessage::EndpointKeepAlive { home, registrar, handle, element } => {
            let texts = ("H Bit: Want to be new ENRP server", "H Bit: Do not want to be new ENRP server");
            lines.flags(&[(1, *home, texts.0, texts.1)]);
            lines.identifier("Server Identifier", registrar.0);
            lines.handle(handle);
            element.iter().for_each(|element| lines.identifier("PE Identifier", element.0));
        }
        AsapMessage::ServerAnnounce { registrar, transports, encapsulation: None } => {
            lines.flags(&[]);
            lines.identifier("Server Identifier", registrar.0);
            transports.iter().for_each(|transport| lines.transport(transport));
        }
        AsapMessage::Cookie { cookie } => {
            lines.flags(&[]);
            lines.add(format!("Cookie: {}", hex(cookie)));
        }
        AsapMessage::Error { error } => {
            lines.flags(&[]);
            lines.error(&Some(error.clone()));
        }
        other => panic!("{other:?} is not among the vectors"),
    }
    lines.0
}

/// The values of an ENRP message.
pub(crate) fn enrp(message: &EnrpMessage) -> Vec<String> {
    let mut lines = Lines::default();
    let kind = message.message_type();
    let name = match kind.0 {
        1 => "ENRP Presence",
        2 => "ENRP Handle Table Request",
        3 => "ENRP Handle Table Response",
        4 => "ENRP Handle Update",
        5 => "ENRP List Request",
        6 => "ENRP List Response",
        7 => "ENRP Init Takeover",
        10 => "ENRP Error",
        _ => panic!("{kind} is not among the vectors"),
    };
    lines.add(format!("Type: {name} ({})", kind.0));
    match &message.body {
        EnrpBody::Presence { reply_required, .. } => {
            lines.flags(&[(1, *reply_required, "R Bit: Reply required", "R Bit: Reply not required")]);
        }
        EnrpBody::HandleTableRequest { own_only } => {
            lines.flags(&[(1, *own_only, "W Bit: Only information for own PEs", "W Bit: All information")]);
        }
        EnrpBody::HandleTableResponse { rejected, more, .. } => lines.flags(&[
            (2, *more, "M Bit: More information available", "M Bit: All information included"),
            (1, *rejected, "R Bit: Rejected", "R Bit: Accepted"),
        ]),
        EnrpBody::HandleUpdate { takeover_suggested, .. } => {
            let texts = ("T Bit: Takeover suggested", "T Bit: Takeover not suggested");
            lines.flags(&[(1, *takeover_suggested, texts.0, texts.1)]);
        }
        EnrpBody::ListResponse { rejected, .. } => {
            lines.flags(&[(1, *rejected, "R Bit: Rejected", "R Bit: Accepted")]);
        }
        _ => lines.flags(&[]),
    }
    let RegistrarId(sender) = message.sender;
    lines.identifier("Sender Server's ID", sender);
    lines.identifier("Receiver Server's ID", message.receiver.0);
    match &message.body {
        EnrpBody::Presence { checksum, server, .. } => {
            checksum.iter().for_each(|checksum| lines.add(format!("PE Checksum: {checksum:#06x}")));
            server.iter().for_each(|server| lines.server(server));
        }
        EnrpBody::HandleTableRequest { .. } | EnrpBody::ListRequest => {}
        EnrpBody::HandleTableResponse { pools, .. } => {
            for pool in pools {
                lines.handle(&pool.handle);
                pool.elements.iter().for_each(|element| lines.element(element));
            }
        }
        EnrpBody::HandleUpdate { action, handle, element, .. } => {
            lines.add(format!("Update Action: {}", action.0));
            lines.handle(handle);
            lines.element(element);
        }
        EnrpBody::ListResponse { servers, .. } => servers.iter().for_each(|server| lines.server(server)),
        EnrpBody::InitTakeover { target }
        | EnrpBody::InitTakeoverAck { target }
        | EnrpBody::TakeoverServer { target } => lines.identifier("Target Server's ID", target.0),
        EnrpBody::Error { error } => lines.error(&Some(error.clone())),
        other => panic!("{other:?} is not among the vectors"),
    }
    lines.0
}

/// Lines in the words of Wireshark.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn add(&mut self, line: String) {
        self.0.push(line);
    }

    fn identifier(&mut self, name: &str, value: u32) {
        self.add(format!("{name}: {value:#010x}"));
    }

    /// Flags as (bit, set, text if set, text if not). In their lines Wireshark writes `name: text`
    /// after a picture of the bits.
    fn flags(&mut self, flags: &[(u8, bool, &str, &str)]) {
        let bits: u8 = flags.iter().map(|(bit, set, ..)| bit * u8::from(*set)).sum();
        self.add(format!("Flags: {bits:#04x}"));
        for (bit, set, yes, no) in flags {
            let value = u8::from(*set);
            let picture = if *bit == 1 { format!(".... ...{value}") } else { format!(".... ..{value}.") };
            self.add(format!("{picture} = {}", if *set { yes } else { no }));
        }
    }

    fn handle(&mut self, handle: &PoolHandle) {
        self.add(format!("Pool Handle: {} ({handle})", hex(handle.as_bytes())));
    }

    fn element(&mut self, element: &PoolElement) {
        assert_eq!(element.encapsulation, None);
        self.identifier("PE Identifier", element.id.0);
        self.identifier("Home ENRP Server Identifier", element.home.0);
        self.add(format!("Registration Life: {}ms", element.life.0));
        self.transport(&element.user_transport);
        self.policy(&element.policy);
        element.asap_transport.iter().for_each(|transport| self.sctp(transport));
    }

    fn server(&mut self, server: &ServerInformation) {
        assert_eq!(server.encapsulation, None);
        self.identifier("Server Identifier", server.id.0);
        self.sctp(&server.transport);
    }

    fn transport(&mut self, transport: &Transport) {
        match transport {
            Transport::Sctp(sctp) => self.sctp(sctp),
            Transport::Tcp { port, reserved, address } => {
                self.add(format!("Port: {port}"));
                self.add(format!("Transport Use: {reserved}"));
                self.address(address);
            }
            other => panic!("{other:?} is not among the vectors"),
        }
    }

    fn sctp(&mut self, transport: &SctpTransport) {
        self.add(format!("Port: {}", transport.port));
        self.add(format!("Transport Use: {}", u8::from(transport.usage == TransportUse::DataPlusControl)));
        transport.addresses.iter().for_each(|address| self.address(address));
    }

    fn address(&mut self, address: &std::net::IpAddr) {
        let version = if address.is_ipv4() { 4 } else { 6 };
        self.add(format!("IP Version {version} Address: {address}"));
    }

    fn policy(&mut self, policy: &Policy) {
        let percent = |value: &u32| format!("{:.2}%", f64::from(*value) * 100.0 / f64::from(u32::MAX));
        let factor = |value: &u32| format!("{:.5}", f64::from(*value) / f64::from(u32::MAX));
        self.add(format!("Policy Type: {:#010x}", policy.kind().0));
        match policy {
            Policy::RoundRobin | Policy::Random => {}
            Policy::WeightedRoundRobin { weight } | Policy::WeightedRandom { weight } => {
                self.add(format!("Policy Weight: {weight}"));
            }
            Policy::Priority { priority } => self.add(format!("Policy Priority: {priority}")),
            Policy::LeastUsed { load } | Policy::RandomizedLeastUsed { load } => {
                self.add(format!("Policy Load: {}", percent(load)));
            }
            Policy::LeastUsedDegradation { load, degradation }
            | Policy::PriorityLeastUsed { load, degradation } => {
                self.add(format!("Policy Load: {}", percent(load)));
                self.add(format!("Policy Degradation: {}", percent(degradation)));
            }
            Policy::WeightedRandomDpf { weight, dpf, distance } => {
                self.add(format!("Policy Weight: {weight}"));
                self.add(format!("Policy Weight DPF: {}", factor(dpf)));
                self.add(format!("Policy Distance: {distance}"));
            }
            Policy::LeastUsedDpf { load, dpf, distance } => {
                self.add(format!("Policy Load: {}", percent(load)));
                self.add(format!("Policy Load DPF: {}", factor(dpf)));
                self.add(format!("Policy Distance: {distance}"));
            }
            // Wireshark shows these two as octets.
            Policy::PriorityLeastUsedDegradation { load, degradation } => {
                self.add(format!("Policy Value: {load:08x}{degradation:08x}"));
            }
            Policy::LeastUsedDegradationDpf { load, degradation, dpf, distance } => {
                self.add(format!("Policy Value: {load:08x}{degradation:08x}{dpf:08x}{distance:08x}"));
            }
            other => panic!("{other:?} is not among the vectors"),
        }
    }

    fn error(&mut self, error: &Option<OperationError>) {
        for ErrorCause { code, information } in error.iter().flat_map(|error| &error.causes) {
            self.add(format!("Cause Code: {:#06x}", code.0));
            match information.split_at_checked(4) {
                Some((&[0, 9, _, length], _)) => {
                    self.handle(&PoolHandle::new(information.slice(4..length.into())));
                }
                Some((_, value)) => self.add(format!("Parameter Value: {}", hex(value))),
                None => assert!(information.is_empty()),
            }
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
