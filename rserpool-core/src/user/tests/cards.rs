//! Business cards: the elements that a failover is to prefer.

use super::*;
use crate::endpoint::MAX_CARD;
use crate::user::{Card, CardUse};

fn card_message(handle: &str, elements: &[u32]) -> AsapMessage {
    let elements = elements.iter().copied().map(element).collect();
    AsapMessage::BusinessCard { handle: handle.into(), policy: None, elements }
}

fn card(association: u64, handle: &str, elements: &[u32]) -> Event {
    heard(association, &card_message(handle, elements))
}

fn told(handle: &str, elements: &[u32]) -> Vec<Output<Answer, Notice>> {
    let elements = elements.iter().copied().map(element).collect();
    let (session, handle) = (SessionId(1), handle.into());
    vec![Output::Notice(Notice::PeerCard { session, element: ElementId(1), handle, elements })]
}

/// ASAP-3.9-06: the elements of the card come first, in its order; then the others, as the policy has them.
#[test]
fn a_failover_prefers_the_elements_of_the_card() {
    let mut user = serving(&[1, 2, 3, 4]);
    assert_eq!(event(&mut user, 10, card(2, "pool", &[4, 3])), (vec![], told("pool", &[4, 3])));
    let (actions, _) = event(&mut user, 20, disconnected(2, DownReason::PeerShutdown));
    assert_eq!(actions, [question(HOME), connect(3, 0, place(4), at(170))]);
    assert_eq!(expire(&mut user, 70).0, [connect(4, 0, place(3), at(220))], "staggered as ever");
    assert_eq!(event(&mut user, 71, connect_failed(3)), (vec![report(HOME, 4)], vec![]));
    event(&mut user, 72, resolved(HOME, &[1, 2, 3, 4]));
    assert_eq!(expire(&mut user, 120).0, [connect(5, 0, place(2), at(270))]);
}

/// ASAP-3.9-04: the newest card counts, and whole.
#[test]
fn a_card_replaces_the_one_before() {
    let mut user = serving(&[1, 2, 3, 4]);
    event(&mut user, 10, card(2, "pool", &[4, 3]));
    event(&mut user, 11, card(2, "pool", &[3]));
    let (actions, _) = event(&mut user, 20, disconnected(2, DownReason::PeerShutdown));
    assert_eq!(actions, [question(HOME), connect(3, 0, place(3), at(170))]);
}

/// A card outlives the failover until the next element sends one, without those that have failed.
#[test]
fn a_card_outlives_its_element() {
    let mut user = serving(&[1, 2, 3, 4]);
    event(&mut user, 10, card(2, "pool", &[1, 4, 3]));
    event(&mut user, 20, disconnected(2, DownReason::PeerShutdown));
    event(&mut user, 21, connected(3, Some(3), place(4)));
    event(&mut user, 22, resolved(HOME, &[1, 2, 3, 4]));
    event(&mut user, 23, crate::endpoint::testing::received(3, DATA, "x"));
    let (actions, _) = event(&mut user, 2_500, disconnected(3, DownReason::PeerShutdown));
    assert_eq!(actions, [question(HOME), connect(4, 0, place(3), at(2_650))], "1 and 4 have failed");
}

/// An element that no registrar has listed is tried where the card says that it is, unless only listed ones count.
#[test]
fn elements_that_nobody_has_listed() {
    for (cards, first) in [(CardUse::Any, 9), (CardUse::Listed, 3)] {
        let mut user = serving(&[1, 2, 3]);
        user.context.config.cards = cards;
        event(&mut user, 10, card(2, "pool", &[9, 3]));
        let (actions, _) = event(&mut user, 20, disconnected(2, DownReason::PeerShutdown));
        assert_eq!(actions, [question(HOME), connect(3, 0, place(first), at(170))]);
    }
    // Nothing else is known of the pool.
    let mut user = serving(&[1]);
    event(&mut user, 10, card(2, "pool", &[9]));
    command(&mut user, 11, 9, Command::Purge { handle: "pool".into() });
    let (actions, _) = event(&mut user, 20, disconnected(2, DownReason::PeerShutdown));
    assert_eq!(actions, [question(HOME), connect(3, 0, place(9), at(170))]);
}

/// ASAP-3.9-05: a card of a pool that is not known makes the user ask, once for each element that serves it; it says
/// nothing about the pool of the session.
#[test]
fn a_card_of_another_pool_is_that_of_the_peer() {
    let mut user = serving(&[1, 2, 3]);
    let step = event(&mut user, 10, card(2, "other", &[3]));
    assert_eq!(step, (vec![question_for(HOME, "other", None)], told("other", &[3])));
    event(&mut user, 11, heard(HOME, &answer("other", vec![element(3)])));
    for (handle, now) in [("other", 12), ("pool", 13), ("yet another", 14)] {
        assert_eq!(event(&mut user, now, card(2, handle, &[3])).0, [], "{handle}");
    }
    event(&mut user, 15, card(2, "other", &[3]));
    let (actions, _) = event(&mut user, 20, disconnected(2, DownReason::PeerShutdown));
    assert_eq!(actions, [question(HOME), connect(3, 0, place(2), at(170))], "by the policy");
}

/// ASAP-3.9-02, ASAP-3.9-04, ASAP-5-02: only a user that is an element, too, sends a card: behind the cookie and before data.
#[test]
fn a_user_that_is_an_element_says_so() {
    let mut user = serving(&[1, 2]);
    let own = |id| Some(Card::new("own".into(), vec![element(id)]));
    let sent = |association, id| asap(association, &card_message("own", &[id]));
    assert_eq!(command(&mut user, 10, 9, Command::SetCard(own(7))), accepted(vec![sent(2, 7)]));
    event(&mut user, 11, heard(2, &AsapMessage::Cookie { cookie: "c".into() }));
    send(&mut user, 12, retry(1), "a");
    event(&mut user, 20, disconnected(2, DownReason::PeerShutdown));
    let echo = asap(3, &AsapMessage::CookieEcho { cookie: "c".into() });
    let (actions, _) = event(&mut user, 21, connected(3, Some(3), place(2)));
    assert_eq!(actions, [echo, sent(3, 7), data(3, DATA, "a")]);
    // Another session.
    event(&mut user, 22, resolved(HOME, &[1, 2]));
    command(&mut user, 23, 2, Command::Open(Open::new("pool".into())));
    let (actions, _) = event(&mut user, 24, connected(4, Some(4), place(1)));
    assert_eq!(actions, [sent(4, 7)]);
    // An element that stands still gets the newest when it takes something again.
    event(&mut user, 30, Event::Congested { association: AssociationId::sctp(3) });
    assert_eq!(command(&mut user, 31, 9, Command::SetCard(own(8))), accepted(vec![sent(4, 8)]));
    let drained = Event::Drained { association: AssociationId::sctp(3) };
    assert_eq!(event(&mut user, 32, drained.clone()).0, [sent(3, 8)]);
    assert_eq!(event(&mut user, 33, drained).0, []);
    command(&mut user, 34, 9, Command::SetCard(None));
    assert_eq!(user.counters().cards_sent, 5);
}

/// ASAP-3.9-03: not without a control channel. A card has a bound, and each element once.
#[test]
fn cards_are_bounded_and_need_a_control_channel() {
    let mut user = user(&[1]);
    command(&mut user, 0, 1, Command::Open(Open::new("pool".into())));
    event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    let mut plain = element(1);
    if let Transport::Sctp(sctp) = &mut plain.user_transport {
        sctp.usage = TransportUse::DataOnly;
    }
    event(&mut user, 2, heard(HOME, &answer("pool", vec![plain])));
    event(&mut user, 3, connected(2, Some(2), place(1)));
    let own = Some(Card::new("own".into(), vec![element(7)]));
    assert_eq!(command(&mut user, 10, 9, Command::SetCard(own)), accepted(vec![]));
    assert_eq!(event(&mut user, 11, card(2, "pool", &[3])), (vec![], vec![]));
    assert_eq!(event(&mut user, 11, card(HOME, "pool", &[3])), (vec![], vec![]));
    assert_eq!((user.counters().unexpected, user.counters().cards_received), (2, 0));
    for elements in [vec![], (0..=MAX_CARD as u32).map(element).collect()] {
        let card = Some(Card::new("own".into(), elements));
        assert_eq!(command(&mut user, 12, 9, Command::SetCard(card)), refused(Refusal::Card));
    }
    let mut user = serving(&[1, 2]);
    let many: Vec<u32> = (1..=100).chain(1..=100).collect();
    let first: Vec<u32> = (1..=MAX_CARD as u32).collect();
    assert_eq!(event(&mut user, 10, card(2, "pool", &many)), (vec![], told("pool", &first)));
}

/// An element that accepts, gives its card and closes has served nobody: the next failover comes after a pause.
#[test]
fn a_card_does_not_end_a_failover() {
    let mut user = serving(&[1, 2]);
    event(&mut user, 10, disconnected(2, DownReason::Silent));
    event(&mut user, 11, connected(3, Some(3), place(2)));
    event(&mut user, 12, resolved(HOME, &[1, 2]));
    event(&mut user, 13, card(3, "pool", &[1]));
    let step = event(&mut user, 20, disconnected(3, DownReason::Silent));
    assert_eq!(step.0, [report(HOME, 2)]);
    assert_eq!(user.poll_timeout(), Some(at(70)), "the retry interval");
}
