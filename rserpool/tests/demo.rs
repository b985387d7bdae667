//! The demonstration, once: it takes 30 s.

#[allow(dead_code)]
mod support;

use serde_json::Value;
use support::{check, run};

#[test]
fn nothing_is_lost_when_elements_and_registrars_die() {
    let outcome = run(&["demo", "--json"]);
    let events: Vec<Value> = outcome.stdout.lines().map(|line| check("demo", line)).collect();
    assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.stdout, outcome.stderr);

    let acts: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(
        acts,
        [
            "use",
            "kill",
            "failover",
            "freeze",
            "failover",
            "thaw",
            "stop",
            "failover",
            "join",
            "slow",
            "stall",
            "kill_registrar",
            "taken_over",
            "restart_registrar",
            "caught_up",
            "kill_registrar",
            "taken_over",
            "restart_registrar",
            "caught_up",
            "summary",
        ]
    );
    for pair in events.windows(2).filter(|pair| pair[1]["event"] == "failover") {
        assert_eq!(pair[0]["element"], pair[1]["from"], "{pair:?}");
        assert_ne!(pair[1]["from"], pair[1]["to"]);
        assert!(pair[1]["gap_ms"].as_f64().unwrap() < 500.0, "{pair:?}");
    }
    let of_kind = |kind: &'static str| events.iter().filter(move |event| event["event"] == kind);
    // The mentor of the first registrar that came back is the second one that dies.
    let killed: Vec<&Value> = of_kind("kill_registrar").map(|event| &event["registrar"]).collect();
    let mentors: Vec<&Value> = of_kind("restart_registrar").map(|event| &event["mentor"]).collect();
    assert_eq!((killed[1], mentors[1]), (mentors[0], killed[0]));
    for taken_over in of_kind("taken_over") {
        assert!(taken_over["took_ms"].as_f64().unwrap() < 1_500.0, "{taken_over}");
        assert!(taken_over["service_gap_ms"].as_f64().unwrap() < 500.0, "{taken_over}");
    }
    let summary = events.last().unwrap();
    assert!(summary["sent"].as_u64().unwrap() > 500, "{summary}");
    assert_eq!((&summary["sent"], &summary["lost"]), (&summary["answered"], &0.into()));
    // The state of the session has moved with it.
    assert_eq!((&summary["count"], &summary["went_back"]), (&summary["sent"], &0.into()));
    assert_eq!(summary["skipped"], 0);
    assert_eq!(summary["gaps_ms"].as_array().unwrap().len(), 3);
    assert_eq!(summary["takeovers_ms"].as_array().unwrap().len(), 2);
}
