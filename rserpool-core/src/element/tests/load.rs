//! The load that the application tells.

use super::*;

fn loaded(element: &mut Element, now: u64, load: u32) -> Vec<Action> {
    let (actions, outputs) = command(element, now, 9, Command::SetLoad(load));
    assert_eq!(outputs, [Output::Answer(CommandId(9), Answer::Done(Ok(())))]);
    actions
}

fn registration_with(load: u32) -> Action {
    registration_of(HOME, 0, Policy::LeastUsedDegradation { load, degradation: 7 })
}

/// The first load is told at once, and those that follow within a second as one.
#[test]
fn loads_are_told_at_once_but_not_too_often() {
    let mut element = registered_with(Policy::LeastUsedDegradation { load: 0, degradation: 7 });
    assert_eq!(loaded(&mut element, 30, 1), [registration_with(1)]);
    event(&mut element, 31, granted(HOME));
    assert_eq!(loaded(&mut element, 32, 2), []);
    assert_eq!(loaded(&mut element, 900, 3), []);
    assert_eq!(expire(&mut element, 1_030).0, [registration_with(3)]);
    event(&mut element, 1_031, granted(HOME));
    assert_eq!(element.poll_timeout(), Some(at(2_031)), "T4, and no load to be told");
    assert_eq!(loaded(&mut element, 3_000, 3), [], "the same as before");
    // Told at the next opportunity, when a registration is under way.
    assert_eq!(loaded(&mut element, 5_000, 4), [registration_with(4)]);
    assert_eq!(loaded(&mut element, 6_000, 5), []);
    assert_eq!(event(&mut element, 6_001, granted(HOME)).0, [registration_with(5)]);
}

#[test]
fn a_policy_without_a_load_stays_as_it_is() {
    let mut element = registered_with(Policy::WeightedRandom { weight: 3 });
    assert_eq!(loaded(&mut element, 30, 1), []);
    let mut gone = registered(&[1]);
    command(&mut gone, 30, 1, Command::Deregister);
    assert_eq!(loaded(&mut gone, 31, 1), []);
}
