//! The coverage as a table for people and as JSON for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Coverage, Requirement, Status};

impl Status {
    const fn word(&self) -> &'static str {
        match self {
            Self::Tested(_) => "tested",
            Self::Later(_) => "later",
            Self::Waived(_) => "waived",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Tested(_) => None,
            Self::Later(reason) | Self::Waived(reason) => Some(reason),
        }
    }
}

/// How many rows of a document are in which state.
#[derive(Clone, Copy, Default)]
struct Sum {
    tested: usize,
    waived: usize,
    missing: usize,
    later: usize,
}

impl Sum {
    fn of<'a>(rows: impl Iterator<Item = &'a (Requirement, Vec<String>)>) -> Self {
        rows.fold(Self::default(), |mut sum, (row, tests)| {
            match row.status {
                Status::Later(_) => sum.later += 1,
                _ if !tests.is_empty() => sum.tested += 1,
                Status::Waived(_) => sum.waived += 1,
                Status::Tested(_) => sum.missing += 1,
            }
            sum
        })
    }

    const fn in_scope(self) -> usize {
        self.tested + self.waived + self.missing
    }

    fn percent(self) -> f64 {
        100.0 * self.tested as f64 / self.in_scope().max(1) as f64
    }
}

fn documents(coverage: &Coverage) -> Vec<(&str, Sum)> {
    let mut names: Vec<&str> = coverage.rows.iter().map(|(row, _)| &*row.document).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    let of = |name| Sum::of(coverage.rows.iter().filter(|(row, _)| row.document == name));
    names.into_iter().map(|name| (name, of(name))).collect()
}

/// A line for each requirement, then the sums.
pub fn table(coverage: &Coverage) -> String {
    let mut text = String::new();
    for (row, tests) in &coverage.rows {
        let by = match (row.status.reason(), tests.split_first()) {
            (Some(reason), _) => reason.to_string(),
            (None, None) => "no test, no reason".to_string(),
            (None, Some((first, []))) => first.clone(),
            (None, Some((first, others))) => format!("{first} and {} more", others.len()),
        };
        let _ = writeln!(text, "{:<16} {:<10} {:<7} {by}", row.id, row.level, row.status.word());
    }
    let _ = writeln!(
        text,
        "\n{:<10} {:>8} {:>7} {:>7} {:>8} {:>7} {:>6}",
        "document", "in scope", "tested", "share", "waived", "missing", "later"
    );
    let total = ("all", Sum::of(coverage.rows.iter()));
    for (name, sum) in documents(coverage).into_iter().chain([total]) {
        let (scope, share) = (sum.in_scope(), format!("{:.1} %", sum.percent()));
        let _ = writeln!(
            text,
            "{name:<10} {scope:>8} {:>7} {share:>7} {:>8} {:>7} {:>6}",
            sum.tested, sum.waived, sum.missing, sum.later
        );
    }
    text
}

/// Everything the table says, and the names of all tests.
pub fn json(coverage: &Coverage) -> Value {
    let rows: Vec<Value> = coverage
        .rows
        .iter()
        .map(|(row, tests)| {
            json!({
                "id": row.id, "document": row.document, "role": row.role, "level": row.level,
                "requirement": row.text, "status": row.status.word(), "reason": row.status.reason(),
                "tests": tests,
            })
        })
        .collect();
    let sum = Sum::of(coverage.rows.iter());
    json!({
        "in_scope": sum.in_scope(), "tested": sum.tested, "waived": sum.waived, "missing": sum.missing,
        "later": sum.later, "problems": coverage.problems, "requirements": rows,
    })
}
