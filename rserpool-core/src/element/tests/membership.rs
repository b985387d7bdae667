//! Registration, keep-alives and the home registrar.

use super::*;
use crate::base::{SctpAddress, SctpPort};

/// ASAP-3.1-01, ASAP-3.1-03, ASAP-3.1-04, ASAP-3.1-06, ASAP-3.1-07, ASAP-3.1-09,
/// ASAP-6.1-01, PARAM-3.10-03: the hunt comes first, then a registration with all that it has to hold.
/// ASAP-3.1-08, ASAP-3.1-12, ASAP-3.1-17: it starts T2, the response stops T2, and starts T4.
#[test]
fn hunts_registers_and_renews() {
    let mut element = Element::new(config(&[1, 2]), Instant::ORIGIN);
    let begun = vec![connect(1, 7, registrar(1), at(50)), connect(2, 7, registrar(2), at(50))];
    assert_eq!(drain(&mut element), (begun, vec![]));
    let step = event(&mut element, 10, connected(HOME, Some(1), registrar(1)));
    assert_eq!(step, (vec![cancel(2), registration(HOME, 0)], vec![]));
    assert_eq!(element.poll_timeout(), Some(at(110)), "T2");
    assert_eq!(event(&mut element, 20, granted(HOME)), (vec![], vec![Output::Notice(at_home(0, 1))]));
    assert!(element.is_registered());
    // ASAP-3.1-05, ASAP-3.1-16, ASAP-3.1-18: T4, with the same identifier.
    assert_eq!(expire(&mut element, 1_020), (vec![registration(HOME, 0)], vec![]));
    assert_eq!(event(&mut element, 1_030, granted(HOME)), (vec![], vec![Output::Notice(at_home(0, 1))]));
    assert_eq!(element.poll_timeout(), Some(at(2_030)));
}

/// ASAP-7.1-04, reading B8: T4 is the life less 20 s, at most 10 min; half the life if that is short.
#[test]
fn t4_follows_from_the_life() {
    let t4 = |seconds| {
        let life = RegistrationLife(seconds);
        ElementConfig { life, reregistration_interval: None, ..config(&[1]) }.reregistration()
    };
    assert_eq!(
        [-1, 3_600, 620, 300, 41, 40, 10].map(t4),
        [600, 600, 600, 280, 21, 20, 5].map(|s| ms(s * 1_000))
    );
}

/// ASAP-2.2.3-02: a cause that comes with a grant is a warning.
#[test]
fn a_granted_registration_may_carry_a_warning() {
    let mut element = found(&[1]);
    let warning = OperationError::from(ErrorCause::bare(CauseCode::INVALID_VALUES));
    let step = event(&mut element, 20, response(HOME, false, Some(warning.clone())));
    let notice =
        Notice::Registered { home: RegistrarId::NONE, registrar: registrar(1), warning: Some(warning) };
    assert_eq!(step, (vec![], vec![Output::Notice(notice)]));
}

/// ASAP-3.1-13, ASAP-3.1-14: told, and not repeated until something has changed.
#[test]
fn a_refused_registration_is_not_repeated_unchanged() {
    let mut element = found(&[1]);
    let error = OperationError::from(ErrorCause::bare(CauseCode::INCONSISTENT_POLICY));
    let step = event(&mut element, 20, response(HOME, true, Some(error.clone())));
    let failed = Notice::RegistrationFailed(RegistrationError::Rejected(Some(error)));
    assert_eq!(step, (vec![], vec![Output::Notice(failed)]));
    assert_eq!(element.poll_timeout(), None);
    let step = event(&mut element, 25, connected(2, None, registrar(9)));
    assert_eq!(step, (vec![], vec![]));
    let adopted = Notice::HomeChanged { home: RegistrarId(9) };
    assert_eq!(
        event(&mut element, 26, keep_alive(2, true, 9)),
        (vec![ack(2)], vec![Output::Notice(adopted)])
    );
    let step = command(&mut element, 30, 1, Command::UpdatePolicy(Policy::Random));
    let again = registration_of(2, 9, Policy::Random);
    assert_eq!(step, (vec![again], vec![updated(1, Ok(()))]));
}

/// ASAP-3.1-15: one registration is under way at a time (reading B41).
#[test]
fn a_new_policy_is_registered_at_once_or_after_the_answer() {
    let mut element = registered_with(Policy::LeastUsed { load: 0 });
    let accepted = |id| vec![updated(id, Ok(()))];
    let step = command(&mut element, 30, 1, Command::UpdatePolicy(Policy::LeastUsed { load: 1 }));
    let first = registration_of(HOME, 0, Policy::LeastUsed { load: 1 });
    assert_eq!(step, (vec![first], accepted(1)));
    let step = command(&mut element, 31, 2, Command::UpdatePolicy(Policy::LeastUsed { load: 2 }));
    assert_eq!(step, (vec![], accepted(2)));
    let second = registration_of(HOME, 0, Policy::LeastUsed { load: 2 });
    assert_eq!(event(&mut element, 32, granted(HOME)), (vec![second], vec![Output::Notice(at_home(0, 1))]));
}

/// A pool takes one type of policy. The element keeps its place with the one that it has, and the application is
/// told by the answer.
#[test]
fn a_policy_that_the_pool_does_not_take_is_refused_and_the_old_one_stays() {
    let old = Policy::LeastUsed { load: 5 };
    let mut element = registered_with(old.clone());
    let step = command(&mut element, 30, 1, Command::UpdatePolicy(Policy::RoundRobin));
    assert_eq!(step, (vec![registration(HOME, 0)], vec![]), "the answer is the registrar's");
    assert_eq!(command(&mut element, 31, 2, Command::UpdatePolicy(Policy::RoundRobin)), (vec![], vec![]));
    let causes = OperationError::from(ErrorCause::bare(CauseCode::INCONSISTENT_POLICY));
    let error = RegistrationError::Rejected(Some(causes));
    let RegistrationError::Rejected(causes) = error.clone() else { unreachable!() };
    let step = event(&mut element, 40, response(HOME, true, causes));
    let refused = Err(UpdateError::Registration(error.clone()));
    assert_eq!(step, (vec![registration_of(HOME, 0, old.clone())], vec![updated(1, refused)]));
    assert!(element.is_registered());
    let step = event(&mut element, 50, granted(HOME));
    assert_eq!(step, (vec![], vec![Output::Notice(at_home(0, 1)), updated(2, Ok(()))]));
    assert_eq!(element.poll_timeout(), Some(at(1_050)), "T4");
    // A pool of which it is the only element takes the other policy.
    command(&mut element, 60, 3, Command::UpdatePolicy(Policy::Random));
    let step = event(&mut element, 70, granted(HOME));
    assert_eq!(step, (vec![], vec![Output::Notice(at_home(0, 1)), updated(3, Ok(()))]));
    // Nobody waits for ever.
    command(&mut element, 80, 4, Command::UpdatePolicy(old));
    let refused = updated(4, Err(UpdateError::Refused(Refusal::ShuttingDown)));
    assert_eq!(
        command(&mut element, 90, 5, Command::Deregister),
        (vec![deregistration(HOME)], vec![refused])
    );
    let late = command(&mut element, 91, 6, Command::UpdatePolicy(Policy::Random));
    assert_eq!(late, (vec![], vec![updated(6, Err(UpdateError::Refused(Refusal::ShuttingDown)))]));
}

/// Values of the same type are answered at once: that a registrar does not take them is told later.
#[test]
fn values_that_are_refused_are_told_and_the_old_ones_stay() {
    let old = Policy::LeastUsed { load: 5 };
    let mut element = registered_with(old.clone());
    let new = Policy::LeastUsed { load: 6 };
    let step = command(&mut element, 30, 1, Command::UpdatePolicy(new.clone()));
    assert_eq!(step, (vec![registration_of(HOME, 0, new)], vec![updated(1, Ok(()))]));
    let step = event(&mut element, 40, response(HOME, true, None));
    let told = Output::Notice(Notice::PolicyRefused(None));
    assert_eq!(step, (vec![registration_of(HOME, 0, old)], vec![told]));
    // If the registrar does not take the old ones either, the element gives up.
    let failed = Output::Notice(Notice::RegistrationFailed(RegistrationError::Rejected(None)));
    assert_eq!(event(&mut element, 50, response(HOME, true, None)), (vec![], vec![failed]));
}

/// A registrar that cannot read a registration answers with ASAP_ERROR. The application learns why nothing
/// else comes.
#[test]
fn an_error_instead_of_an_answer_is_told_once() {
    let mut element = found(&[1]);
    let error = OperationError::from(ErrorCause::bare(CauseCode::INVALID_VALUES));
    let message = AsapMessage::Error { error: error.clone() };
    let told = Output::Notice(Notice::ErrorReported { registrar: registrar(1), error });
    assert_eq!(event(&mut element, 20, heard(HOME, &message)), (vec![], vec![told.clone()]));
    assert_eq!(event(&mut element, 21, heard(HOME, &message)), (vec![], vec![]));
    event(&mut element, 22, granted(HOME));
    assert_eq!(event(&mut element, 23, heard(HOME, &message)), (vec![], vec![]), "nothing was asked");
    expire(&mut element, 1_022);
    assert_eq!(event(&mut element, 1_023, heard(HOME, &message)), (vec![], vec![told.clone()]));
    command(&mut element, 1_024, 1, Command::Deregister);
    assert_eq!(event(&mut element, 1_025, heard(HOME, &message)), (vec![], vec![told]));
    // Whoever is not the home is not believed.
    event(&mut element, 1_026, connected(2, None, user(1)));
    assert_eq!(event(&mut element, 1_027, heard(2, &message)), (vec![], vec![]));
    assert_eq!(element.counters().errors_received, 6);
}

/// Anybody can claim by a keep-alive to be the home. If such a registrar then refuses, those that are
/// configured decide.
#[test]
fn an_adopted_home_that_refuses_is_left() {
    let mut element = registered(&[1]);
    event(&mut element, 100, connected(2, None, user(66)));
    let changed = Output::Notice(Notice::HomeChanged { home: RegistrarId(0x66) });
    let step = event(&mut element, 101, keep_alive(2, true, 0x66));
    assert_eq!(step, (vec![ack(2), registration(2, 0x66)], vec![changed]));
    let step = event(&mut element, 102, response(2, true, None));
    // The first home is connected still.
    assert_eq!(step, (vec![abort(2), registration(HOME, 0)], vec![]));
    assert_eq!(event(&mut element, 103, granted(HOME)), (vec![], vec![Output::Notice(at_home(0, 1))]));
    assert_eq!(element.counters().homes_refused, 1);
    // And the same if it is not.
    event(&mut element, 110, connected(3, None, user(66)));
    event(&mut element, 111, keep_alive(3, true, 0x66));
    event(&mut element, 112, disconnected(HOME, DownReason::Silent));
    let step = event(&mut element, 113, response(3, true, None));
    assert_eq!(step, (vec![abort(3), connect(2, 7, registrar(1), at(163))], vec![]));
    event(&mut element, 120, connected(4, Some(2), registrar(1)));
    let failed = Output::Notice(Notice::RegistrationFailed(RegistrationError::Rejected(None)));
    assert_eq!(event(&mut element, 121, response(4, true, None)), (vec![], vec![failed]));
}

/// ASAP-3.1-10, ASAP-3.1-11, ASAP-3.1-19; reading B10: a hunt after each T2, and an end when
/// the number of attempts exceeds MAX-REG-ATTEMPT.
#[test]
fn attempts_are_counted_across_hunts() {
    let mut element = found(&[1, 2]);
    let hunt = |request, host, now: u64| connect(request, 7, registrar(host), at(now + 50));
    // Another registrar than the one that is silent.
    assert_eq!(expire(&mut element, 110), (vec![abort(HOME), hunt(3, 2, 110)], vec![lost(1)]));
    let step = event(&mut element, 120, connected(2, Some(3), registrar(2)));
    assert_eq!(step, (vec![registration(2, 0)], vec![]));
    assert_eq!(expire(&mut element, 220), (vec![abort(2), hunt(4, 1, 220)], vec![lost(2)]));
    let step = event(&mut element, 230, connected(3, Some(4), registrar(1)));
    assert_eq!(step, (vec![registration(3, 0)], vec![]));
    let failed = Notice::RegistrationFailed(RegistrationError::Unanswered);
    assert_eq!(expire(&mut element, 330), (vec![abort(3)], vec![Output::Notice(failed)]));
    assert_eq!(element.poll_timeout(), None);
    let step = command(&mut element, 400, 1, Command::UpdatePolicy(Policy::RoundRobin));
    let accepted = vec![updated(1, Ok(()))];
    assert_eq!(step, (vec![hunt(5, 1, 400), hunt(6, 2, 400)], accepted));
}

#[test]
fn tells_of_every_round_in_vain() {
    let mut configuration = config(&[1]);
    configuration.hunt.rounds = Some(2);
    let mut element = Element::new(configuration, Instant::ORIGIN);
    drain(&mut element);
    let in_vain = Output::Notice(Notice::NoRegistrar { tried: vec![registrar(1)] });
    let step = expire(&mut element, 50);
    assert_eq!(step, (vec![cancel(1), connect(2, 7, registrar(1), at(100))], vec![in_vain.clone()]));
    let failed = Output::Notice(Notice::RegistrationFailed(RegistrationError::Unanswered));
    assert_eq!(expire(&mut element, 100), (vec![cancel(2)], vec![in_vain, failed]));
    assert_eq!(element.poll_timeout(), None);
}

/// ASAP-3.1-10, ASAP-3.6-08: also when the association is lost, while waiting or later.
#[test]
fn a_lost_home_leads_to_another() {
    let mut element = registered(&[1, 2]);
    let step = event(&mut element, 500, disconnected(HOME, DownReason::Silent));
    assert_eq!(step, (vec![connect(3, 7, registrar(2), at(550))], vec![lost(1)]));
    assert_eq!(
        event(&mut element, 505, connect_failed(3)),
        (vec![connect(4, 7, registrar(1), at(550))], vec![])
    );
    let step = event(&mut element, 510, connected(2, Some(4), registrar(1)));
    assert_eq!(step, (vec![registration(2, 0)], vec![]));
    let step = event(&mut element, 515, disconnected(2, DownReason::Aborted(AbortReason::default())));
    assert_eq!(step, (vec![], vec![lost(1)]), "the last hunt has begun only just now");
    assert_eq!(expire(&mut element, 550), (vec![connect(5, 7, registrar(2), at(600))], vec![]));
}

/// ASAP-3.4-01 to ASAP-3.4-04, ASAP-2.2.7-02, readings A13 and B16: every keep-alive for this element is
/// acknowledged to its sender, others are dropped.
#[test]
fn answers_keep_alives_for_itself_only() {
    let mut element = registered(&[1]);
    assert_eq!(event(&mut element, 30, keep_alive(HOME, false, 1)), (vec![ack(HOME)], vec![]));
    assert_eq!(element.home(), RegistrarId(1), "the first keep-alive names the home");
    event(&mut element, 31, connected(2, None, registrar(2)));
    assert_eq!(event(&mut element, 32, keep_alive(2, false, 2)), (vec![ack(2)], vec![]));
    assert_eq!(element.home(), RegistrarId(1));
    let other = |handle: &str, element| AsapMessage::EndpointKeepAlive {
        home: true,
        registrar: RegistrarId(2),
        handle: handle.into(),
        element,
    };
    assert_eq!(event(&mut element, 33, heard(2, &other("other", None))), (vec![], vec![]));
    assert_eq!(event(&mut element, 33, heard(2, &other("pool", Some(ElementId(5))))), (vec![], vec![]));
    assert_eq!(element.counters().foreign_keep_alives, 2);
    let named = vec![Output::Notice(Notice::HomeChanged { home: RegistrarId(2) })];
    let step = event(&mut element, 34, heard(2, &other("pool", Some(ID))));
    assert_eq!(step, (vec![ack(2), registration(2, 2)], named));
}

/// ASAP-3.4-04, ASAP-1.1-01; reading B42: the new home is registered with at once.
#[test]
fn a_keep_alive_changes_the_home() {
    let mut element = registered(&[1, 2]);
    event(&mut element, 30, keep_alive(HOME, true, 1));
    event(&mut element, 40, connected(2, None, registrar(2)));
    let changed = vec![Output::Notice(Notice::HomeChanged { home: RegistrarId(2) })];
    let step = event(&mut element, 41, keep_alive(2, true, 2));
    assert_eq!(step, (vec![ack(2), registration(2, 2)], changed));
    assert_eq!(event(&mut element, 42, granted(HOME)), (vec![], vec![]), "not from the old home");
    // Then the old one has to know that we have left.
    let closed = Action::Shutdown { association: AssociationId::sctp(HOME), deadline: at(10_043) };
    assert_eq!(event(&mut element, 43, granted(2)), (vec![closed], vec![Output::Notice(at_home(2, 2))]));
    assert_eq!(event(&mut element, 44, keep_alive(2, true, 2)), (vec![ack(2)], vec![]));
    assert_eq!(event(&mut element, 45, granted(2)), (vec![], vec![]), "once");
    // The old home is not connected any longer: it is looked for like any other.
    let (actions, _) = event(&mut element, 50, disconnected(2, DownReason::Silent));
    assert!(matches!(actions[..], [Action::Connect { .. }, ..]), "{actions:?}");
}

#[test]
fn a_keep_alive_ends_a_hunt() {
    let mut element = Element::new(config(&[1]), Instant::ORIGIN);
    drain(&mut element);
    event(&mut element, 5, connected(2, None, registrar(2)));
    let changed = vec![Output::Notice(Notice::HomeChanged { home: RegistrarId(2) })];
    let step = event(&mut element, 6, keep_alive(2, true, 2));
    assert_eq!(step, (vec![ack(2), cancel(1), registration(2, 2)], changed));
}

/// ASAP-3.2-01: an element that was frozen and removed meanwhile comes back by itself, and at once, however
/// often: what it has answered proves that it lives.
#[test]
fn a_removed_element_registers_again_at_once() {
    let mut element = registered(&[1]);
    for n in 1..=10u64 {
        let now = 200 * n;
        assert_eq!(event(&mut element, now - 1, keep_alive(HOME, false, 1)), (vec![ack(HOME)], vec![]));
        let step = event(&mut element, now, deregistered(HOME));
        assert_eq!(step, (vec![registration(HOME, 1)], vec![Output::Notice(Notice::Deregistered)]));
        assert!(!element.is_registered());
        event(&mut element, now + 10, granted(HOME));
    }
    assert_eq!(element.counters().removals, 10);
}

/// With the timers of the RFC, and of a LAN: two removals by silence, a minute apart.
#[test]
fn two_removals_for_silence_do_not_keep_an_element_away() {
    for preset in [ElementConfig::rfc, ElementConfig::fast] {
        let mut config = preset("pool".into(), 1);
        (config.id, config.addresses) = (Some(ID), vec![ip(100)]);
        config.hunt.registrars = vec![registrar(1)];
        let mut element = Element::new(config, Instant::ORIGIN);
        drain(&mut element);
        event(&mut element, 10, connected(HOME, Some(1), registrar(1)));
        event(&mut element, 20, granted(HOME));
        for removed_at in [60_000, 120_000] {
            let (actions, _) = event(&mut element, removed_at, deregistered(HOME));
            assert_eq!(actions.len(), 1, "the registration");
            event(&mut element, removed_at + 10, granted(HOME));
            assert!(element.is_registered());
        }
    }
}

/// A registrar that does not want the element and removes it as soon as it has registered gets no flood.
#[test]
fn removals_without_a_proof_of_life_are_paced() {
    let mut element = registered(&[1]);
    let mut now = 20;
    // 100 ms (T2 is shorter than the pace), then T2, twice T2 and so on, up to T4.
    for pause in [100, 100, 200, 400, 800, 1_000, 1_000] {
        let step = event(&mut element, now, deregistered(HOME));
        assert_eq!(step, (vec![], vec![Output::Notice(Notice::Deregistered)]));
        let asked = if now == 20 { 10 } else { now };
        now = asked + pause;
        assert_eq!(expire(&mut element, now), (vec![registration(HOME, 0)], vec![]));
        event(&mut element, now, granted(HOME));
    }
    // What it has answered in between makes up for it; the pace stays.
    event(&mut element, now, keep_alive(HOME, false, 1));
    assert_eq!(event(&mut element, now, deregistered(HOME)).0, []);
    assert_eq!(expire(&mut element, now + 100), (vec![registration(HOME, 1)], vec![]));
    event(&mut element, now + 110, granted(HOME));
    // A registration that was renewed does, too.
    expire(&mut element, now + 1_110);
    event(&mut element, now + 1_110, granted(HOME));
    assert_eq!(event(&mut element, now + 1_400, deregistered(HOME)).0, [registration(HOME, 1)]);
}

/// The same for a registrar that lets the element in and then ends the association.
#[test]
fn homes_that_are_lost_at_once_are_hunted_for_at_a_pace() {
    let mut element = found(&[1]);
    let mut hunted = 0;
    // A round lasts 50 ms, and does not grow in these scripts.
    for (n, answers) in [(1, true), (2, true), (3, false), (4, false)] {
        let now = hunted + 10;
        if answers {
            event(&mut element, now, granted(n));
        }
        let step = event(&mut element, now, disconnected(n, DownReason::Aborted(AbortReason::default())));
        assert_eq!(step, (vec![], vec![lost(1)]));
        hunted += 50;
        let again = connect(n + 1, 7, registrar(1), at(hunted + 50));
        assert_eq!(expire(&mut element, hunted), (vec![again], vec![]));
        let step = event(&mut element, hunted + 10, connected(n + 1, Some(n + 1), registrar(1)));
        assert_eq!(step, (vec![registration(n + 1, 0)], vec![]));
    }
    assert_eq!(element.counters().hunts, 5);
}

/// ASAP-2.2.14-02: reported, or dropped and counted; ASAP_ERROR itself is never answered.
#[test]
fn bad_messages_are_answered_as_the_rfc_asks() {
    let mut element = registered(&[1]);
    let unknown: &[u8] = &[0x7f, 0, 0, 4];
    let (actions, notices) = event(&mut element, 30, received(HOME, crate::base::ProtocolId::ASAP, unknown));
    let cause = ErrorCause { code: CauseCode::UNRECOGNIZED_MESSAGE, information: unknown.into() };
    assert_eq!(actions, [asap(HOME, &AsapMessage::Error { error: cause.clone().into() })]);
    assert_eq!(notices, []);
    let silent: &[u8] = &[0xff, 0, 0, 4];
    assert_eq!(
        event(&mut element, 31, received(HOME, crate::base::ProtocolId::ASAP, silent)),
        (vec![], vec![])
    );
    let broken_error: &[u8] = &[0x0e, 0, 0, 12, 0x40, 0x99, 0, 8, 1, 2, 3, 4];
    assert_eq!(
        event(&mut element, 32, received(HOME, crate::base::ProtocolId::ASAP, broken_error)),
        (vec![], vec![])
    );
    let error = AsapMessage::Error { error: cause.into() };
    assert_eq!(event(&mut element, 33, heard(HOME, &error)), (vec![], vec![]));
    let strange = AsapMessage::HandleResolution { handle: "pool".into(), subscribe: true, items: None };
    assert_eq!(event(&mut element, 34, heard(HOME, &strange)), (vec![], vec![]));
    assert_eq!(
        event(&mut element, 35, heard(HOME, &AsapMessage::Cookie { cookie: "c".into() })),
        (vec![], vec![])
    );
    let counters = element.counters();
    assert_eq!((counters.malformed, counters.errors_sent, counters.errors_received), (3, 1, 1));
    assert_eq!(counters.unexpected, 2);
    assert!(counters.named().any(|counter| counter == ("malformed", 3)));
}

/// ASAP-3.1-03: drawn from the seed, never 0.
#[test]
fn the_identifier_is_drawn_from_the_seed() {
    let with_seed =
        |seed| Element::new(ElementConfig { id: None, seed, ..config(&[1]) }, Instant::ORIGIN).id();
    assert_eq!(with_seed(1), with_seed(1));
    assert_ne!(with_seed(1), with_seed(2));
}

#[test]
fn the_configuration_is_checked() {
    assert_eq!(config(&[1]).check(), Ok(()));
    for preset in [ElementConfig::rfc, ElementConfig::fast] {
        let mut config = preset("p".into(), 1);
        config.addresses = vec![ip(1)];
        config.hunt.registrars = vec![registrar(1)];
        assert_eq!(config.check(), Ok(()));
    }
    let key = |change: fn(&mut ElementConfig)| {
        let mut config = config(&[1]);
        change(&mut config);
        config.check().unwrap_err().key
    };
    assert_eq!(key(|c| c.handle = "".into()), "handle");
    assert_eq!(key(|c| c.id = Some(ElementId(0))), "id");
    assert_eq!(key(|c| c.addresses.clear()), "addresses");
    assert_eq!(key(|c| c.addresses = vec!["0.0.0.0".parse().unwrap()]), "addresses");
    assert_eq!(key(|c| c.port = SctpPort(0)), "port");
    assert_eq!(key(|c| c.life = RegistrationLife(0)), "life");
    assert_eq!(key(|c| c.registration_timeout = ms(0)), "registration_timeout");
    assert_eq!(key(|c| c.deregistration_timeout = ms(0)), "deregistration_timeout");
    assert_eq!(key(|c| c.reregistration_interval = Some(ms(0))), "reregistration_interval");
    assert_eq!(key(|c| c.reregistration_interval = Some(ms(300_000))), "reregistration_interval");
    assert_eq!(key(|c| c.max_registration_attempts = 0), "max_registration_attempts");
    assert_eq!(key(|c| c.max_sessions = 0), "max_sessions");
    assert_eq!(key(|c| c.hunt.registrars[0].port = SctpPort(0)), "hunt.registrars");
    assert_eq!(key(|c| c.hunt.timeout = ms(0)), "hunt.timeout");
    assert_eq!(key(|c| c.hunt.timeout_max = ms(1)), "hunt.timeout_max");
    assert_eq!(key(|c| c.hunt.rounds = Some(0)), "hunt.rounds");
    assert_eq!(key(|c| c.hunt.outdate = ms(0)), "hunt.outdate");
}

/// ASAP-3.6-08: a known registrar that connects to us ends the hunt, because between the same two
/// ports there can be no second association.
#[test]
fn a_known_registrar_that_connects_is_taken() {
    let mut element = Element::new(config(&[1, 2]), Instant::ORIGIN);
    drain(&mut element);
    let step = event(&mut element, 10, connected(7, None, registrar(2)));
    assert_eq!(step, (vec![cancel(1), cancel(2), registration(7, 0)], vec![]));
    let stranger = event(&mut element, 11, connected(8, None, registrar(9)));
    assert_eq!(stranger, (vec![], vec![]));
}

/// The same when it becomes known only by an announcement: it lists an earlier life of ours, with
/// our identifier or another, and has asked already whether that is alive.
#[test]
fn a_registrar_that_has_connected_and_then_announces_itself_is_taken() {
    for (about, answers) in [(ID, vec![ack(7)]), (ElementId(5), vec![])] {
        taken_when_announced(about, answers);
    }
}

fn taken_when_announced(about: ElementId, answers: Vec<Action>) {
    let mut element = Element::new(config(&[]), Instant::ORIGIN);
    drain(&mut element);
    event(&mut element, 10, connected(7, None, registrar(1)));
    let (home, handle, registrar_id) = (false, "pool".into(), RegistrarId(1));
    let asked =
        AsapMessage::EndpointKeepAlive { home, registrar: registrar_id, handle, element: Some(about) };
    assert_eq!(event(&mut element, 11, heard(7, &asked)), (answers, vec![]));
    let announcement = AsapMessage::ServerAnnounce {
        registrar: RegistrarId(1),
        transports: vec![],
        encapsulation: Some(EncapsulationPorts { user: registrar::<SctpAddress>(1).udp_port.0, asap: 0 }),
    };
    let source = SocketAddr::new(registrar::<SctpAddress>(1).addresses[0], 3863);
    let bytes = encode(&announcement);
    let step = event(&mut element, 20, Event::Announce { channel: Channel::Asap, source, bytes });
    assert_eq!(step.0.last(), Some(&registration(7, 0)));
}

/// Only its home registrar can tell an element that it was removed (ASAP-1.1-01: there is exactly one). A
/// former home may forget it at any time.
#[test]
fn a_former_home_does_not_expel() {
    let mut element = registered(&[1, 2]);
    event(&mut element, 30, connected(2, None, registrar(2)));
    assert_eq!(event(&mut element, 31, deregistered(2)), (vec![], vec![]));
    assert!(element.is_registered());
    assert_eq!(element.counters().unexpected, 1);
}

/// ASAP-7.1-02, ASAP-7.1-03, ASAP-7.1-05, ASAP-7.1-07, ASAP-7.3-01, ASAP-7.3-03
#[test]
fn the_defaults_are_those_of_the_rfc() {
    let config = ElementConfig { addresses: vec![ip(100)], ..ElementConfig::rfc("pool".into(), 1) };
    let seconds = core::time::Duration::from_secs;
    assert_eq!((config.registration_timeout, config.deregistration_timeout), (seconds(30), seconds(30)));
    assert_eq!(config.max_registration_attempts, 2);
    assert_eq!((config.hunt.timeout, config.hunt.timeout_max), (seconds(10), seconds(60)));
    assert_eq!(config.hunt.outdate, seconds(5));
}

/// Names of registrars may lead elsewhere while an element runs: the next round looks there.
#[test]
fn the_registrars_may_be_configured_anew() {
    let mut element = Element::new(config(&[1]), Instant::ORIGIN);
    drain(&mut element);
    let (actions, outputs) = command(&mut element, 10, 1, Command::UseRegistrars(vec![registrar(2)]));
    assert_eq!((actions, outputs), (vec![], vec![Output::Answer(CommandId(1), Answer::Done(Ok(())))]));
    let (actions, _) = expire(&mut element, 50);
    assert!(actions.contains(&connect(2, 7, registrar(2), at(100))), "{actions:?}");
}
