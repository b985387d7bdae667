use std::time::Duration;

use super::values::{time, write_time};
use super::{PlanError, PlanProblem};
use crate::explore::Plan;

/// The plan of the documentation, with one line in place of another.
fn changed(from: &str, to: &str) -> Result<Plan, PlanError> {
    let text: String = include_str!("mod.rs")
        .lines()
        .skip_while(|line| *line != "//! plan 1")
        .take_while(|line| *line != "//! ```")
        .map(|line| format!("{}\n", line.strip_prefix("//! ").unwrap_or_default()))
        .collect();
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    text.replace(from, to).parse()
}

fn problem(from: &str, to: &str) -> (usize, String) {
    let error = changed(from, to).expect_err(to);
    (error.line, error.problem.to_string())
}

#[test]
fn every_drawn_plan_is_read_as_it_is_written() {
    for seed in 0..500 {
        let plan = Plan::draw(seed);
        let text = plan.to_string();
        assert_eq!(text.parse(), Ok(plan), "seed {seed}\n{text}");
    }
}

#[test]
fn the_plan_of_the_documentation_is_sound() {
    let plan = changed("seed 7", "seed 7").expect("a plan");
    assert_eq!((plan.registrars.len(), plan.elements.len(), plan.users.len()), (2, 1, 1));
    assert_eq!(plan.faults.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    assert_eq!(plan.run(Default::default()).violation, None);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let expected = [
        ("plan 1", "plan 2", 1, "this is plan version 2: this program reads version 1"),
        ("plan 1", "plot 1", 1, "this is not a plan: begin with \"plan 1\""),
        ("seed 7", "seed x", 2, "\"x\" cannot be read as a number in its range"),
        (
            "seed 7",
            "sead 7",
            2,
            "there is no statement \"sead\": write seed, timers, sctp, cable, chaos, registrar, element, user or fault",
        ),
        ("timers fast", "timers slow", 3, "\"slow\" cannot be read as a preset: write fast or rfc"),
        (" rto-max=250ms", "", 4, "rto-max is missing: write it"),
        (
            "jitter=0s",
            "jitter=0",
            5,
            "\"0\" cannot be read as a time: write seconds or milliseconds, as 1.5s or 20ms",
        ),
        (
            "knows=r2\n",
            "knows=r3\n",
            8,
            "there is no host \"r3\": write the r, e or u and the number of one that the plan has",
        ),
        ("registrar r2", "registrar r3", 9, "the next one is r2: hosts are counted from 1, without gaps"),
        (
            "300ms",
            "300ms balanced=yes",
            9,
            "there is no value \"balanced\" here: see the documentation of plan_text, or leave it out",
        ),
        ("life=300s", "life=300", 10, "\"300\" cannot be read as a life: write whole seconds, or unlimited"),
        (
            "element e1",
            "fault\nelement e1",
            11,
            "\"element\" comes too late: write registrars, then elements, then users, then faults",
        ),
        ("\nfault\n", "\n", 13, "a step belongs to a fault: write \"fault\" on a line before it"),
        (
            "3s kill r1",
            "3s kill e2",
            14,
            "there is no host \"e2\": write the r, e or u and the number of one that the plan has",
        ),
        (
            "3s kill r1",
            "3s kill r1 r2",
            14,
            "there is no value \"r2\" here: see the documentation of plan_text, or leave it out",
        ),
        (
            "3s kill r1",
            "3s hurt r1",
            14,
            "there is no fault \"hurt\": write kill, start, start-anew, stop, pause, thaw, slow, unplug, plug, block, unblock, split, join, lose, keep, move, deafen, undeafen, cables or order",
        ),
    ];
    for (from, to, line, text) in expected {
        assert_eq!(problem(from, to), (line, text.to_string()));
    }
    assert!(matches!(
        changed("RoundRobin", "SquareRobin"),
        Err(PlanError { line: 10, problem: PlanProblem::Policy(_) })
    ));
}

#[test]
fn times_keep_every_nanosecond() {
    let texts = ["0s", "1ms", "1.5s", "0.000001ms", "999.999999ms", "1.000000001s", "86400s"];
    for text in texts {
        assert_eq!(time(text).map(write_time), Ok(text.into()));
    }
    assert_eq!(time("0.5s"), Ok(Duration::from_millis(500)));
    for text in ["", "s", "1", ".5s", "-1s", "1,5s", "1e3s", "0.0000001ms", "99999999999999s"] {
        assert!(time(text).is_err(), "{text:?}");
    }
}
