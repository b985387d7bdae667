//! The codec, octet by octet. Properties over all messages are in `tests/wire.rs`.

mod messages;
mod parameters;
mod reactions;
mod tree;

use alloc::vec::Vec;

use bytes::Bytes;

use super::*;

/// Octets from hexadecimal digits; blanks and line ends are for the reader.
fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).unwrap() as u8).collect();
    assert_eq!(digits.len() % 2, 0, "half an octet in {text}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A message with these octets after its header; the length counts all of them.
fn message(kind: u8, flags: u8, value: &str) -> Bytes {
    let value = hex(value);
    let length = u16::try_from(value.len() + 4).unwrap().to_be_bytes();
    [&[kind, flags][..], &length, &value].concat().into()
}

const HANDLE: &str = "0009 0008 45636830";
const ELEMENT: &str = "000a 0028 00002001 00000000 0000012c
    0004 0010 0007 0001 0001 0008 7f000001
    0008 0008 00000001";

fn element() -> PoolElement {
    PoolElement {
        id: crate::base::ElementId(0x2001),
        home: crate::base::RegistrarId::NONE,
        life: RegistrationLife(300),
        user_transport: Transport::Sctp(sctp(7, TransportUse::DataPlusControl)),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation: None,
    }
}

fn sctp(port: u16, usage: TransportUse) -> SctpTransport {
    SctpTransport { port, usage, addresses: alloc::vec![core::net::Ipv4Addr::LOCALHOST.into()].into() }
}
