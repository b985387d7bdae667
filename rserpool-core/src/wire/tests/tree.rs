//! Messages as trees of fields.

use alloc::string::ToString;

use super::*;

#[test]
fn a_registration_as_a_tree() {
    let element =
        [&ELEMENT.replacen("0028", "003c", 1), "0005 000c 0007 0000 0001 0004", "a6ab 0008 26ab 4e22"];
    let text = describe_asap(&message(1, 0, &[HANDLE, &element.concat()].concat())).to_string();
    let expected = "\
ASAP_REGISTRATION
    Message Type: ASAP_REGISTRATION (0x01)
    Message Flags: 0x00
    Message Length: 72
    Pool Handle
        Parameter Type: Pool Handle (0x0009)
        Parameter Length: 8
        Pool Handle: Ech0 (45636830)
    Pool Element
        Parameter Type: Pool Element (0x000a)
        Parameter Length: 60
        PE Identifier: 0x2001
        Home ENRP Server Identifier: 0x0
        Registration Life: 300 s
        SCTP Transport
            Parameter Type: SCTP Transport (0x0004)
            Parameter Length: 16
            SCTP Port: 7
            Transport Use: DATA plus CONTROL (0x0001)
            IPv4 Address
                Parameter Type: IPv4 Address (0x0001)
                Parameter Length: 8
                IPv4 Address: 127.0.0.1
        Pool Member Selection Policy
            Parameter Type: Pool Member Selection Policy (0x0008)
            Parameter Length: 8
            Policy Type: RoundRobin (0x00000001)
        TCP Transport
            Parameter Type: TCP Transport (0x0005)
            Parameter Length: 12
            TCP Port: 7
            Reserved: 0x0000
            IPv4 Address
                Parameter Type: IPv4 Address (0x0001)
                Parameter Length: 4
        Encapsulation Ports
            Parameter Type: Encapsulation Ports (0xa6ab)
            Parameter Length: 8
            UDP Port of the User Transport: 9899
            UDP Port of the ASAP Transport: 20002
    Malformed: ASAP Transport at octet 52 has an invalid value
";
    assert_eq!(text, expected);
}

#[test]
fn flags_causes_and_padding_of_a_response() {
    let value = "00000001 00000002 000c 0011 0001 000d 7fff 0009 6162636465 000000";
    let tree = describe_enrp(&message(10, 0, value));
    let expected = "\
ENRP_ERROR
    Message Type: ENRP_ERROR (0x0a)
    Message Flags: 0x00
    Message Length: 32
    Sending Server's ID: 0x1
    Receiving Server's ID: 0x2
    Operation Error
        Parameter Type: Operation Error (0x000c)
        Parameter Length: 17
        Unrecognized Parameter
            Cause Code: Unrecognized Parameter (0x0001)
            Cause Length: 13
            Unknown Parameter
                Parameter Type: 0x7fff
                Parameter Length: 9
                Parameter Value: 6162636465
        Padding: 000000
";
    assert_eq!(tree.to_string(), expected);
    assert_eq!((tree.fields[5].offset, tree.fields[5].length), (12, 20));

    let flags = describe_enrp(&message(3, 3, "00000001 00000002"));
    assert_eq!(flags.fields[1].value, "0x03");
    let names: Vec<_> = flags.fields[1].fields.iter().map(|f| (f.name, &*f.value)).collect();
    assert_eq!(names, [("M (More_to_send)", "set"), ("R (Reject)", "set")]);
}

/// What is wrong stands in the last field; what can be read stands before it.
#[test]
fn malformed_messages_are_shown_as_far_as_they_go() {
    let last = |field: Field| field.fields.last().map(|f| alloc::format!("{}: {}", f.name, f.value)).unwrap();
    assert_eq!(
        last(describe_asap(&[])),
        "Malformed: message ends at octet 0 where message header was expected"
    );
    assert_eq!(last(describe_asap(&hex("42 00 0008 01020304"))), "Malformed: unknown message type 0x42");
    let cut = describe_asap(&hex("05 00 0014 0009 000f 4361"));
    assert_eq!(cut.fields[3].name, "Data");
    assert_eq!(last(cut), "Malformed: message at octet 0 has the impossible length 20");
    let missing = describe_asap(&hex("05 00 0004"));
    assert_eq!(last(missing), "Malformed: Pool Handle is missing");
}

/// The tree is as deep as its bound, however deep the parameters are nested.
#[test]
fn nesting_is_bounded() {
    fn depth(field: &Field) -> usize {
        1 + field.fields.iter().map(depth).max().unwrap_or(0)
    }
    let mut nested = Bytes::new();
    for _ in 0..1000 {
        let head = [0, 0xa, (nested.len() + 16).to_be_bytes()[6], (nested.len() + 16).to_be_bytes()[7]];
        nested = [&head[..], &[0; 12], &nested].concat().into();
    }
    let header = [1, 0, (nested.len() + 4).to_be_bytes()[6], (nested.len() + 4).to_be_bytes()[7]];
    let tree = describe_asap(&[&header[..], &nested].concat());
    assert_eq!(depth(&tree), 9);
}
