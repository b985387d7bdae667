//! Properties of the codec over all messages.

use arbitrary::Arbitrary;
use bytes::Bytes;
use proptest::prelude::*;
use rserpool_core::wire::strategy::{self, made_of};
use rserpool_core::wire::{
    AsapMessage, DecodeError, Decoded, EncodeError, EnrpMessage, Field, Padding, describe_asap, describe_enrp,
};

/// What both protocols have.
trait Message: Sized + Clone + PartialEq + std::fmt::Debug + for<'a> Arbitrary<'a> {
    fn decode(bytes: &Bytes) -> Result<Decoded<Self>, DecodeError>;
    fn encode(&self, padding: Padding) -> Result<Bytes, EncodeError>;
    fn describe(bytes: &[u8]) -> Field;
}

impl Message for AsapMessage {
    fn decode(bytes: &Bytes) -> Result<Decoded<Self>, DecodeError> {
        Self::decode(bytes)
    }
    fn encode(&self, padding: Padding) -> Result<Bytes, EncodeError> {
        self.encode(padding)
    }
    fn describe(bytes: &[u8]) -> Field {
        describe_asap(bytes)
    }
}

impl Message for EnrpMessage {
    fn decode(bytes: &Bytes) -> Result<Decoded<Self>, DecodeError> {
        Self::decode(bytes)
    }
    fn encode(&self, padding: Padding) -> Result<Bytes, EncodeError> {
        self.encode(padding)
    }
    fn describe(bytes: &[u8]) -> Field {
        describe_enrp(bytes)
    }
}

/// Both forms of padding, with a message and its length field in step.
fn round_trip<M: Message>(message: &M) {
    let expected = Ok(Decoded { message: message.clone(), report: Vec::new() });
    let padded = message.encode(Padding::Padded).expect("valid");
    let strict = message.encode(Padding::Strict).expect("valid");
    assert_eq!((padded.len() % 4, strict.len()), (0, padded.len()));
    assert_eq!((&padded[..2], &padded[4..]), (&strict[..2], &strict[4..]));
    let length = |octets: &[u8]| usize::from(u16::from_be_bytes([octets[2], octets[3]]));
    assert_eq!(length(&padded), padded.len());
    assert_eq!(length(&strict).next_multiple_of(4), padded.len());
    for octets in [&padded, &strict, &strict.slice(..length(&strict))] {
        assert_eq!(M::decode(octets), expected);
        assert_eq!(malformed(&M::describe(octets)), None);
    }
}

/// What decodes can be encoded and means the same then; what does not is described as malformed.
fn survive<M: Message>(octets: Bytes) {
    let described = M::describe(&octets);
    match M::decode(&octets) {
        Ok(Decoded { message, .. }) => {
            let again = message.encode(Padding::Strict).expect("what was decoded can be encoded");
            assert_eq!(M::decode(&again).map(|decoded| decoded.message), Ok(message));
            assert_eq!(malformed(&described), None);
        }
        Err(error) => assert_eq!(malformed(&described), Some(&*error.to_string())),
    }
}

fn malformed(field: &Field) -> Option<&str> {
    field.fields.last().filter(|last| last.name == "Malformed").map(|last| &*last.value)
}

fn cut_and_flipped<M: Message>(message: &M) {
    let octets = message.encode(Padding::Padded).expect("valid");
    for length in 0..octets.len() {
        survive::<M>(octets.slice(..length));
    }
    for bit in 0..octets.len() * 8 {
        let mut flipped = octets.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        survive::<M>(flipped.into());
    }
}

const PORTS: &str = "Encapsulation Ports";

/// The encapsulation ports stand last in Pool Element, Server Information and SERVER_ANNOUNCE,
/// and nowhere else.
fn ports_stand_last(field: &Field) {
    let inside: Vec<_> = field.fields.iter().filter(|f| f.name != "Padding").collect();
    if let Some(place) = inside.iter().position(|f| f.name == PORTS) {
        assert_eq!(place, inside.len() - 1, "{field}");
        assert!(
            ["Pool Element", "Server Information", "ASAP_SERVER_ANNOUNCE"].contains(&field.name),
            "{field}"
        );
    }
    field.fields.iter().for_each(ports_stand_last);
}

fn has_ports(field: &Field) -> bool {
    field.name == PORTS || field.fields.iter().any(has_ports)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// PARAM-2-01, PARAM-2-02, PARAM-3-03, PARAM-3-04, PARAM-4-03, PARAM-4-04, ASAP-2-01
    #[test]
    fn asap_round_trip(message in made_of::<AsapMessage>(2000)) {
        round_trip(&message);
    }

    /// PARAM-2-01, PARAM-2-02, PARAM-3-03, PARAM-3-04, PARAM-4-03, PARAM-4-04, ENRP-2-01
    #[test]
    fn enrp_round_trip(message in made_of::<EnrpMessage>(2000)) {
        round_trip(&message);
    }

    #[test]
    fn encapsulation_ports_stand_last(asap in made_of::<AsapMessage>(2000), enrp in made_of::<EnrpMessage>(2000)) {
        ports_stand_last(&describe_asap(&asap.encode(Padding::Padded).expect("valid")));
        ports_stand_last(&describe_enrp(&enrp.encode(Padding::Padded).expect("valid")));
    }

    #[test]
    fn an_element_is_measured_without_encoding_it(element in strategy::pool_element()) {
        prop_assert_eq!(element.encoded_len().unwrap_or(0), element.to_parameter().len());
    }

    #[test]
    fn any_octets(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        survive::<AsapMessage>(octets.clone().into());
        survive::<EnrpMessage>(octets.into());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn asap_cut_and_flipped(message in made_of::<AsapMessage>(200)) {
        cut_and_flipped(&message);
    }

    #[test]
    fn enrp_cut_and_flipped(message in made_of::<EnrpMessage>(200)) {
        cut_and_flipped(&message);
    }
}

/// The properties above would hold for a generator that makes nothing: it makes every message,
/// and elements with ports among them.
#[test]
fn the_generator_makes_every_message() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut asap_types, mut enrp_types, mut ports) = ([0; 256], [0; 256], 0);
    for _ in 0..1000 {
        let asap = made_of::<AsapMessage>(2000).new_tree(&mut runner).expect("a message").current();
        asap_types[usize::from(asap.message_type().0)] += 1;
        let octets = asap.encode(Padding::Padded).expect("valid");
        ports += usize::from(has_ports(&describe_asap(&octets)));
        let enrp = made_of::<EnrpMessage>(2000).new_tree(&mut runner).expect("a message").current();
        enrp_types[usize::from(enrp.message_type().0)] += 1;
    }
    assert!(asap_types[1..=14].iter().all(|n| *n > 10), "{:?}", &asap_types[..16]);
    assert!(enrp_types[1..=10].iter().all(|n| *n > 10), "{:?}", &enrp_types[..16]);
    assert!(ports > 50, "{ports}");
}
