//! Which tests check which requirement.
//!
//! `requirements.tsv` lists the requirements of the RFCs, each with a status:
//!
//! | status | meaning |
//! |---|---|
//! | `tested` | a test cites it (or is named behind a colon); found by [`scan`] |
//! | `later: subject` | it belongs to something that this project does not have yet; not in scope |
//! | `waived: reason` | in scope, and no test can or does check it |
//!
//! A test cites requirements in its documentation or in comments inside it. That it passes is what
//! `cargo test` finds out; a test that is ignored does not count.

mod report;
pub mod scan;

use std::collections::BTreeMap;

pub use report::{json, table};
use scan::Test;

/// The share of the requirements in scope that must be tested, in percent.
pub const GOAL: usize = 95;

/// A row of `requirements.tsv`.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// `ASAP-3.1-22`: protocol, section, number.
    pub id: String,
    /// The RFC.
    pub document: String,
    /// Whom it binds.
    pub role: String,
    /// MUST, SHOULD ..., or "behaviour" where the text only says what happens.
    pub level: String,
    /// What it says.
    pub text: String,
    /// Whether it is tested.
    pub status: Status,
}

/// Whether a requirement is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// By tests that cite it, and by these, which cannot cite anything.
    Tested(Vec<String>),
    /// Of a subject that is not there yet.
    Later(String),
    /// By no test, for this reason.
    Waived(String),
}

/// All requirements, as the file orders them.
///
/// # Panics
///
/// The file is damaged.
pub fn requirements() -> Vec<Requirement> {
    let text = std::fs::read_to_string(crate::folder("../rserpool-core/requirements.tsv")).expect("readable");
    text.lines().skip(1).map(parse).collect()
}

fn parse(line: &str) -> Requirement {
    let columns: Vec<&str> = line.split('\t').collect();
    let [id, document, _section, role, level, text, _testable, status] = columns[..] else {
        panic!("not eight columns: {line}");
    };
    let (word, rest) = status.split_once(": ").unwrap_or((status, ""));
    let status = match word {
        "tested" => {
            Status::Tested(rest.split(", ").filter(|name| !name.is_empty()).map(Into::into).collect())
        }
        "later" if !rest.is_empty() => Status::Later(rest.into()),
        "waived" if !rest.is_empty() => Status::Waived(rest.into()),
        _ => panic!("{id}: \"{status}\" is no status; write tested, later: SUBJECT or waived: REASON"),
    };
    let [id, document, role, level, text] = [id, document, role, level, text].map(String::from);
    Requirement { id, document, role, level, text, status }
}

/// The requirements with their tests, and what is wrong.
#[derive(Debug)]
pub struct Coverage {
    /// Each requirement with the names of the tests that check it.
    pub rows: Vec<(Requirement, Vec<String>)>,
    /// What does not fit together; empty if all is well.
    pub problems: Vec<String>,
}

/// Joins requirements and tests.
pub fn coverage(requirements: Vec<Requirement>, tests: &[Test]) -> Coverage {
    let mut problems = Vec::new();
    let mut citing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for test in tests {
        for id in &test.cites {
            if !requirements.iter().any(|row| row.id == *id) {
                problems.push(format!("{} cites {id}, which is no requirement", test.name));
            }
            if !test.ignored {
                citing.entry(id).or_default().push(test.name.clone());
            }
        }
    }
    let rows: Vec<_> = requirements
        .into_iter()
        .map(|row| {
            let mut names = citing.remove(&*row.id).unwrap_or_default();
            match &row.status {
                Status::Tested(named) => {
                    for name in named {
                        if tests.iter().any(|test| test.name == *name && !test.ignored) {
                            names.push(name.clone());
                        } else {
                            problems.push(format!("{}: there is no test {name}", row.id));
                        }
                    }
                    if names.is_empty() {
                        problems.push(format!("{}: no test cites it, and no reason is given", row.id));
                    }
                }
                Status::Later(_) | Status::Waived(_) if !names.is_empty() => {
                    problems.push(format!(
                        "{}: has a reason why it is not tested, and is tested: {}",
                        row.id, names[0]
                    ));
                }
                Status::Later(_) | Status::Waived(_) => {}
            }
            (row, names)
        })
        .collect();
    let share = share(&rows);
    if share < GOAL {
        problems.push(format!("only {share} % of the requirements in scope are tested, not {GOAL} %"));
    }
    Coverage { rows, problems }
}

/// The share of the rows in scope that are tested, in percent, rounded down.
fn share(rows: &[(Requirement, Vec<String>)]) -> usize {
    let in_scope = rows.iter().filter(|(row, _)| !matches!(row.status, Status::Later(_)));
    let (all, tested) =
        in_scope.fold((0, 0), |(all, tested), (_, names)| (all + 1, tested + usize::from(!names.is_empty())));
    (100 * tested).checked_div(all).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, status: &str) -> Requirement {
        parse(&format!("{id}\tRFC\t1\tPR\tMUST\ttext\thow\t{status}"))
    }

    fn test(name: &str, cites: &[&str], ignored: bool) -> Test {
        Test { name: name.into(), cites: cites.iter().map(ToString::to_string).collect(), ignored }
    }

    fn problems(status: &str, tests: &[Test]) -> Vec<String> {
        let mut rows = vec![row("ASAP-1-01", status)];
        // Enough others that the goal is reached.
        let other = test("other", &["ASAP-2-01"], false);
        rows.extend((0..30).map(|_| row("ASAP-2-01", "later: x")));
        coverage(rows, tests)
            .problems
            .into_iter()
            .filter(|p| !p.contains("only") && *p != other.name)
            .collect()
    }

    #[test]
    fn a_tested_row_needs_a_test_that_runs() {
        assert_eq!(problems("tested", &[test("t", &["ASAP-1-01"], false)]), [""; 0]);
        let missing = ["ASAP-1-01: no test cites it, and no reason is given"];
        assert_eq!(problems("tested", &[]), missing);
        assert_eq!(problems("tested", &[test("t", &["ASAP-1-01"], true)]), missing);
        assert_eq!(problems("tested: t", &[test("t", &[], false)]), [""; 0]);
    }

    #[test]
    fn unknown_names_are_problems() {
        let unknown = problems("tested: a, b", &[test("a", &[], false)]);
        assert_eq!(unknown, ["ASAP-1-01: there is no test b"]);
        let cited = problems("waived: r", &[test("a", &["ASAP-9-99"], false)]);
        assert_eq!(cited, ["a cites ASAP-9-99, which is no requirement"]);
    }

    #[test]
    fn a_reason_must_go_when_a_test_comes() {
        for status in ["waived: r", "later: r"] {
            assert_eq!(problems(status, &[]), [""; 0]);
            let now = problems(status, &[test("t", &["ASAP-1-01"], false)]);
            assert_eq!(now, ["ASAP-1-01: has a reason why it is not tested, and is tested: t"]);
        }
    }

    #[test]
    fn the_goal_counts_what_is_in_scope() {
        let rows =
            vec![row("ASAP-1-01", "waived: r"), row("ASAP-1-02", "later: r"), row("ASAP-1-03", "tested")];
        let found = coverage(rows, &[test("t", &["ASAP-1-03"], false)]).problems;
        assert_eq!(found, ["only 50 % of the requirements in scope are tested, not 95 %"]);
    }
}
