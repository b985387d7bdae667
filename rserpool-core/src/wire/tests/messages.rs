//! Every message in both directions (PARAM-4-01), and its padding.

use super::*;
use crate::base::{ElementId, PoolHandle, RegistrarId};

const IDENTIFIER: &str = "000e 0008 00002001";
const UNKNOWN_POOL: &str = "000c 0008 0009 0004";

fn unknown_pool() -> OperationError {
    ErrorCause::bare(CauseCode::UNKNOWN_POOL_HANDLE).into()
}

#[track_caller]
fn asap(message: AsapMessage, kind: u8, flags: u8, value: &str) {
    let octets = super::message(kind, flags, value);
    assert_eq!(message.message_type(), AsapType(kind));
    assert_eq!(message.encode(Padding::Strict), Ok(octets.clone()));
    assert_eq!(AsapMessage::decode(&octets), Ok(Decoded { message, report: Vec::new() }));
}

#[track_caller]
fn enrp(body: EnrpBody, kind: u8, flags: u8, value: &str) {
    let octets = message(kind, flags, &alloc::format!("00000001 00000002 {value}"));
    let message = EnrpMessage { sender: RegistrarId(1), receiver: RegistrarId(2), body };
    assert_eq!(message.message_type(), EnrpType(kind));
    assert_eq!(message.encode(Padding::Strict), Ok(octets.clone()));
    assert_eq!(EnrpMessage::decode(&octets), Ok(Decoded { message, report: Vec::new() }));
}

fn handle() -> PoolHandle {
    "Ech0".into()
}

const PE: ElementId = ElementId(0x2001);

/// ASAP-2.2.1-01, ASAP-2.2.2-01, ASAP-2.2.3-01, ASAP-2.2.3-03, ASAP-2.2.4-01
#[test]
fn registration() {
    let registration = AsapMessage::Registration { handle: handle(), element: element() };
    asap(registration, 1, 0, &[HANDLE, ELEMENT].concat());

    let both = [HANDLE, IDENTIFIER].concat();
    asap(AsapMessage::Deregistration { handle: handle(), element: PE }, 2, 0, &both);

    let granted =
        AsapMessage::RegistrationResponse { rejected: false, handle: handle(), element: PE, error: None };
    asap(granted, 3, 0, &both);
    let error = Some(ErrorCause::bare(CauseCode::LACK_OF_RESOURCES).into());
    let refused = AsapMessage::RegistrationResponse { rejected: true, handle: handle(), element: PE, error };
    asap(refused, 3, 1, &[&both, "000c 0008 0006 0004"].concat());

    let done = AsapMessage::DeregistrationResponse { handle: handle(), element: PE, error: None };
    asap(done, 4, 0, &both);
    let refused =
        AsapMessage::DeregistrationResponse { handle: handle(), element: PE, error: Some(unknown_pool()) };
    asap(refused, 4, 0, &[&both, UNKNOWN_POOL].concat());
}

/// ASAP-2.2.5-01, ASAP-2.2.6-01, ASAP-2.2.6-04, ASAP-2.2.6-07
#[test]
fn handle_resolution() {
    let request = |subscribe, items| AsapMessage::HandleResolution { handle: handle(), subscribe, items };
    asap(request(false, None), 5, 0, HANDLE);
    asap(request(true, Some(3)), 5, 1, &[HANDLE, "803f 0008 00000003"].concat());

    let positive = AsapMessage::HandleResolutionResponse {
        updates: true,
        handle: handle(),
        policy: Some(Policy::Random),
        elements: alloc::vec![element(), element()],
        error: None,
    };
    asap(positive, 6, 1, &[HANDLE, "0008 0008 00000003", ELEMENT, ELEMENT].concat());
    let negative = AsapMessage::HandleResolutionResponse {
        updates: false,
        handle: handle(),
        policy: None,
        elements: Vec::new(),
        error: Some(unknown_pool()),
    };
    asap(negative, 6, 0, &[HANDLE, UNKNOWN_POOL].concat());
}

/// ASAP-2.2.7-01, ASAP-2.2.8-01, ASAP-2.2.9-01
#[test]
fn keep_alive() {
    let keep_alive = |home, element| AsapMessage::EndpointKeepAlive {
        home,
        registrar: RegistrarId(0x11),
        handle: handle(),
        element,
    };
    asap(keep_alive(true, None), 7, 1, &["00000011", HANDLE].concat());
    asap(keep_alive(false, Some(PE)), 7, 0, &["00000011", HANDLE, IDENTIFIER].concat());
    let both = [HANDLE, IDENTIFIER].concat();
    asap(AsapMessage::EndpointKeepAliveAck { handle: handle(), element: PE }, 8, 0, &both);
    asap(AsapMessage::EndpointUnreachable { handle: handle(), element: PE }, 9, 0, &both);
}

/// ASAP-2.2.10-01, ASAP-2.2.10-02
#[test]
fn server_announce() {
    let silent = AsapMessage::ServerAnnounce {
        registrar: RegistrarId(0x11),
        transports: Vec::new(),
        encapsulation: None,
    };
    asap(silent, 10, 0, "00000011");
    let address = core::net::Ipv4Addr::LOCALHOST.into();
    let full = AsapMessage::ServerAnnounce {
        registrar: RegistrarId(0x11),
        transports: alloc::vec![
            Transport::Sctp(sctp(3863, TransportUse::DataOnly)),
            Transport::Tcp { port: 3863, reserved: 0, address },
        ],
        encapsulation: Some(EncapsulationPorts { user: 20001, asap: 0 }),
    };
    let transports = "0004 0010 0f17 0000 0001 0008 7f000001  0005 0010 0f17 0000 0001 0008 7f000001";
    asap(full, 10, 0, &["00000011", transports, "a6ab 0008 4e21 0000"].concat());

    let udp = "0006 0010 0f17 0000 0001 0008 7f000001";
    let error = AsapMessage::decode(&message(10, 0, &["00000011", udp].concat())).unwrap_err();
    assert_eq!(error.malformed, Malformed::Unexpected { at: 8, found: ParameterType::UDP_TRANSPORT });
    assert_eq!(error.reaction, Reaction::Discard);
}

/// ASAP-2.2.11-01, ASAP-2.2.12-01, ASAP-2.2.13-01, ASAP-2.2.14-01, PARAM-3.13-01
#[test]
fn session() {
    let cookie = Bytes::from_static(&[1, 2, 3, 4]);
    asap(AsapMessage::Cookie { cookie: cookie.clone() }, 11, 0, "000d 0008 01020304");
    asap(AsapMessage::CookieEcho { cookie }, 12, 0, "000d 0008 01020304");

    let card = |policy| AsapMessage::BusinessCard {
        handle: handle(),
        policy,
        elements: alloc::vec![element(), element()],
    };
    asap(card(None), 13, 0, &[HANDLE, ELEMENT, ELEMENT].concat());
    let rsplib = [HANDLE, "0008 0008 00000001", ELEMENT, ELEMENT].concat();
    asap(card(Some(Policy::RoundRobin)), 13, 0, &rsplib);

    asap(AsapMessage::Error { error: unknown_pool() }, 14, 0, UNKNOWN_POOL);
}

/// ENRP-2.1-01, ENRP-2.1-02, PARAM-3.15-01
#[test]
fn presence() {
    let body = |reply_required, checksum, server| EnrpBody::Presence { reply_required, checksum, server };
    enrp(body(false, None, None), 1, 0, "");
    let server = ServerInformation {
        id: RegistrarId(1),
        transport: sctp(9901, TransportUse::DataOnly),
        encapsulation: Some(EncapsulationPorts { user: 20001, asap: 0 }),
    };
    let checksum = "000f 0006 8490 0000";
    let information = "000b 0020 00000001 0004 0010 26ad 0000 0001 0008 7f000001  a6ab 0008 4e21 0000";
    enrp(body(true, Some(0x8490), Some(server)), 1, 1, &[checksum, information].concat());
}

/// ENRP-2.2-01, ENRP-2.3-01, ENRP-2.3-02, ENRP-2.3-03
#[test]
fn handle_table() {
    enrp(EnrpBody::HandleTableRequest { own_only: false }, 2, 0, "");
    enrp(EnrpBody::HandleTableRequest { own_only: true }, 2, 1, "");
    let response = |rejected, more, pools| EnrpBody::HandleTableResponse { rejected, more, pools };
    enrp(response(true, false, Vec::new()), 3, 1, "");
    let pool = |elements| PoolEntry { handle: handle(), elements };
    let pools = alloc::vec![pool(alloc::vec![element(), element()]), pool(alloc::vec![element()])];
    enrp(response(false, true, pools), 3, 2, &[HANDLE, ELEMENT, ELEMENT, HANDLE, ELEMENT].concat());

    let no_element = message(3, 0, &["00000001 00000002", HANDLE, ELEMENT, HANDLE].concat());
    let error = EnrpMessage::decode(&no_element).unwrap_err();
    assert_eq!(error.malformed, Malformed::Missing("Pool Element"));
    let body = response(false, false, alloc::vec![pool(Vec::new())]);
    let empty = EnrpMessage { sender: RegistrarId(1), receiver: RegistrarId(2), body };
    assert_eq!(empty.encode(Padding::Strict), Err(EncodeError::Missing("Pool Element")));
}

/// ENRP-2.4-01, ENRP-2.4-02, ENRP-2.4-03
#[test]
fn handle_update() {
    let update = |takeover_suggested, action| EnrpBody::HandleUpdate {
        takeover_suggested,
        action,
        handle: handle(),
        element: element(),
    };
    enrp(update(false, UpdateAction::ADD_PE), 4, 0, &["0000 0000", HANDLE, ELEMENT].concat());
    enrp(update(true, UpdateAction::DEL_PE), 4, 1, &["0001 0000", HANDLE, ELEMENT].concat());
    let reserved = ["00000001 00000002 0000 ffff", HANDLE, ELEMENT].concat();
    assert!(EnrpMessage::decode(&message(4, 0, &reserved)).is_ok());
}

/// ENRP-2.5-01, ENRP-2.6-01, ENRP-2.6-02
#[test]
fn list() {
    enrp(EnrpBody::ListRequest, 5, 0, "");
    enrp(EnrpBody::ListResponse { rejected: true, servers: Vec::new() }, 6, 1, "");
    let server = |id| ServerInformation {
        id: RegistrarId(id),
        transport: sctp(9901, TransportUse::DataOnly),
        encapsulation: None,
    };
    let servers = "000b 0018 00000003 0004 0010 26ad 0000 0001 0008 7f000001
                   000b 0018 00000004 0004 0010 26ad 0000 0001 0008 7f000001";
    enrp(
        EnrpBody::ListResponse { rejected: false, servers: alloc::vec![server(3), server(4)] },
        6,
        0,
        servers,
    );
}

/// ENRP-2.7-01, ENRP-2.8-01, ENRP-2.9-01, ENRP-2.10-01
#[test]
fn takeover_and_error() {
    let target = RegistrarId(3);
    enrp(EnrpBody::InitTakeover { target }, 7, 0, "00000003");
    enrp(EnrpBody::InitTakeoverAck { target }, 8, 0, "00000003");
    enrp(EnrpBody::TakeoverServer { target }, 9, 0, "00000003");
    enrp(EnrpBody::Error { error: unknown_pool() }, 10, 0, UNKNOWN_POOL);
}

/// PARAM-3-03, PARAM-4-03, PARAM-4-04
#[test]
fn the_length_counts_the_final_padding_or_not() {
    let request =
        AsapMessage::HandleResolution { handle: "CalcAppPool".into(), subscribe: false, items: None };
    let value = "0009 000f 43616c634170 70506f6f6c 00";
    assert_eq!(request.encode(Padding::Strict), Ok(hex(&["05 00 0013", value].concat())));
    assert_eq!(request.encode(Padding::Padded), Ok(hex(&["05 00 0014", value].concat())));
}

/// PARAM-3-05, PARAM-4-03, PARAM-4-04
#[test]
fn every_form_of_padding_is_read() {
    let request =
        AsapMessage::HandleResolution { handle: "CalcAppPool".into(), subscribe: false, items: None };
    let value = "0009 000f 43616c634170 70506f6f6c";
    for form in ["05 00 0013 V", "05 00 0013 V 00", "05 00 0013 V ff", "05 00 0014 V 00", "05 00 0014 V ff"] {
        let octets = hex(&form.replace('V', value));
        assert_eq!(AsapMessage::decode(&octets).map(|d| d.message), Ok(request.clone()), "{form}");
    }
    let three_more = hex(&["05 00 0014", value, "00 ffffff"].concat());
    assert!(AsapMessage::decode(&three_more).is_ok());
    let four_more = hex(&["05 00 0014", value, "00 00000000"].concat());
    assert_eq!(AsapMessage::decode(&four_more).unwrap_err().malformed, Malformed::Trailing { extra: 4 });
}

/// PARAM-4-02: they change nothing about the flags that have one, set or not.
#[test]
fn flags_without_a_meaning_are_ignored() {
    for (flags, subscribe) in [(0xfe, false), (0xff, true)] {
        let octets = message(5, flags, HANDLE);
        let message = AsapMessage::HandleResolution { handle: handle(), subscribe, items: None };
        assert_eq!(AsapMessage::decode(&octets).map(|d| d.message), Ok(message));
    }
    let table = |flags| message(3, flags, "00000001 00000002");
    let decoded = |flags| EnrpMessage::decode(&table(flags)).map(|decoded| decoded.message.body);
    for undefined in [0, 0xfc] {
        let body = |rejected, more| Ok(EnrpBody::HandleTableResponse { rejected, more, pools: Vec::new() });
        assert_eq!(decoded(undefined | 1), body(true, false));
        assert_eq!(decoded(undefined | 2), body(false, true));
        assert_eq!(decoded(undefined | 3), body(true, true));
    }
}

/// ASAP-2.2-01, ENRP-2-02, PARAM-3-06
#[test]
fn types_have_names() {
    assert!(!ParameterType(0).is_known() && !ParameterType(0xffff).is_known());
    assert_eq!((AsapType::KNOWN.len(), EnrpType::KNOWN.len()), (14, 10));
    assert_eq!(AsapType::of(&[1]).map(AsapType::name), Some("ASAP_REGISTRATION"));
    assert_eq!(AsapType::of(&[]), None);
    assert_eq!(alloc::format!("{:?} {:?}", EnrpType::PRESENCE, EnrpType(0x42)), "ENRP_PRESENCE (0x01) 0x42");
    assert_eq!(alloc::format!("{:?}", UpdateAction::DEL_PE), "DEL_PE (0x0001)");
}
