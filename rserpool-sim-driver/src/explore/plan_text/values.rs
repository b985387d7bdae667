//! Single values in the text of a plan.

use std::str::FromStr;
use std::time::Duration;

use super::PlanProblem;
use crate::id::HostId;

type Result<T> = std::result::Result<T, PlanProblem>;

fn unreadable(text: &str, expected: &'static str) -> PlanProblem {
    PlanProblem::Value { text: text.into(), expected }
}

/// A number.
pub(super) fn number<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| unreadable(text, "a number in its range"))
}

/// `yes` or `no`.
pub(super) fn switch(text: &str) -> Result<bool> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(unreadable(text, "a switch: write yes or no")),
    }
}

pub(super) const fn write_switch(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// A time in seconds or milliseconds, with nanoseconds as its smallest part.
pub(super) fn time(text: &str) -> Result<Duration> {
    let problem = || unreadable(text, "a time: write seconds or milliseconds, as 1.5s or 20ms");
    let (digits, nanos_per_unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1_000_000),
        (None, Some(digits)) => (digits, 1_000_000_000),
        (None, None) => return Err(problem()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return Err(problem());
    }
    let whole: u64 = whole.parse().map_err(|_| problem())?;
    let mut nanos = whole.checked_mul(nanos_per_unit).ok_or_else(problem)?;
    let mut unit = nanos_per_unit;
    for digit in fraction.bytes() {
        if unit == 1 {
            return Err(problem());
        }
        unit /= 10;
        nanos = nanos.checked_add(u64::from(digit - b'0') * unit).ok_or_else(problem)?;
    }
    Ok(Duration::from_nanos(nanos))
}

pub(super) fn write_time(time: Duration) -> String {
    let nanos = time.as_nanos();
    let (unit, nanos_per_unit, digits) = match nanos {
        1..1_000_000_000 => ("ms", 1_000_000, 6),
        _ => ("s", 1_000_000_000, 9),
    };
    let text = format!("{}.{:0digits$}", nanos / nanos_per_unit, nanos % nanos_per_unit);
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// How many hosts of each kind a plan has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) registrars: usize,
    pub(super) elements: usize,
    pub(super) users: usize,
}

impl Counts {
    /// The name of a host.
    pub(super) fn name(&self, host: HostId) -> String {
        let HostId(n) = host;
        match n.checked_sub(self.registrars) {
            None => format!("r{}", n + 1),
            Some(n) if n < self.elements => format!("e{}", n + 1),
            Some(n) => format!("u{}", n - self.elements + 1),
        }
    }

    /// The host with a name.
    pub(super) fn host(&self, text: &str) -> Result<HostId> {
        let problem = || PlanProblem::Host(text.into());
        let (first, count) = match text.get(..1) {
            Some("r") => (0, self.registrars),
            Some("e") => (self.registrars, self.elements),
            Some("u") => (self.registrars + self.elements, self.users),
            _ => return Err(problem()),
        };
        let n: usize = text.get(1..).unwrap_or_default().parse().map_err(|_| problem())?;
        let valid = (1..=count).contains(&n);
        valid.then(|| HostId(first + n - 1)).ok_or_else(problem)
    }
}

/// Words separated by spaces; what stands in quotation marks belongs to one word.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut started, mut quoted) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => (quoted, started) = (!quoted, true),
            '#' if !quoted => break,
            c if c.is_whitespace() && !quoted => {
                if std::mem::take(&mut started) {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                started = true;
            }
        }
    }
    if started {
        words.push(word);
    }
    words
}
