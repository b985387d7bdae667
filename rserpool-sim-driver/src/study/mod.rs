//! Studies: the failover paper, and experiments of your own.
//!
//! A [`Scenario`] is a world with parameters: registrars, elements that share their capacity among requests, users that
//! ask for one request after the other, and what happens to them. A [`Run`] is its simulation with one seed, and
//! [`Measures`] are what came out. Registrars, elements and users are those of `rserpool-core`, the service is the CalcApp
//! of `rserpool-services`, and every message is encoded and decoded.
//!
//! ```
//! use rserpool_sim_driver::study::{PoolPolicy, Run, Scenario};
//!
//! let mut scenario = Scenario::calibrated();
//! scenario.duration_s = 60.0;
//! let least_used = Run::new(&scenario, 1, true).finish();
//! scenario.policy = PoolPolicy::Random;
//! let random = Run::new(&scenario, 1, true).finish();
//! assert!(least_used.handling_s < random.handling_s);
//! ```
//!
//! A [`Study`] is a number of scenarios with several runs each: [`paper()`] makes that of the paper, [`experiment()`]
//! reads one from a TOML file. [`sweep()`] runs it on several threads and keeps what is done, [`write_all`] writes files,
//! [`claims`] judges the paper, and [`report()`] makes a page of it. The program `rserpool-sim` does all this:
//!
//! ```text
//! rserpool-sim paper --out paper
//! rserpool-sim run experiments/denial-of-service.toml --out denial
//! rserpool-sim report denial
//! ```
//!
//! Runs with the same seed have the same request sizes, failures and capacities, whatever else differs (common random
//! numbers): differences between policies are differences of policies.

mod attacker;
mod calculating;
mod definition;
mod draws;
mod experiment;
mod journal;
mod measures;
mod model;
mod outcome;
mod paper;
mod plot;
mod policy;
mod report;
mod results;
mod scenario;
mod statistics;
mod store;
mod sweep;

pub use definition::{Chart, Point, Study};
pub use experiment::{MAX_SEEDS, check_seeds, experiment, parse_experiment};
pub use measures::Measures;
pub use model::Run;
pub use outcome::{Outcome, mean};
pub use paper::{Claim, PaperOptions, Profile, Verdict, claims, counts, paper};
pub use policy::PoolPolicy;
pub use report::report;
pub use results::{judged, paper_points, results, write_all, write_json};
pub use scenario::{Attack, CapacityDraw, Failure, Scenario};
pub use statistics::Mean;
pub use store::StudyError;
pub use sweep::{Progress, Shard, merge, sweep};
