//! What the paper claims, the gate for each claim, and whether it holds.

use serde::Serialize;

use super::printed;
use crate::study::definition::Study;
use crate::study::measures::Measures;
use crate::study::outcome::{Outcome, mean};
use crate::study::policy::PoolPolicy;
use crate::study::statistics::sign_test;

/// Whether a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Its gate is passed.
    Holds,
    /// Its gate is missed.
    Missed,
    /// Its figure was not simulated.
    NotSimulated,
}

/// A claim with its verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Claim {
    /// Its number, `H1` to `H14`.
    pub id: &'static str,
    /// The figure that it is about.
    pub figure: u8,
    /// What it says.
    pub claim: &'static str,
    /// What the paper has.
    pub paper: &'static str,
    /// What is accepted.
    pub gate: &'static str,
    /// What was measured.
    pub measured: String,
    /// Whether that is accepted.
    pub verdict: Verdict,
    /// Why not.
    pub reason: Option<String>,
}

/// The most probable chance that is not taken for chance.
const SIGNIFICANT: f64 = 0.05;

const LU: PoolPolicy = PoolPolicy::LeastUsed;
const RR: PoolPolicy = PoolPolicy::RoundRobin;
const RAND: PoolPolicy = PoolPolicy::Random;

/// What was measured, and why the gate is missed, if it is.
type Finding = (String, Result<(), String>);

/// How a claim is judged; `None` if its figure was not simulated.
type Judge = fn(&Seen<'_>) -> Option<Finding>;

/// Judges all claims.
pub fn claims(study: &Study, outcome: &Outcome) -> Vec<Claim> {
    let seen = Seen { study, outcome };
    let all: [(&str, u8, &str, &str, &str, Judge); 14] = [
        (
            "H1",
            6,
            "LU completes more than RR and RAND at every availability",
            "yes",
            "paired seeds, sign test, 5 %",
            |seen| seen.h1(),
        ),
        ("H2", 6, "gap 1 - RR/LU at 100 %", "43 %", "35 to 52 %", |seen| seen.h2()),
        ("H3", 6, "gap 1 - RR/LU at 50 %", "37 %", "18 to 45 %", |seen| seen.h3()),
        ("H4", 6, "the gap shrinks from 100 over 50 to 10 %", "43 > 37 > about 17 %", "monotone", |seen| {
            seen.h4()
        }),
        ("H5", 6, "RR and RAND differ little", "at most 3 %", "at most 8 % of RAND", |seen| seen.h5()),
        (
            "H6",
            6,
            "fall from 66 to 33 % of LU, RR, RAND",
            "48, 36, 34 %",
            "within 8 points, LU largest",
            |seen| seen.h6(),
        ),
        ("H7", 6, "ASAP packets that RR and RAND save at 100 and 66 %", "about 25 %", "20 to 31 %", |seen| {
            seen.h7()
        }),
        (
            "H8",
            6,
            "ASAP packets of RR and RAND are flat from 66 to 33 %",
            "flat",
            "within 12 % of those at 66 %",
            |seen| seen.h8(),
        ),
        (
            "H9",
            5,
            "at 100 % the cookie interval changes nothing",
            "yes",
            "exactly equal for each seed",
            |seen| seen.h9(),
        ),
        ("H10", 5, "cookies at N = 1e6 over ASAP packets at 100 %", "more than 2", "more than 2.0", |seen| {
            seen.h10()
        }),
        ("H11", 5, "loss from N = 1e6 to 1e8 at 90 %", "8 %", "4 to 13 %", |seen| seen.h11()),
        (
            "H12",
            5,
            "loss from N = 1e6 to 1e7, 1e8, 1e9 at 50 %",
            "14, 53, 57 %",
            "within 10 points",
            |seen| seen.h12(),
        ),
        ("H13", 5, "the same at 10 %", "46, 63, 63 %", "within 12 points", |seen| seen.h13()),
        (
            "H14",
            5,
            "ASAP packets fall from 100 to 50 %, rise below, fall again below 20 %",
            "shape",
            "turning points: 100 > 50 < 20 > 10 %",
            |seen| seen.h14(),
        ),
    ];
    all.into_iter()
        .map(|(id, figure, claim, paper, gate, judge)| {
            let (measured, verdict, reason) = match judge(&seen) {
                None => (String::new(), Verdict::NotSimulated, None),
                Some((measured, Ok(()))) => (measured, Verdict::Holds, None),
                Some((measured, Err(reason))) => (measured, Verdict::Missed, Some(reason)),
            };
            Claim { id, figure, claim, paper, gate, measured, verdict, reason }
        })
        .collect()
}

/// What the study has measured.
struct Seen<'a> {
    study: &'a Study,
    outcome: &'a Outcome,
}

fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

fn list(fractions: &[f64]) -> String {
    fractions.iter().map(|fraction| percent(*fraction)).collect::<Vec<_>>().join(", ")
}

/// The gate is passed, or missed for this reason.
fn gate(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

/// Where a share lies beside its gate.
fn beside(value: f64, least: f64, most: f64) -> String {
    let by = 100.0 * if value < least { least - value } else { value - most };
    format!("{by:.1} points {} the gate", if value < least { "below" } else { "above" })
}

impl Seen<'_> {
    fn six(&self, policy: PoolPolicy, availability: f64) -> Option<&[Measures]> {
        self.find(6, |scenario| scenario.policy == policy && scenario.availability == availability)
    }

    fn five(&self, cookie_interval: f64, availability: f64) -> Option<&[Measures]> {
        self.find(5, |scenario| {
            scenario.cookie_interval == cookie_interval && scenario.availability == availability
        })
    }

    fn find(&self, figure: u8, is_it: impl Fn(&crate::study::Scenario) -> bool) -> Option<&[Measures]> {
        let mut points = self.outcome.points(self.study);
        points.find(|(point, _)| point.figure == figure && is_it(&point.scenario)).map(|(_, runs)| runs)
    }

    fn completed_six(&self, policy: PoolPolicy, availability: f64) -> Option<f64> {
        self.six(policy, availability).map(|runs| mean(runs, "completed").mean)
    }

    fn gap(&self, availability: f64) -> Option<f64> {
        Some(1.0 - self.completed_six(RR, availability)? / self.completed_six(LU, availability)?)
    }

    /// By how much fewer requests are completed with this cookie interval than with the shortest.
    fn loss(&self, cookie_interval: f64, availability: f64) -> Option<f64> {
        let completed = |n| Some(mean(self.five(n, availability)?, "completed").mean);
        Some(1.0 - completed(cookie_interval)? / completed(1e6)?)
    }

    fn availabilities(&self, figure: u8) -> Vec<f64> {
        let mut all: Vec<f64> = self
            .study
            .points
            .iter()
            .filter(|point| point.figure == figure)
            .map(|point| point.scenario.availability)
            .collect();
        all.dedup();
        all
    }

    fn h1(&self) -> Option<Finding> {
        let (mut said, mut missed) = (Vec::new(), Vec::new());
        for availability in self.availabilities(6) {
            let lu = self.six(LU, availability)?;
            for other in [RR, RAND] {
                let runs = self.six(other, availability)?;
                let pairs = lu.iter().zip(runs).map(|(a, b)| (a.completed, b.completed));
                let (wins, differ, chance) = sign_test(pairs);
                said.push(format!("{wins}/{differ}"));
                if chance >= SIGNIFICANT {
                    let at = percent(availability);
                    missed.push(format!("{} at {at}: {wins} of {differ}, p = {chance:.2}", other.short()));
                }
            }
        }
        let reason = || {
            format!(
                "not significant for {}. Where hardly an element works, a policy has nothing to choose from: the order of \
                 the means is {}",
                missed.join("; "),
                if self.lu_leads() {
                    "that of the paper at every availability"
                } else {
                    "not that of the paper either"
                },
            )
        };
        Some((format!("pairs won: {}", said.join(" ")), gate(missed.is_empty(), reason)))
    }

    fn lu_leads(&self) -> bool {
        self.availabilities(6).into_iter().all(|at| {
            let of = |policy| self.completed_six(policy, at);
            of(LU) > of(RR) && of(LU) > of(RAND)
        })
    }

    fn share(&self, value: f64, least: f64, most: f64) -> Finding {
        (percent(value), gate((least..=most).contains(&value), || beside(value, least, most)))
    }

    fn h2(&self) -> Option<Finding> {
        Some(self.share(self.gap(1.0)?, 0.35, 0.52))
    }

    fn h3(&self) -> Option<Finding> {
        Some(self.share(self.gap(0.5)?, 0.18, 0.45))
    }

    fn h4(&self) -> Option<Finding> {
        let gaps = [self.gap(1.0)?, self.gap(0.5)?, self.gap(0.1)?];
        Some((
            list(&gaps),
            gate(gaps[0] > gaps[1] && gaps[1] > gaps[2], || "the gaps are not in this order".into()),
        ))
    }

    fn h5(&self) -> Option<Finding> {
        let mut worst = (0.0, 1.0);
        for at in self.availabilities(6) {
            let (rr, rand) = (self.completed_six(RR, at)?, self.completed_six(RAND, at)?);
            let differ = (rr - rand).abs() / rand;
            if differ > worst.0 {
                worst = (differ, at);
            }
        }
        let text = format!("at most {} (at {})", percent(worst.0), percent(worst.1));
        Some((text, gate(worst.0 <= 0.08, || beside(worst.0, 0.0, 0.08))))
    }

    fn h6(&self) -> Option<Finding> {
        let fall = |policy| Some(1.0 - self.completed_six(policy, 0.33)? / self.completed_six(policy, 0.66)?);
        let falls = [fall(LU)?, fall(RR)?, fall(RAND)?];
        let near = falls.iter().zip([0.48, 0.36, 0.34]).all(|(fall, paper)| (fall - paper).abs() <= 0.08);
        let largest = falls[0] > falls[1] && falls[0] > falls[2];
        let reason = || match largest {
            true => "one of them is further than 8 points from the paper".into(),
            false => "that of LU is not the largest".into(),
        };
        Some((list(&falls), gate(near && largest, reason)))
    }

    fn h7(&self) -> Option<Finding> {
        let packets = |policy, at| Some(mean(self.six(policy, at)?, "asap_packets").mean);
        let mut saved = Vec::new();
        for at in [1.0, 0.66] {
            for policy in [RR, RAND] {
                saved.push(1.0 - packets(policy, at)? / packets(LU, at)?);
            }
        }
        let inside = saved.iter().all(|saved| (0.20..=0.31).contains(saved));
        Some((list(&saved), gate(inside, || "one of them is outside of the gate".into())))
    }

    fn h8(&self) -> Option<Finding> {
        let packets = |policy, at| Some(mean(self.six(policy, at)?, "asap_packets").mean);
        let mut changes = Vec::new();
        for policy in [RR, RAND] {
            let first = packets(policy, 0.66)?;
            for at in [0.5, 0.33] {
                changes.push(packets(policy, at)? / first - 1.0);
            }
        }
        let flat = changes.iter().all(|change| change.abs() <= 0.12);
        Some((list(&changes), gate(flat, || "one of them changes by more than 12 %".into())))
    }

    fn h9(&self) -> Option<Finding> {
        let first = self.five(1e6, 1.0)?;
        let mut differ = 0;
        for interval in super::COOKIE_INTERVALS {
            let runs = self.five(interval, 1.0)?;
            differ += first.iter().zip(runs).filter(|(a, b)| a.completed != b.completed).count();
        }
        Some((
            format!("{differ} of {} runs differ", 3 * first.len()),
            gate(differ == 0, || "cookies change when requests are completed".into()),
        ))
    }

    fn h10(&self) -> Option<Finding> {
        let runs = self.five(1e6, 1.0)?;
        let ratio = mean(runs, "cookies").mean / mean(runs, "asap_packets").mean;
        Some((format!("{ratio:.2}"), gate(ratio > 2.0, || "fewer cookies, or more ASAP packets".into())))
    }

    fn h11(&self) -> Option<Finding> {
        Some(self.share(self.loss(1e8, 0.9)?, 0.04, 0.13))
    }

    fn losses(&self, at: f64, paper: [f64; 3], points: f64) -> Option<Finding> {
        let losses = [self.loss(1e7, at)?, self.loss(1e8, at)?, self.loss(1e9, at)?];
        let far: Vec<String> = losses
            .iter()
            .zip(paper)
            .filter(|(loss, paper)| (**loss - paper).abs() > points)
            .map(|(loss, paper)| {
                format!(
                    "{} is {:.1} points from {}",
                    percent(*loss),
                    100.0 * (loss - paper).abs(),
                    percent(paper)
                )
            })
            .collect();
        let reason = || {
            format!(
                "{}. A session whose element fails is handed to the next one that answers, so that less is lost than in \
                 the paper, and the loss is measured against few completed requests",
                far.join("; ")
            )
        };
        Some((list(&losses), gate(far.is_empty(), reason)))
    }

    fn h12(&self) -> Option<Finding> {
        self.losses(0.5, [0.14, 0.53, 0.57], 0.10)
    }

    fn h13(&self) -> Option<Finding> {
        self.losses(0.1, [0.46, 0.63, 0.63], 0.12)
    }

    fn h14(&self) -> Option<Finding> {
        let at = |availability| Some(mean(self.five(1e6, availability)?, "asap_packets").mean);
        let [whole, half, fifth, tenth] = [at(1.0)?, at(0.5)?, at(0.2)?, at(0.1)?];
        let all: Option<Vec<String>> =
            self.availabilities(5).into_iter().map(|x| Some(format!("{:.0} at {x}", at(x)?))).collect();
        let text = all?.join(", ");
        let reason = || {
            "it does not turn there: users of the production code try all elements of an answer before they ask again, which \
             saves resolutions where most elements do not answer"
                .into()
        };
        Some((text, gate(whole > half && fifth > half && tenth < fifth, reason)))
    }
}

/// The requests completed in figure 6 beside those that the paper prints: policy, availability, paper, ours.
pub fn counts(study: &Study, outcome: &Outcome) -> Vec<(&'static str, f64, f64, f64)> {
    let six = outcome.points(study).filter(|(point, _)| point.figure == 6);
    six.filter_map(|(point, runs)| {
        let (policy, at) = (point.scenario.policy, point.scenario.availability);
        Some((policy.short(), at, printed::completed(policy, at)?, mean(runs, "completed").mean))
    })
    .collect()
}
