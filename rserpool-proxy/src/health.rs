//! When a server counts as healthy: so many checks in a row must say so.

/// How many checks in a row change what is thought of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Passed checks after which a failed server is healthy again, at least 1.
    pub rise: u32,
    /// Failed checks after which a healthy server has failed, at least 1.
    pub fall: u32,
}

impl Default for Thresholds {
    /// One that fails twice is gone, and one that passes twice is back.
    fn default() -> Self {
        Self { rise: 2, fall: 2 }
    }
}

/// What is thought of a server has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is healthy now.
    Healthy,
    /// It has failed.
    Failed,
}

/// What is thought of a server. The first check decides at once: nothing is known that it could contradict, and a pool
/// that starts is to be there soon.
#[derive(Clone, Debug)]
pub struct Health {
    thresholds: Thresholds,
    healthy: Option<bool>,
    /// Checks in a row that contradict what is thought.
    contradictions: u32,
}

impl Health {
    /// Nothing is known yet.
    pub const fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, healthy: None, contradictions: 0 }
    }

    /// Whether it is healthy, as far as is known.
    pub fn is_healthy(&self) -> bool {
        self.healthy == Some(true)
    }

    /// A check has passed or failed.
    pub fn note(&mut self, passed: bool) -> Option<Turn> {
        if self.healthy == Some(passed) {
            self.contradictions = 0;
            return None;
        }
        self.contradictions += 1;
        let needed = match (self.healthy, passed) {
            (None, _) => 1,
            (_, true) => self.thresholds.rise,
            (_, false) => self.thresholds.fall,
        };
        if self.contradictions < needed {
            return None;
        }
        self.contradictions = 0;
        self.healthy = Some(passed);
        Some(if passed { Turn::Healthy } else { Turn::Failed })
    }

    /// Nothing is known any more: the server was replaced.
    pub const fn forget(&mut self) {
        (self.healthy, self.contradictions) = (None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(rise: u32, fall: u32, checks: &str) -> String {
        let mut health = Health::new(Thresholds { rise, fall });
        checks
            .chars()
            .map(|check| match health.note(check == '+') {
                Some(Turn::Healthy) => 'H',
                Some(Turn::Failed) => 'F',
                None => '.',
            })
            .collect()
    }

    #[test]
    fn the_first_check_decides_at_once() {
        assert_eq!((turns(3, 3, "+"), turns(3, 3, "-")), ("H".into(), "F".into()));
    }

    #[test]
    fn only_checks_in_a_row_change_it() {
        assert_eq!(turns(2, 3, "+--+---++-+"), "H.....F.H..");
        assert_eq!(turns(2, 3, "-+-++"), "F...H");
    }

    #[test]
    fn one_that_was_replaced_is_judged_anew() {
        let mut health = Health::new(Thresholds { rise: 3, fall: 3 });
        assert_eq!(health.note(true), Some(Turn::Healthy));
        health.forget();
        assert!(!health.is_healthy());
        assert_eq!(health.note(true), Some(Turn::Healthy));
    }
}
