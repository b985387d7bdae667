//! Every parameter in both directions, and what is invalid in one.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use crate::base::{RegistrarId, SctpPort, UdpPort};
use crate::wire::reader::{Header, Reader, Tlv};

/// Encodes and decodes an element, and returns the octets of its Pool Element parameter.
#[track_caller]
fn through_the_wire(element: &PoolElement) -> Bytes {
    let message = AsapMessage::Registration { handle: "Ech0".into(), element: element.clone() };
    let octets = message.encode(Padding::Strict).unwrap();
    assert_eq!(AsapMessage::decode(&octets).map(|d| d.message), Ok(message));
    octets.slice(12..)
}

/// What a registration with these octets as its Pool Element is refused for.
#[track_caller]
fn refused(element: &str) -> DecodeError {
    AsapMessage::decode(&message(1, 0, &[HANDLE, element].concat())).unwrap_err()
}

fn invalid(tlv: &str) -> Reaction {
    Reaction::Report(ErrorCause { code: CauseCode::INVALID_VALUES, information: hex(tlv) }.into())
}

/// PARAM-3.1-01, PARAM-3.2-01, PARAM-3.3-01, PARAM-3.4-01, PARAM-3.4-02, PARAM-3.4-03, PARAM-3.5-01,
/// PARAM-3.6-01, PARAM-3.7-01, PARAM-3.16-01
#[test]
fn transports() {
    let v4 = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 4));
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let (v4_hex, v6_hex) = ("0001 0008 0a010004", "0002 0014 00000000 00000000 00000000 00000001");
    let mixed =
        SctpTransport { port: 7, usage: TransportUse::DataOnly, addresses: alloc::vec![v6, v4].into() };
    let cases = [
        (Transport::Sctp(mixed), "0004 0024 0007 0000", [v6_hex, v4_hex].concat()),
        (Transport::Tcp { port: 7, reserved: 1, address: v4 }, "0005 0010 0007 0001", v4_hex.into()),
        (Transport::Udp { port: 7, reserved: 0, address: v6 }, "0006 001c 0007 0000", v6_hex.into()),
        (Transport::UdpLite { port: 7, reserved: 0, address: v4 }, "0007 0010 0007 0000", v4_hex.into()),
        (
            Transport::Dccp { port: 7, reserved: 0, service_code: 0x5253_5001, address: v4 },
            "0003 0014 0007 0000 52535001",
            v4_hex.into(),
        ),
        (Transport::Opaque(Bytes::from_static(b"abc")), "0010 0007", "616263 00".into()),
    ];
    for (user_transport, head, tail) in cases {
        let octets = through_the_wire(&PoolElement { user_transport, ..element() });
        let expected = hex(&[head, &tail].concat());
        assert_eq!(octets.slice(16..16 + expected.len()), expected);
    }
}

/// PARAM-3.4-02, PARAM-3.4-03, PARAM-3.12.4-01
#[test]
fn invalid_transports_are_reported() {
    let policy = "0008 0008 00000001";
    let cases = [
        ("0004 0010 0007 0002 0001 0008 7f000001", "Transport Use is neither 0 nor 1"),
        ("0004 0008 0007 0000", "SCTP without an address"),
        ("0004 0006 0007 0000", "SCTP without Transport Use"),
        ("0005 0008 0007 0000", "TCP without an address"),
        ("0005 0018 0007 0000 0001 0008 7f000001 0001 0008 7f000002", "TCP with two addresses"),
        ("0003 000c 0007 0000 52535001", "DCCP without an address"),
        ("0003 0008 0007 0000", "DCCP without a service code"),
    ];
    for (transport, why) in cases {
        let octets = hex(transport);
        let length = usize::from(octets[3]);
        let element = alloc::format!("00002001 00000000 0000012c {transport} {policy}");
        let element = alloc::format!("000a {:04x} {element}", hex(&element).len() + 4);
        let error = refused(&element);
        let expected = ErrorCause { code: CauseCode::INVALID_VALUES, information: octets.slice(..length) };
        assert_eq!(error.reaction, Reaction::Report(expected.into()), "{why}");
    }
    let short_address = "000a 0024 00002001 00000000 0000012c
        0004 000e 0007 0000 0001 0006 7f00 0000 0008 0008 00000001";
    assert_eq!(refused(short_address).reaction, invalid("0001 0006 7f00"));
}

/// PARAM-3.10-01, PARAM-3.10-02, PARAM-3.10-03, PARAM-3.10-05, PARAM-2-02
#[test]
fn pool_element() {
    assert_eq!(through_the_wire(&element()), hex(ELEMENT));
    let full = PoolElement {
        home: RegistrarId(0x1111_1111),
        life: RegistrationLife::INFINITE,
        asap_transport: Some(sctp(8, TransportUse::DataOnly)),
        encapsulation: Some(EncapsulationPorts { user: 9899, asap: 20002 }),
        ..element()
    };
    let expected = "000a 0040 00002001 11111111 ffffffff
        0004 0010 0007 0001 0001 0008 7f000001
        0008 0008 00000001
        0004 0010 0008 0000 0001 0008 7f000001
        a6ab 0008 26ab 4e22";
    assert_eq!(through_the_wire(&full), hex(expected));

    // The padding of the last inner parameter does not count, that of the others does.
    let policy = Policy::Other { kind: PolicyType(0x8000_0001), data: Bytes::from_static(b"x") };
    let octets = through_the_wire(&PoolElement { policy: policy.clone(), ..element() });
    assert_eq!((octets.len(), octets[3]), (44, 0x29));
    let asap_transport = Some(sctp(8, TransportUse::DataOnly));
    let octets = through_the_wire(&PoolElement { policy, asap_transport, ..element() });
    assert_eq!((octets.len(), octets[3]), (60, 0x3c));
}

/// PARAM-2-02 and reading A6: RSPLIB counts the padding of the last inner parameter too.
#[test]
fn inner_padding_may_count() {
    let tail = "00002001 00000000 0000012c
        0004 0010 0007 0001 0001 0008 7f000001
        0008 0009 80000001 78 000000";
    let read = |element: &str| {
        let decoded = AsapMessage::decode(&message(1, 0, &[HANDLE, element, tail].concat()));
        decoded.map(|d| d.message)
    };
    assert!(read("000a 0029").is_ok());
    assert_eq!(read("000a 0029"), read("000a 002c"));
}

/// PARAM-3.10-04, PARAM-3.10-05
#[test]
fn one_user_transport_and_an_asap_transport_of_sctp() {
    let sctp = "0004 0010 0007 0001 0001 0008 7f000001";
    let tcp = "0005 0010 0007 0000 0001 0008 7f000001";
    let head = "00002001 00000000 0000012c";
    let policy = "0008 0008 00000001";
    let two = refused(&["000a 0038", head, sctp, tcp, policy].concat());
    assert_eq!(two.reaction, invalid(tcp));
    let not_sctp = refused(&["000a 0038", head, sctp, policy, tcp].concat());
    assert_eq!(not_sctp.reaction, invalid(tcp));
    let none = ["000a 0018", head, policy].concat();
    assert_eq!(refused(&none).reaction, invalid(&none));
    let no_policy = ["000a 0020", head, sctp].concat();
    let error = refused(&no_policy);
    assert_eq!(error.malformed, Malformed::Missing("Pool Member Selection Policy"));
    assert_eq!(error.reaction, invalid(&no_policy));
}

/// PARAM-3.8-01, PARAM-3.8-02, POL-4.1.4-01, POL-4.2.4-01, POL-4.3.4-01, POL-4.4.4-01, POL-4.5.4-01,
/// POL-5.1.4-01, POL-5.2.4-01, POL-5.3.4-01, POL-5.4.4-01, POL-7.1-01
#[test]
fn policies() {
    let (load, degradation, weight, dpf, distance) = (0x0100_0000, 0x0200_0000, 3, 0x0400_0000, 5);
    let cases = [
        (Policy::RoundRobin, "0008 0008 00000001"),
        (Policy::WeightedRoundRobin { weight }, "0008 000c 00000002 00000003"),
        (Policy::Random, "0008 0008 00000003"),
        (Policy::WeightedRandom { weight }, "0008 000c 00000004 00000003"),
        (Policy::Priority { priority: 9 }, "0008 000c 00000005 00000009"),
        (Policy::LeastUsed { load }, "0008 000c 40000001 01000000"),
        (Policy::LeastUsedDegradation { load, degradation }, "0008 0010 40000002 01000000 02000000"),
        (Policy::PriorityLeastUsed { load, degradation }, "0008 0010 40000003 01000000 02000000"),
        (Policy::RandomizedLeastUsed { load }, "0008 000c 40000004 01000000"),
        (
            Policy::RandomizedLeastUsedDegradation { load, degradation },
            "0008 0010 b0001002 01000000 02000000",
        ),
        (Policy::PriorityLeastUsedDegradation { load, degradation }, "0008 0010 b0001003 01000000 02000000"),
        (
            Policy::WeightedRandomDpf { weight, dpf, distance },
            "0008 0014 b0002001 00000003 04000000 00000005",
        ),
        (Policy::LeastUsedDpf { load, dpf, distance }, "0008 0014 b0002002 01000000 04000000 00000005"),
        (
            Policy::LeastUsedDegradationDpf { load, degradation, dpf, distance },
            "0008 0018 b0002003 01000000 02000000 04000000 00000005",
        ),
        (Policy::RandomizedPriorityLeastUsed { load, degradation }, "0008 0010 b0001001 01000000 02000000"),
        (
            Policy::PriorityLeastUsedDegradationDpf { load, degradation, dpf, distance },
            "0008 0018 b0002005 01000000 02000000 04000000 00000005",
        ),
        // A guessed layout that does not fit.
        (
            Policy::Other { kind: PolicyType(0xb000_1001), data: Bytes::from_static(&[1, 2, 3, 4]) },
            "0008 000c b0001001 01020304",
        ),
    ];
    for (policy, expected) in cases {
        let octets = through_the_wire(&PoolElement { policy: policy.clone(), ..element() });
        assert_eq!(octets.slice(32..), hex(expected), "{policy}");
    }
}

/// The short way to read an element and the long one agree, also on elements that were tampered with.
#[test]
fn plain_elements_are_read_like_any() {
    let mut random = crate::base::Random::new(6);
    let mut plain = 0;
    for policy in [
        Policy::RoundRobin,
        Policy::LeastUsed { load: 5 },
        Policy::PriorityLeastUsedDpf { load: 1, degradation: 2, dpf: 3, distance: 4 },
        Policy::Other { kind: PolicyType(0xb000_9999), data: Bytes::from_static(&[1, 2, 3, 4]) },
    ] {
        for shape in 0..4 {
            let asap_transport = (shape & 1 != 0).then(|| sctp(3863, TransportUse::DataOnly));
            let encapsulation = (shape & 2 != 0).then_some(EncapsulationPorts { user: 1, asap: 2 });
            let element = PoolElement { policy: policy.clone(), asap_transport, encapsulation, ..element() };
            let octets = element.to_parameter();
            for tampered in 0..3_000 {
                let mut octets = octets.to_vec();
                if tampered > 0 {
                    let at = 4 + random.below(octets.len() as u64 - 4) as usize;
                    octets[at] = random.below(if tampered % 2 == 0 { 256 } else { 20 }) as u8;
                }
                if tampered % 5 == 4 {
                    octets.truncate(octets.len() - 4);
                }
                let end = octets.len();
                let message: Bytes = [&[0; 4][..], &octets].concat().into();
                let header = Header { kind: 0, flags: 0, end: 4 + end };
                let mut report = Vec::new();
                let mut reader = Reader::new(&message, &header, &mut report);
                let tlv = Tlv { code: 0xa, at: 4, end: 4 + end, next: 4 + end };
                let any = PoolElement::read_any(reader.enter(&tlv));
                if let Some(read) = PoolElement::plain(&octets[4..]) {
                    assert_eq!((Ok(read), report.len()), (any, 0));
                    plain += 1;
                }
            }
        }
    }
    assert!(plain > 10_000, "{plain}");
}

/// PARAM-3.8-01, PARAM-3.12.4-01, POL-7.1-02
#[test]
fn invalid_policies_are_reported() {
    let policies = [
        "0008 000c 00000001 00000000",
        "0008 0008 00000002",
        "0008 000a 00000002 0000 0000",
        "0008 0006 0000 0000",
        "0008 000c 40000002 00000000",
        "0008 0008 00000000",
        "0008 000c 40000000 00000000",
        "0008 0010 b0002002 00000000 00000000",
    ];
    for policy in policies {
        let octets = hex(policy);
        let length = usize::from(octets[3]);
        let head = "00002001 00000000 0000012c 0004 0010 0007 0001 0001 0008 7f000001";
        let error = refused(&alloc::format!("000a {:04x} {head} {policy}", 32 + octets.len()));
        let information = octets.slice(..length);
        let expected = Reaction::Report(ErrorCause { code: CauseCode::INVALID_VALUES, information }.into());
        assert_eq!(error.reaction, expected, "{policy}");
    }
}

/// PARAM-3.14-01, PARAM-3.15-01, PARAM-3.9-01
#[test]
fn fixed_lengths() {
    let identifier = |tlv: &str| AsapMessage::decode(&message(2, 0, &[HANDLE, tlv].concat()));
    assert!(identifier("000e 0008 00002001").is_ok());
    assert_eq!(identifier("000e 0007 000020 00").unwrap_err().reaction, invalid("000e 0007 000020"));
    assert_eq!(
        identifier("000e 000c 00002001 00000000").unwrap_err().reaction,
        invalid("000e 000c 00002001 00000000")
    );
    let checksum = |tlv: &str| EnrpMessage::decode(&message(1, 0, &["00000001 00000000", tlv].concat()));
    assert!(checksum("000f 0006 ffff 0000").is_ok());
    assert_eq!(checksum("000f 0008 ffff 0000").unwrap_err().reaction, invalid("000f 0008 ffff 0000"));
    let empty_handle = AsapMessage::decode(&message(5, 0, "0009 0004"));
    let expected = AsapMessage::HandleResolution { handle: "".into(), subscribe: false, items: None };
    assert_eq!(empty_handle.map(|d| d.message), Ok(expected));
}

/// PARAM-3.12-01, PARAM-3.12-02, PARAM-3.12.1-01, PARAM-3.12.2-01, PARAM-3.12.3-01, PARAM-3.12.4-01,
/// PARAM-3.12.6-01, PARAM-3.12.7-01, PARAM-3.12.8-01, PARAM-3.12.10-01
#[test]
fn operation_error() {
    let udp = Transport::Udp { port: 1, reserved: 0, address: Ipv4Addr::LOCALHOST.into() };
    let causes = alloc::vec![
        ErrorCause::bare(CauseCode::UNSPECIFIED),
        ErrorCause::unrecognized_parameter(hex("c001 0005 61")),
        ErrorCause::unrecognized_message(hex("42000004")),
        ErrorCause::invalid_values(hex("0009 0005 61")),
        ErrorCause::inconsistent_policy(&Policy::Random),
        ErrorCause::inconsistent_transport(&udp),
        ErrorCause::bare(CauseCode::SECURITY),
        ErrorCause { code: CauseCode(0xf005), information: hex("ff") },
    ];
    let octets = message(
        14,
        0,
        "000c 0051 0000 0004
         0001 0009 c001 0005 61 000000
         0002 0008 42000004
         0003 0009 0009 0005 61 000000
         0005 000c 0008 0008 00000003
         0007 0014 0006 0010 0001 0000 0001 0008 7f000001
         000a 0004
         f005 0005 ff 000000",
    );
    let message = AsapMessage::Error { error: OperationError { causes } };
    assert_eq!(message.encode(Padding::Padded), Ok(octets.clone()));
    assert_eq!(AsapMessage::decode(&octets).map(|d| d.message), Ok(message));
}

#[test]
fn causes_have_names() {
    let error = Some(OperationError {
        causes: alloc::vec![
            ErrorCause::bare(CauseCode::UNKNOWN_POOL_HANDLE),
            ErrorCause::bare(CauseCode(0xf005)),
        ],
    });
    assert_eq!(causes_text(&error), "Unknown Pool Handle (0x0009), 0xf005");
    // A policy is named, by its number if it has no name.
    let text = |cause: ErrorCause| causes_text(&Some(cause.into()));
    let private = Policy::Other { kind: PolicyType(0x8000_0099), data: Bytes::new() };
    let unknown = ErrorCause::invalid_values(private.to_parameter());
    assert_eq!(text(unknown), "Invalid Values (0x0003): policy 0x80000099");
    assert_eq!(
        text(ErrorCause::inconsistent_policy(&Policy::Random)),
        "Inconsistent Pooling Policy (0x0005): the pool has Random (0x00000003)"
    );
    assert_eq!(text(ErrorCause::invalid_values(hex("0009 0005 61"))), "Invalid Values (0x0003)");
    assert_eq!(causes_text(&None), "no cause given");
}

/// Lists that must not be empty, and lengths that do not fit, are refused when written.
#[test]
fn what_cannot_be_encoded() {
    let card = AsapMessage::BusinessCard { handle: "P".into(), policy: None, elements: Vec::new() };
    assert_eq!(card.encode(Padding::Strict), Err(EncodeError::Missing("Pool Element")));
    let error = AsapMessage::Error { error: OperationError { causes: Vec::new() } };
    assert_eq!(error.encode(Padding::Strict), Err(EncodeError::Missing("error cause")));
    let transport = SctpTransport { port: 1, usage: TransportUse::DataOnly, addresses: Vec::new().into() };
    let element = PoolElement { user_transport: Transport::Sctp(transport), ..element() };
    let registration = AsapMessage::Registration { handle: "P".into(), element };
    assert_eq!(registration.encode(Padding::Strict), Err(EncodeError::Missing("IP address")));

    let cookie = |length: usize| AsapMessage::Cookie { cookie: alloc::vec![0; length].into() };
    assert_eq!(cookie(65_532).encode(Padding::Strict), Err(EncodeError::TooLong("Cookie")));
    assert_eq!(cookie(65_528).encode(Padding::Strict), Err(EncodeError::TooLong("ASAP_COOKIE")));
    assert_eq!(cookie(65_527).encode(Padding::Strict).map(|octets| octets.len()), Ok(65_536));
    assert_eq!(cookie(65_527).encode(Padding::Padded), Err(EncodeError::TooLong("ASAP_COOKIE")));
    assert_eq!(cookie(65_524).encode(Padding::Padded).map(|octets| octets.len()), Ok(65_532));
}

/// The property is in `tests/wire.rs`; what no generator makes is here.
#[test]
fn an_element_that_cannot_be_encoded_has_no_length() {
    let opaque = |octets: usize| PoolElement {
        user_transport: Transport::Opaque(alloc::vec![0; octets].into()),
        ..element()
    };
    let homeless = SctpTransport { addresses: Vec::new().into(), ..sctp(7, TransportUse::DataOnly) };
    let ends = PoolElement { user_transport: Transport::Sctp(homeless.clone()), ..element() };
    let ends_at_asap = PoolElement { asap_transport: Some(homeless), ..element() };
    assert_eq!(element().encoded_len(), Some(0x28));
    for element in [opaque(65_506), opaque(65_507), opaque(65_508), opaque(65_535), ends, ends_at_asap] {
        assert_eq!(element.encoded_len().unwrap_or(0), element.to_parameter().len());
    }
    assert_eq!((opaque(65_504).encoded_len(), opaque(65_508).encoded_len()), (Some(65_532), None));
}

#[test]
fn an_element_is_reached_where_it_says() {
    let addresses = [[127, 0, 0, 1].into()];
    let at = |port, udp_port| {
        Some(crate::base::SctpAddress::multihomed(addresses.to_vec(), SctpPort(port), UdpPort(udp_port)))
    };
    let ports = |user, asap| Some(EncapsulationPorts { user, asap });
    let with = |encapsulation, asap: Option<u16>| PoolElement {
        asap_transport: asap.map(|port| sctp(port, TransportUse::DataOnly)),
        encapsulation,
        ..element()
    };
    let cases = [
        (with(None, None), at(7, 9899), at(7, 9899)),
        (with(ports(20_001, 0), None), at(7, 20_001), at(7, 20_001)),
        (with(ports(20_001, 0), Some(8)), at(7, 20_001), at(8, 9899)),
        (with(ports(0, 20_002), Some(8)), at(7, 9899), at(8, 20_002)),
        (with(None, Some(0)), at(7, 9899), None),
    ];
    for (element, user, asap) in cases {
        assert_eq!((element.user_address(), element.asap_address()), (user, asap), "{element:?}");
    }
    let opaque = PoolElement { user_transport: Transport::Opaque(Bytes::new()), ..element() };
    assert_eq!((opaque.user_address(), opaque.asap_address()), (None, None));
}

#[test]
fn a_registrar_is_reached_where_it_says_or_was_seen() {
    use crate::base::{RegistrarId, SctpAddress, SctpPort, UdpPort};
    let usable: IpAddr = [192, 0, 2, 1].into();
    let stated = |addresses: &[IpAddr], port, user: Option<u16>| ServerInformation {
        id: RegistrarId(1),
        transport: SctpTransport { port, usage: TransportUse::DataOnly, addresses: addresses.into() },
        encapsulation: user.map(|user| EncapsulationPorts { user, asap: 0 }),
    };
    let at = |udp_port| Some(SctpAddress::new(usable, SctpPort(9901), UdpPort(udp_port)));
    let seen = SctpAddress::new(usable, SctpPort(9901), UdpPort(20_001));
    let elsewhere = SctpAddress::new([192, 0, 2, 2].into(), SctpPort(9901), UdpPort(20_001));
    assert_eq!(stated(&[usable], 9901, Some(1)).address(Some(&seen)), at(1));
    assert_eq!(stated(&[usable], 9901, None).address(Some(&seen)), at(20_001));
    assert_eq!(stated(&[usable], 9901, Some(0)).address(Some(&elsewhere)), at(9899));
    assert_eq!(stated(&[usable], 0, Some(1)).address(None), None);
    let useless = [[0, 0, 0, 0].into(), [224, 0, 0, 1].into()];
    assert_eq!(stated(&useless, 9901, Some(1)).address(None), None);
    assert_eq!(stated(&[useless[0], usable], 9901, Some(1)).address(None), at(1));
    let described = ServerInformation::at(RegistrarId(1), &seen);
    assert_eq!(described.address(None).as_ref(), Some(&seen));
    let many: Vec<_> = (1..=20).map(|host| IpAddr::from([192, 0, 2, host])).collect();
    assert_eq!(stated(&many, 9901, None).address(None).unwrap().addresses, many[..8]);
}
