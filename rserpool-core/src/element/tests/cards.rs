//! Business cards: which elements users are to prefer when this one fails.

use super::*;
use crate::endpoint::MAX_CARD;

pub(super) fn listed(id: u32) -> PoolElement {
    PoolElement {
        id: ElementId(id),
        home: RegistrarId(1),
        life: RegistrationLife(300),
        user_transport: Transport::Sctp(SctpTransport {
            port: 7,
            usage: TransportUse::DataPlusControl,
            addresses: vec![ip(101)].into(),
        }),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation: None,
    }
}

fn message(handle: &str, ids: &[u32]) -> AsapMessage {
    let elements = ids.iter().copied().map(listed).collect();
    AsapMessage::BusinessCard { handle: handle.into(), policy: None, elements }
}

fn set_card(element: &mut Element, now: u64, ids: &[u32]) -> Step {
    command(element, now, 1, Command::SetCard(ids.iter().copied().map(listed).collect()))
}

fn answered(actions: Vec<Action>, result: Result<(), Refusal>) -> Step {
    (actions, vec![Output::Answer(CommandId(1), Answer::Done(result))])
}

/// ASAP-3.9-01, ASAP-3.9-04, ASAP-5-02: with the first message of a user, and again when the order changes; registrars
/// get none.
#[test]
fn a_card_comes_when_communication_begins() {
    let mut element = registered(&[1]);
    assert_eq!(set_card(&mut element, 30, &[3, 2, 3]), answered(vec![], Ok(())));
    assert_eq!(event(&mut element, 31, connected(2, None, user(2))), (vec![], vec![]));
    assert_eq!(event(&mut element, 32, received(2, DATA, "a")).0, [asap(2, &message("pool", &[3, 2]))]);
    assert_eq!(event(&mut element, 33, received(2, DATA, "b")).0, []);
    event(&mut element, 34, connected(3, None, user(3)));
    let echo = heard(3, &AsapMessage::CookieEcho { cookie: "c".into() });
    assert_eq!(event(&mut element, 35, echo).0, [asap(3, &message("pool", &[3, 2]))]);
    let again = [2, 3].map(|session| asap(session, &message("pool", &[2])));
    assert_eq!(set_card(&mut element, 36, &[2]), answered(again.to_vec(), Ok(())));
    // A user that stands still gets the newest, once.
    let association = AssociationId::sctp(2);
    event(&mut element, 40, Event::Congested { association });
    set_card(&mut element, 41, &[4]);
    assert_eq!(set_card(&mut element, 42, &[5]).0, [asap(3, &message("pool", &[5]))]);
    assert_eq!(event(&mut element, 43, Event::Drained { association }).0, [asap(2, &message("pool", &[5]))]);
    assert_eq!(event(&mut element, 44, Event::Drained { association }).0, []);
    assert_eq!(set_card(&mut element, 45, &[]), answered(vec![], Ok(())));
    event(&mut element, 46, connected(4, None, user(4)));
    assert_eq!(event(&mut element, 47, received(4, DATA, "a")).0, []);
    assert_eq!(element.counters().cards_sent, 7);
}

/// ASAP-3.9-03: not without a control channel. It has a bound.
#[test]
fn cards_are_bounded_and_need_a_control_channel() {
    let mut element = registered(&[1]);
    let many: Vec<u32> = (1..=MAX_CARD as u32 + 1).collect();
    assert_eq!(set_card(&mut element, 30, &many), answered(vec![], Err(Refusal::Card)));
    let mut element = Element::new(ElementConfig { control: false, ..config(&[1]) }, Instant::ORIGIN);
    drain(&mut element);
    assert_eq!(set_card(&mut element, 30, &[2]), answered(vec![], Err(Refusal::NoControlChannel)));
    event(&mut element, 31, connected(2, None, user(2)));
    assert_eq!(event(&mut element, 32, heard(2, &message("other", &[9]))), (vec![], vec![]));
    assert_eq!((element.counters().unexpected, element.sessions()), (1, 0));
}

/// ASAP-3.9-06: what a user that is an element, too, says of its pool is told; it opens the session.
#[test]
fn the_card_of_a_user_is_told() {
    let mut element = registered(&[1]);
    event(&mut element, 31, connected(2, None, user(2)));
    let (session, peer) = (AssociationId::sctp(2), user(2));
    let opened = Output::Notice(Notice::SessionOpened { session, peer });
    let told = |ids: &[u32]| {
        let elements = ids.iter().copied().map(listed).collect();
        Output::Notice(Notice::PeerCard { session, handle: "other".into(), elements })
    };
    let step = event(&mut element, 32, heard(2, &message("other", &[9, 8, 9])));
    assert_eq!(step, (vec![], vec![opened, told(&[9, 8])]));
    assert_eq!(event(&mut element, 33, heard(2, &message("other", &[8]))), (vec![], vec![told(&[8])]));
    assert_eq!(
        event(&mut element, 34, heard(HOME, &message("other", &[8]))),
        (vec![], vec![]),
        "a registrar"
    );
    // The cookie has to come before it.
    let echo = heard(2, &AsapMessage::CookieEcho { cookie: "late".into() });
    assert_eq!(event(&mut element, 35, echo), (vec![], vec![]));
    assert_eq!((element.counters().cards_received, element.counters().unexpected), (2, 2));
}
