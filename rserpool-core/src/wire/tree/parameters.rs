//! Parameters and error causes as fields.

use alloc::format;
use alloc::string::{String, ToString};
use core::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use super::scan::{Scan, hex};
use crate::base::PoolHandle;
use crate::wire::policy_text::Fraction;
use crate::wire::{CauseCode, ParameterType, PolicyField, PolicyType, RegistrationLife};

/// The most levels of parameters that are described. Five levels occur: error, cause, element, transport,
/// address. What is deeper is shown as octets, so that the depth of the tree is bounded.
pub(super) const MAX_DEPTH: usize = 6;

/// Adds all remaining parameters.
pub(super) fn describe(scan: &mut Scan<'_>, depth: usize) {
    while scan.tlv(parameter_name, |inside, code| parameter(inside, ParameterType(code), depth)) {}
}

fn parameter_name(code: u16) -> &'static str {
    let kind = ParameterType(code);
    if kind.is_known() { kind.name() } else { "Unknown Parameter" }
}

fn parameter(scan: &mut Scan<'_>, kind: ParameterType, depth: usize) {
    scan.u16("Parameter Type", |_| kind.to_string());
    scan.u16("Parameter Length", |value| value.to_string());
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    match kind {
        ParameterType::IPV4_ADDRESS => {
            scan.number("IPv4 Address", |octets| Ipv4Addr::from(octets).to_string());
        }
        ParameterType::IPV6_ADDRESS => {
            scan.number("IPv6 Address", |octets| Ipv6Addr::from(octets).to_string());
        }
        ParameterType::SCTP_TRANSPORT => {
            port(scan, "SCTP Port");
            scan.u16("Transport Use", transport_use);
            describe(scan, depth);
        }
        ParameterType::TCP_TRANSPORT => data_transport(scan, "TCP Port", depth),
        ParameterType::UDP_TRANSPORT => data_transport(scan, "UDP Port", depth),
        ParameterType::UDP_LITE_TRANSPORT => data_transport(scan, "UDP-Lite Port", depth),
        ParameterType::DCCP_TRANSPORT => {
            port(scan, "DCCP Port");
            scan.hex16("Reserved");
            scan.u32("DCCP Service Code", |value| format!("{value:#010x}"));
            describe(scan, depth);
        }
        ParameterType::OPAQUE_TRANSPORT => scan.rest("Opaque Transport Data"),
        ParameterType::POLICY => policy(scan),
        ParameterType::POOL_HANDLE => scan.rest_as("Pool Handle", |octets| {
            format!("{} ({})", PoolHandle::new(Bytes::copy_from_slice(octets)), hex(octets))
        }),
        ParameterType::POOL_ELEMENT => {
            scan.identifier("PE Identifier");
            scan.identifier("Home ENRP Server Identifier");
            scan.u32("Registration Life", life);
            describe(scan, depth);
        }
        ParameterType::SERVER_INFORMATION => {
            scan.identifier("Server ID");
            describe(scan, depth);
        }
        ParameterType::OPERATION_ERROR => {
            while scan.tlv(cause_name, |inside, code| cause(inside, CauseCode(code), depth)) {}
        }
        ParameterType::COOKIE => scan.rest("Cookie"),
        ParameterType::PE_IDENTIFIER => scan.identifier("PE Identifier"),
        ParameterType::PE_CHECKSUM => scan.hex16("PE Checksum"),
        ParameterType::HANDLE_RESOLUTION => scan.u32("Items", items),
        ParameterType::ENCAPSULATION_PORTS => {
            port(scan, "UDP Port of the User Transport");
            port(scan, "UDP Port of the ASAP Transport");
        }
        _ => scan.rest("Parameter Value"),
    }
}

fn cause_name(code: u16) -> &'static str {
    let code = CauseCode(code);
    if code.is_known() { code.name() } else { "Unknown Cause" }
}

fn cause(scan: &mut Scan<'_>, code: CauseCode, depth: usize) {
    scan.u16("Cause Code", |_| code.to_string());
    scan.u16("Cause Length", |value| value.to_string());
    match (code, depth.checked_sub(1)) {
        (
            CauseCode::UNRECOGNIZED_PARAMETER
            | CauseCode::INVALID_VALUES
            | CauseCode::INCONSISTENT_POLICY
            | CauseCode::INCONSISTENT_TRANSPORT,
            Some(depth),
        ) => describe(scan, depth),
        (CauseCode::UNRECOGNIZED_MESSAGE, _) => scan.rest("Message"),
        _ => scan.rest("Cause-Specific Information"),
    }
}

fn policy(scan: &mut Scan<'_>) {
    let mut kind = PolicyType(0);
    scan.u32("Policy Type", |value| {
        kind = PolicyType(value);
        kind.to_string()
    });
    for field in kind.layout().unwrap_or_default() {
        scan.u32(field.name(), |value| match field {
            PolicyField::Distance => format!("{value} ms"),
            field if field.is_fraction() => format!("{} ({value:#010x})", Fraction(value)),
            _ => value.to_string(),
        });
    }
    scan.rest("Policy-specific Data");
}

/// TCP, UDP and UDP-Lite carry data only, so the second half-word has no meaning.
fn data_transport(scan: &mut Scan<'_>, port_name: &'static str, depth: usize) {
    port(scan, port_name);
    scan.hex16("Reserved");
    describe(scan, depth);
}

fn port(scan: &mut Scan<'_>, name: &'static str) {
    scan.u16(name, |value| value.to_string());
}

fn transport_use(value: u16) -> String {
    match value {
        0 => "DATA ONLY (0x0000)".into(),
        1 => "DATA plus CONTROL (0x0001)".into(),
        _ => format!("{value:#06x}"),
    }
}

fn life(value: u32) -> String {
    let seconds = value.cast_signed();
    if RegistrationLife(seconds) == RegistrationLife::INFINITE {
        "-1 (infinite)".into()
    } else {
        format!("{seconds} s")
    }
}

fn items(value: u32) -> String {
    match value {
        0 => "0 (as the registrar likes)".into(),
        u32::MAX => format!("{value:#x} (as many as possible)"),
        _ => value.to_string(),
    }
}
