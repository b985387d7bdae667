//! `rserpool-sim bench`: the figures of this machine.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rserpool_sim_driver::explore::Hardship;
use rserpool_sim_driver::study::{Run, Scenario};
use rserpool_sim_driver::{Mode, TraceMode, World, WorldConfig};

use crate::survey::{self, Survey, Totals};

/// Registrars and elements of the world that is measured at rest.
const REGISTRARS: usize = 3;
const ELEMENTS: usize = 100;

pub(crate) fn run(seconds: f64, json: bool) -> ExitCode {
    let limit = Duration::from_secs_f64(seconds);
    let one = explored(limit, 1, Mode::Messages);
    let two = explored(limit, 2, Mode::Messages);
    let packets = explored(limit, 1, Mode::Packets);
    let (paper_one, paper_two) = (paper(limit, 1), paper(limit, 2));
    let (scope, whole) = (at_rest(limit, Mode::Messages), at_rest(limit, Mode::Packets));
    let figures = [
        ("seeds_per_second_one_core", one.seeds_per_second()),
        ("events_per_second_one_core", one.events_per_second()),
        ("simulated_seconds_per_second_one_core", one.speed()),
        ("seeds_per_second_two_cores", two.seeds_per_second()),
        ("speed_up_two_cores", two.events_per_second() / one.events_per_second()),
        ("packets_seeds_per_second_one_core", packets.seeds_per_second()),
        ("packets_events_per_second_one_core", packets.events_per_second()),
        ("simulated_over_real_3_registrars_100_elements", scope),
        ("packets_simulated_over_real_3_registrars_100_elements", whole),
        ("paper_milliseconds_for_20_minutes_one_core", 1000.0 / paper_one.runs),
        ("paper_events_per_second_one_core", paper_one.events),
        ("paper_speed_up_two_cores", paper_two.runs / paper_one.runs),
    ];
    if json {
        let fields: Vec<String> =
            figures.iter().map(|(name, value)| format!("{name:?}: {value:.1}")).collect();
        println!("{{{}}}", fields.join(", "));
    } else {
        figures.iter().for_each(|(name, value)| println!("{value:>12.1}  {}", name.replace('_', " ")));
    }
    let sound = [one, two, packets].iter().all(|totals| totals.failed.is_empty());
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The seeds from 0 on, as far as the time reaches.
fn explored(limit: Duration, jobs: usize, mode: Mode) -> Totals {
    let end = u64::MAX;
    let limit = Some(limit);
    let hardships = Hardship::ALL;
    let survey = Survey { first: 0, end, limit, jobs, keep_going: true, twice: 0, hardships, mode };
    survey::run(survey, |seed, violation| {
        if let Some(violation) = violation {
            eprintln!("seed {seed}: {violation}");
        }
    })
}

/// Runs and events in one second.
struct Rate {
    runs: f64,
    events: f64,
}

/// The scenario of the failover paper, with half of the elements out of reach, on so many threads.
fn paper(limit: Duration, threads: u64) -> Rate {
    let mut scenario = Scenario::calibrated();
    scenario.availability = 0.5;
    let scenario = &scenario;
    let begun = Instant::now();
    let work = |thread: u64| {
        let mut events = Vec::new();
        while begun.elapsed() < limit {
            let seed = thread << 32 | events.len() as u64;
            events.push(Run::new(scenario, seed, false).finish().events);
        }
        events
    };
    let all: Vec<f64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    Rate { runs: all.len() as f64 / seconds, events: all.iter().sum::<f64>() / seconds }
}

/// How many seconds pass in one real second for registrars with elements, with the fast timers.
fn at_rest(limit: Duration, mode: Mode) -> f64 {
    let config = WorldConfig { mode, trace: TraceMode::Hash, notes: false, ..WorldConfig::lan(1) };
    let mut world = World::new(config);
    let scope = world.fast_registrars(REGISTRARS);
    for n in 0..ELEMENTS {
        let mut known = scope.clone();
        known.rotate_left(n % REGISTRARS);
        world.fast_element(&format!("e{n}"), "Pool", &known);
    }
    world.run_for(Duration::from_secs(5));
    let (from, begun) = (world.now(), Instant::now());
    while begun.elapsed() < limit {
        world.run_for(Duration::from_secs(1));
    }
    world.now().since(from).as_secs_f64() / begun.elapsed().as_secs_f64()
}
