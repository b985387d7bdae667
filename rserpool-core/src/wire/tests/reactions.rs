//! What a receiver does about what it does not know or cannot read.

use super::super::cause::MAX_INFORMATION;
use super::super::reader::MAX_REPORTS;
use super::*;
use alloc::vec;

#[track_caller]
fn error(octets: &Bytes) -> DecodeError {
    AsapMessage::decode(octets).unwrap_err()
}

fn unrecognized(tlv: &str) -> ErrorCause {
    ErrorCause { code: CauseCode::UNRECOGNIZED_PARAMETER, information: hex(tlv) }
}

/// A handle resolution with an unknown parameter before and after its handle.
fn with_unknown(tlv: &str) -> Bytes {
    message(5, 0, &alloc::format!("{tlv} {HANDLE} {tlv}"))
}

fn resolution() -> AsapMessage {
    AsapMessage::HandleResolution { handle: "Ech0".into(), subscribe: false, items: None }
}

/// PARAM-3-07, PARAM-3-08
#[test]
fn unknown_parameters_that_stop() {
    let silent = error(&with_unknown("3fff 0005 61 000000"));
    assert_eq!(silent.malformed, Malformed::UnknownParameter(ParameterType(0x3fff)));
    assert_eq!(silent.reaction, Reaction::Discard);
    let reported = error(&with_unknown("7fff 0005 61 000000"));
    assert_eq!(reported.malformed, Malformed::UnknownParameter(ParameterType(0x7fff)));
    assert_eq!(reported.reaction, Reaction::Report(unrecognized("7fff 0005 61").into()));
}

/// PARAM-3-09, PARAM-3-10, PARAM-3.12.2-01, PARAM-3-05
#[test]
fn unknown_parameters_that_are_skipped() {
    let silent = AsapMessage::decode(&with_unknown("bfff 0005 61 ffffff"));
    assert_eq!(silent, Ok(Decoded { message: resolution(), report: Vec::new() }));
    let cause = unrecognized("ffff 0005 61");
    let reported = AsapMessage::decode(&with_unknown("ffff 0005 61 ffffff"));
    assert_eq!(reported, Ok(Decoded { message: resolution(), report: alloc::vec![cause.clone(), cause] }));
}

/// PARAM-3-09, PARAM-3-10: the rules hold inside parameters too.
#[test]
fn unknown_parameters_inside_others() {
    let element = |tlv: &str| {
        let inner =
            "00002001 00000000 0000012c 0004 0018 0007 0001 T 0001 0008 7f000001 T 0008 0008 00000001 T";
        message(1, 0, &alloc::format!("{HANDLE} 000a 0040 {}", inner.replace('T', tlv)))
    };
    let silent = AsapMessage::decode(&element("8001 0008 61626364")).unwrap();
    let expected = AsapMessage::Registration { handle: "Ech0".into(), element: super::element() };
    assert_eq!(silent, Decoded { message: expected, report: Vec::new() });
    let reported = AsapMessage::decode(&element("c001 0008 61626364")).unwrap();
    assert_eq!(reported.message, silent.message);
    assert_eq!(reported.report, [(); 3].map(|()| unrecognized("c001 0008 61626364")));
    assert_eq!(error(&element("0011 0008 61626364")).reaction, Reaction::Discard);
    let stopped = error(&element("4001 0008 61626364"));
    assert_eq!(stopped.reaction, Reaction::Report(unrecognized("4001 0008 61626364").into()));
}

/// PARAM-3-10, PARAM-3.12.2-01: what was skipped is reported, one cause each, whatever stops the reader later.
#[test]
fn skipped_parameters_are_reported_whatever_follows() {
    let skipped = [unrecognized("c001 0004"), unrecognized("c002 0005 61")];
    let stopped_by = |rest: &str| {
        let octets = message(5, 0, &["c001 0004 c002 0005 61 000000", HANDLE, rest].concat());
        error(&octets).reaction
    };
    let also = |last: ErrorCause| [&skipped[..], &[last]].concat();
    let cases = [
        // An unknown parameter that stops silently, and one that is reported itself.
        ("0011 0004", skipped.to_vec()),
        ("4001 0004", also(unrecognized("4001 0004"))),
        // A known one in the wrong place, an impossible length, and a forbidden value.
        ("000d 0004", skipped.to_vec()),
        ("c003 0009 00000000", skipped.to_vec()),
        ("803f 0006 0000 0000", also(ErrorCause::invalid_values(hex("803f 0006 0000")))),
    ];
    for (rest, causes) in cases {
        assert_eq!(stopped_by(rest), Reaction::Report(OperationError { causes }), "{rest}");
    }
    // What stops the reader is quoted in any case.
    let long = ["c001 8000", &"00".repeat(0x8000 - 4), "4001 7f00", &"00".repeat(0x7f00 - 4)].concat();
    let Reaction::Report(OperationError { causes }) = error(&message(5, 0, &long)).reaction else { panic!() };
    assert!(
        AsapMessage::Error { error: OperationError { causes: causes.clone() } }
            .encode(Padding::Padded)
            .is_ok()
    );
    assert_eq!(causes.last().map(|cause| cause.information[..2].to_vec()), Some(vec![0x40, 0x01]));
}

/// The private parameter of RSPLIB's type space: all 16 bits count (reading A22).
#[test]
fn types_are_compared_with_all_bits() {
    let look_alike = message(5, 0, &[HANDLE, "003f 0008 00000003"].concat());
    assert_eq!(error(&look_alike).malformed, Malformed::UnknownParameter(ParameterType(0x3f)));
    let high = message(5, 0, &["c009 0008 45636830", HANDLE].concat());
    assert_eq!(AsapMessage::decode(&high).unwrap().report, [unrecognized("c009 0008 45636830")]);
}

/// PARAM-3-10: one message cannot ask for an endless answer.
#[test]
fn reports_are_bounded() {
    let many = message(5, 0, &[HANDLE, &"c001 0004".repeat(1000)].concat());
    assert_eq!(AsapMessage::decode(&many).unwrap().report.len(), MAX_REPORTS);

    let long = ["c001 7000", &"00".repeat(0x7000 - 4)].concat();
    let long = message(5, 0, &[HANDLE, &long, &long].concat());
    let causes = AsapMessage::decode(&long).unwrap().report;
    assert_eq!(causes.len(), 2);
    assert!(AsapMessage::Error { error: OperationError { causes } }.encode(Padding::Padded).is_ok());

    let longest = message(5, 0, &["c001 fff0", &"00".repeat(0xffec), "0009 0005 61 000000"].concat());
    let decoded = AsapMessage::decode(&longest).unwrap();
    assert_eq!(decoded.report, []);
}

/// PARAM-4-05, PARAM-4-06, PARAM-4-07
#[test]
fn unknown_messages() {
    for kind in [0x00, 0x0f, 0x3f, 0x80, 0xbf, 0xc0, 0xff] {
        let error = error(&message(kind, 0, "01020304"));
        assert_eq!(error.malformed, Malformed::UnknownMessage(kind));
        assert_eq!(error.reaction, Reaction::Discard);
    }
    let octets = hex("42 00 0007 010203 00");
    let cause = ErrorCause { code: CauseCode::UNRECOGNIZED_MESSAGE, information: octets.slice(..7) };
    assert_eq!(error(&octets).reaction, Reaction::Report(cause.clone().into()));
    assert_eq!(EnrpMessage::decode(&octets).unwrap_err().reaction, Reaction::Report(cause.into()));
    assert_eq!(EnrpMessage::decode(&hex("0b00 0004")).unwrap_err().reaction, Reaction::Discard);
    assert_eq!(
        EnrpMessage::decode(&hex("4b00 0006 0000")).unwrap_err().malformed,
        Malformed::UnknownMessage(0x4b)
    );
}

/// PARAM-3.12.3-01 and reading A18: the quotation is cut so that the answer can be sent.
#[test]
fn the_longest_quotation_fits_an_error_message() {
    let mut octets = alloc::vec![0; 0xfffc];
    octets[..4].copy_from_slice(&[0x7f, 0, 0xff, 0xfc]);
    let Reaction::Report(error) = error(&octets.into()).reaction else { panic!("not reported") };
    assert_eq!(error.causes[0].information.len(), MAX_INFORMATION);
    let (sender, receiver) = (crate::base::RegistrarId(1), crate::base::RegistrarId(2));
    let answer = EnrpMessage { sender, receiver, body: EnrpBody::Error { error: error.clone() } };
    assert_eq!(answer.encode(Padding::Padded).map(|octets| octets.len()), Ok(0xfffc));
    assert!(AsapMessage::Error { error }.encode(Padding::Strict).is_ok());
}

/// An ERROR is not answered with an ERROR, whatever is wrong with it.
#[test]
fn error_messages_are_never_answered() {
    let cause = "000c 0008 0009 0004";
    let skipped = AsapMessage::decode(&message(14, 0, &["c001 0004", cause].concat())).unwrap();
    assert_eq!(skipped.report, []);
    for value in [["4001 0004", cause].concat(), "000c 0004".into()] {
        assert_eq!(error(&message(14, 0, &value)).reaction, Reaction::Discard);
        let value = ["00000001 00000002", &value].concat();
        assert_eq!(EnrpMessage::decode(&message(10, 0, &value)).unwrap_err().reaction, Reaction::Discard);
    }
}

/// PARAM-3-02, PARAM-4-03: nothing is quoted from a message whose lengths contradict each other.
#[test]
fn broken_framing_is_discarded() {
    use Malformed::{Length, Truncated};
    let cases = [
        ("", Truncated { at: 0, what: "message header" }),
        ("05 00 00", Truncated { at: 3, what: "message header" }),
        ("05 00 0003", Length { at: 0, what: "message", length: 3 }),
        ("05 00 0008", Length { at: 0, what: "message", length: 8 }),
        ("05 00 0008 0009 0003", Length { at: 4, what: "parameter", length: 3 }),
        ("05 00 0008 0009 0005", Length { at: 4, what: "parameter", length: 5 }),
        ("05 00 0006 0009 0000", Truncated { at: 6, what: "parameter" }),
        ("05 00 000c c001 0009 00000000", Length { at: 4, what: "parameter", length: 9 }),
        ("07 00 0006 0000 0000", Truncated { at: 6, what: "Server Identifier" }),
        ("0e 00 000c 000c 0008 0009 0005", Length { at: 8, what: "error cause", length: 5 }),
        ("0e 00 000a 000c 0006 0009 0000", Truncated { at: 10, what: "error cause" }),
    ];
    for (octets, malformed) in cases {
        assert_eq!(error(&hex(octets)), DecodeError { malformed, reaction: Reaction::Discard }, "{octets}");
    }
}

/// ASAP-2.2.1-01, ASAP-2.2.2-01, ASAP-2.2.5-01, ASAP-2.2.13-01, ENRP-2.3-03, ENRP-2.4-01
#[test]
fn missing_parameters_are_discarded() {
    let asap = [
        (1, HANDLE, "Pool Element"),
        (2, HANDLE, "PE Identifier"),
        (5, "", "Pool Handle"),
        (13, HANDLE, "Pool Element"),
        (14, "", "Operation Error"),
        (11, "", "Cookie"),
    ];
    for (kind, value, what) in asap {
        let expected = DecodeError { malformed: Malformed::Missing(what), reaction: Reaction::Discard };
        assert_eq!(error(&message(kind, 0, value)), expected);
    }
    for (kind, value, what) in [(3, HANDLE, "Pool Element"), (4, "00000000", "Pool Handle")] {
        let octets = message(kind, 0, &["00000001 00000000", value].concat());
        let expected = DecodeError { malformed: Malformed::Missing(what), reaction: Reaction::Discard };
        assert_eq!(EnrpMessage::decode(&octets), Err(expected));
    }
}

/// A known parameter in a place where it is not expected counts as one that is not known there.
#[test]
fn known_parameters_in_unexpected_places() {
    let cookie = message(5, 0, &[HANDLE, "000d 0004"].concat());
    let expected = Malformed::Unexpected { at: 12, found: ParameterType::COOKIE };
    assert_eq!(error(&cookie), DecodeError { malformed: expected, reaction: Reaction::Discard });
    let twice = message(5, 0, &[HANDLE, HANDLE].concat());
    let expected = Malformed::Unexpected { at: 12, found: ParameterType::POOL_HANDLE };
    assert_eq!(error(&twice), DecodeError { malformed: expected, reaction: Reaction::Discard });
    let private = AsapMessage::decode(&with_unknown("a6ab 0008 26ab 0000"));
    assert_eq!(private, Ok(Decoded { message: resolution(), report: Vec::new() }));
    // A parameter with our private number and another length belongs to somebody else.
    let announce = message(10, 0, "00000011 a6ab 0004 a6ab 0008 4e21 0000");
    let expected = AsapMessage::ServerAnnounce {
        registrar: crate::base::RegistrarId(0x11),
        transports: Vec::new(),
        encapsulation: Some(EncapsulationPorts { user: 20001, asap: 0 }),
    };
    assert_eq!(AsapMessage::decode(&announce).map(|d| d.message), Ok(expected));
}
