//! The failover paper: T. Dreibholz and E. P. Rathgeb, "RSerPool - Providing Highly Available Services using Unreliable
//! Servers", EUROMICRO 2005. Its figures 5, 6 and 7, and what it claims.

mod claims;
mod printed;

use serde_json::{Value, json};

pub use claims::{Claim, Verdict, claims, counts};

use super::definition::{Chart, Point, Study};
use super::policy::PoolPolicy;
use super::scenario::{CapacityDraw, Scenario};

/// Which values the paper is simulated with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Those that it prints, and short times where it is silent.
    Literal,
    /// Those with which its counts come out: a larger mean capacity and longer times.
    Calibrated,
}

impl Profile {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Calibrated => "calibrated",
        }
    }
}

/// What of the paper is simulated, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PaperOptions {
    /// The values.
    pub profile: Profile,
    /// The figures: some of 5, 6 and 7.
    pub figures: Vec<u8>,
    /// Runs for each point, at least 1.
    pub seeds: u32,
    /// Whether capacities are drawn in strata, so that few runs are enough.
    pub stratified: bool,
}

impl Default for PaperOptions {
    /// All figures with the calibrated profile and 50 seeds.
    fn default() -> Self {
        Self { profile: Profile::Calibrated, figures: vec![5, 6, 7], seeds: 50, stratified: false }
    }
}

/// The availabilities that are simulated.
const AVAILABILITIES: [f64; 8] = [1.0, 0.9, 0.8, 0.66, 0.5, 0.33, 0.2, 0.1];
/// The policies of figure 6.
const POLICIES: [PoolPolicy; 3] = [PoolPolicy::LeastUsed, PoolPolicy::RoundRobin, PoolPolicy::Random];
/// The cookie intervals of figure 5, in calculations.
const COOKIE_INTERVALS: [f64; 4] = [1e6, 1e7, 1e8, 1e9];
/// The cache lives of figure 7, in seconds.
const STALE: [f64; 4] = [0.0, 7.5, 15.0, 30.0];

/// The study of the paper.
pub fn paper(options: &PaperOptions) -> Study {
    let mut base = match options.profile {
        Profile::Literal => Scenario::literal(),
        Profile::Calibrated => Scenario::calibrated(),
    };
    if options.stratified {
        base.capacity_draw = CapacityDraw::Stratified;
    }
    let (mut points, mut charts) = (Vec::new(), Vec::new());
    for figure in [5, 6, 7].into_iter().filter(|figure| options.figures.contains(figure)) {
        for availability in AVAILABILITIES {
            let base = Scenario { availability, ..base.clone() };
            match figure {
                5 => points.extend(COOKIE_INTERVALS.map(|cookie_interval| {
                    point(figure, Scenario { cookie_interval, request_size: 1e8, ..base.clone() })
                })),
                6 => points.extend(POLICIES.map(|policy| point(figure, Scenario { policy, ..base.clone() }))),
                _ => points.extend(STALE.map(|cache_s| point(figure, Scenario { cache_s, ..base.clone() }))),
            }
        }
        charts.extend(charts_of(figure));
    }
    let figures = options.figures.iter().map(|figure| format!(" --figure {figure}")).collect::<String>();
    let all = [5, 6, 7].iter().all(|figure| options.figures.contains(figure));
    Study {
        name: "paper".into(),
        title: format!("The failover paper, {} profile", options.profile.name()),
        description: DESCRIPTION.into(),
        command: format!(
            "rserpool-sim paper --profile {} --seeds {}{}{}",
            options.profile.name(),
            options.seeds,
            if all { "" } else { &figures },
            if options.stratified { " --stratified" } else { "" },
        ),
        seeds: options.seeds,
        base,
        points,
        charts,
    }
}

const DESCRIPTION: &str = "T. Dreibholz and E. P. Rathgeb, \"RSerPool - Providing Highly Available Services using \
Unreliable Servers\" (EUROMICRO 2005), measured session failover with a simulation model. Here the same scenario is run \
out of the state machines that the program rserpool runs: registrar, elements and users with their policies and cache are \
those of rserpool-core, the service is the CalcApp of rserpool-services, and every message is encoded and decoded.\n\n\
The printed counts cannot come from the printed parameters: nine elements of 1,000,000 calculations per second complete at \
most 1,080 requests of 10,000,000 calculations in 20 minutes, and figure 6 shows 1,260. The calibrated profile therefore \
has a mean capacity of 2,200,000, a request timeout of 10 s and 30 s between two questions for an empty pool, values that \
were fitted; the literal profile has 1,000,000, 5 s and 1 s. The claims are judged by orderings and ratios.";

fn point(figure: u8, scenario: Scenario) -> Point {
    let swept = [
        ("availability", json!(scenario.availability)),
        ("cache_s", json!(scenario.cache_s)),
        ("cookie_interval", json!(scenario.cookie_interval)),
        ("policy", json!(scenario.policy)),
    ];
    let swept = swept.into_iter().map(|(key, value): (_, Value)| (key.to_owned(), value)).collect();
    Point { figure, swept, scenario }
}

fn charts_of(figure: u8) -> Vec<Chart> {
    let (line, y, what) = match figure {
        5 => ("cookie_interval", ["completed", "asap_packets", "cookies"].as_slice(), "cookie intervals"),
        6 => ("policy", ["completed", "asap_packets"].as_slice(), "policies"),
        _ => ("cache_s", ["completed", "asap_packets"].as_slice(), "cache lives"),
    };
    let chart = |y: &&str| Chart {
        file: format!("figure-{figure}-{}", y.replace('_', "-")),
        title: format!("Figure {figure}: {} for {what}", y.replace('_', " ")),
        figure,
        x: "availability".into(),
        y: (*y).into(),
        lines: vec![line.into()],
        log_x: false,
        printed: if (figure, *y) == (6, "completed") { printed::overlay() } else { Vec::new() },
    };
    y.iter().map(chart).collect()
}
