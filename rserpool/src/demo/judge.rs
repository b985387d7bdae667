//! Judges the run: what was lost, how long each failover took, what else went wrong.
//!
//! A gap is the time from the last answer of the old element to the first one of the new. Requests
//! that were under way at any moment of a gap belong to the failover; all others must have been
//! answered in time without having been sent twice. A request that was made to be slow, and those that were under
//! way while the user took nothing, may take their time; but nobody may fail by that.

use std::time::Duration;

use serde_json::{Value, json};

/// Gaps and answers must stay below this, in milliseconds.
const LIMIT_MS: f64 = 500.0;

/// Within this time every element must have a new home at every registrar that lives, in milliseconds.
const TAKEOVER_LIMIT_MS: f64 = 1_500.0;

/// A failover that is over.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failover {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) gap_ms: f64,
    pub(super) resent: usize,
    /// What the new element has counted with its first answer.
    pub(super) count: u64,
}

/// How long a slow request, and what is answered while the user stalls, may take: as long as was asked for, and
/// as long as any other.
const SLOW_LIMIT_MS: f64 = 1_000.0 + LIMIT_MS;

/// What the user said, as numbers.
#[derive(Debug, Default)]
pub(super) struct Judge {
    last: Option<(f64, String)>,
    pending: Option<Pending>,
    gaps: Vec<(f64, f64)>,
    answers: Vec<Answer>,
    resent: usize,
    sent: u64,
    takeovers: Vec<f64>,
    /// When the user has taken nothing.
    stalls: Vec<(f64, f64)>,
    answered_again: usize,
    /// The highest count of an answer.
    count: u64,
    /// Answers with a count below the number of their requests: the state of the session went back.
    went_back: usize,
    /// Answers with a count above it: a request was counted twice.
    skipped: usize,
}

#[derive(Debug)]
struct Pending {
    from: String,
    since: f64,
    resent: usize,
}

#[derive(Debug)]
struct Answer {
    number: u64,
    sent_ms: f64,
    at_ms: f64,
    resent: bool,
    slow: bool,
}

impl Judge {
    /// The element that answered last.
    pub(super) fn in_use(&self) -> Option<&str> {
        self.last.as_ref().map(|(_, element)| element.as_str())
    }

    /// How many failovers are over.
    pub(super) fn failovers(&self) -> usize {
        self.gaps.len()
    }

    /// How many slow requests were answered.
    pub(super) fn slow_answers(&self) -> usize {
        self.answers.iter().filter(|answer| answer.slow).count()
    }

    /// How often the user has stalled.
    pub(super) fn stalls(&self) -> usize {
        self.stalls.len()
    }

    /// How many answers there were.
    pub(super) fn answers(&self) -> usize {
        self.answers.len()
    }

    /// The longest time between two answers, from the one before this count on, in milliseconds.
    pub(super) fn longest_pause(&self, since: usize) -> f64 {
        let answers = self.answers.get(since.saturating_sub(1)..).unwrap_or_default();
        let pauses = answers.windows(2).map(|pair| (pair[1].at_ms - pair[0].at_ms).max(0.0));
        round(pauses.fold(0.0, f64::max))
    }

    /// Every element has a new home, so long after its own was killed.
    pub(super) fn taken_over(&mut self, took: Duration) -> f64 {
        let took_ms = round(took.as_secs_f64() * 1e3);
        self.takeovers.push(took_ms);
        took_ms
    }

    /// Takes an event of the user; tells of a failover that it completes.
    pub(super) fn hear(&mut self, event: &Value) -> Option<Failover> {
        match event["event"].as_str() {
            Some("failed_over") => {
                let resent = event["resent"].as_array().map_or(0, Vec::len);
                self.resent += resent;
                let (since, from) = self.last.clone().unwrap_or_default();
                self.pending.get_or_insert(Pending { from, since, resent: 0 }).resent += resent;
                None
            }
            Some("answer") => {
                let at_ms = event["at_ms"].as_f64().unwrap_or_default();
                let to = text(&event["element"]);
                let number = event["number"].as_u64().unwrap_or_default();
                let count = event["count"].as_u64().unwrap_or_default();
                self.count = self.count.max(count);
                self.went_back += usize::from(count < number);
                self.skipped += usize::from(count > number);
                self.answers.push(Answer {
                    number,
                    sent_ms: event["sent_ms"].as_f64().unwrap_or_default(),
                    at_ms,
                    resent: event["resent"] == true,
                    slow: event["slow"] == true,
                });
                self.last = Some((at_ms, to.clone()));
                let Pending { from, since, resent } = self.pending.take()?;
                self.gaps.push((since, at_ms));
                Some(Failover { from, to, gap_ms: at_ms - since, resent, count })
            }
            Some("stalled") => {
                let time = |key: &str| event[key].as_f64().unwrap_or_default();
                self.stalls.push((time("since_ms"), time("at_ms")));
                None
            }
            // After a failover, the answer of the former element may still have been under way.
            Some("answered_again") => {
                self.answered_again += 1;
                None
            }
            Some("done") => {
                self.sent = event["sent"].as_u64().unwrap_or_default();
                None
            }
            _ => None,
        }
    }

    /// The summary, and all that is wrong.
    pub(super) fn verdict(&self) -> (Value, Vec<String>) {
        let answered = self.answers.len() as u64;
        let lost = self.sent.saturating_sub(answered);
        let gaps: Vec<f64> = self.gaps.iter().map(|(from, to)| round(to - from)).collect();
        let mut wrong = Vec::new();
        if lost > 0 {
            wrong.push(format!("{lost} of {} requests were lost", self.sent));
        }
        if let Some(pending) = &self.pending {
            wrong.push(format!("the failover from {} was never completed", pending.from));
        }
        let late = self.takeovers.iter().filter(|took| **took >= TAKEOVER_LIMIT_MS);
        wrong.extend(late.map(|took| format!("a takeover of {took} ms")));
        wrong.extend(gaps.iter().filter(|gap| **gap >= LIMIT_MS).map(|gap| format!("a gap of {gap} ms")));
        for answer in self.answers.iter().filter(|answer| !self.belongs_to_failover(answer)) {
            let took = round(answer.at_ms - answer.sent_ms);
            let limit = if answer.slow || self.is_stalled(answer) { SLOW_LIMIT_MS } else { LIMIT_MS };
            if answer.resent {
                wrong.push(format!("request {} was resent outside a failover", answer.number));
            } else if took >= limit {
                wrong.push(format!("request {} was answered after {took} ms", answer.number));
            }
        }
        let slow = self.answers.iter().filter(|answer| answer.slow && self.belongs_to_failover(answer));
        wrong.extend(slow.map(|answer| format!("a failover while request {} was slow", answer.number)));
        let failed =
            |(since, until): &&(f64, f64)| self.gaps.iter().any(|gap| overlap(*gap, (*since, *until)));
        wrong.extend(self.stalls.iter().filter(failed).map(|_| "a failover while the user stalled".into()));
        // An answer may come twice if its request was sent again while it was on its way.
        if self.answered_again > self.resent {
            wrong.push(format!("{} requests were answered twice", self.answered_again));
        }
        for (answers, what) in [(self.went_back, "went back"), (self.skipped, "skipped")] {
            if answers > 0 {
                wrong.push(format!("the count {what} in {answers} answers"));
            }
        }
        let slowest = self
            .answers
            .iter()
            .filter(|answer| !answer.slow && !self.is_stalled(answer) && !self.belongs_to_failover(answer))
            .map(|answer| answer.at_ms - answer.sent_ms)
            .fold(0.0, f64::max);
        let summary = json!({
            "event": "summary", "sent": self.sent, "answered": answered, "resent": self.resent,
            "lost": lost, "gaps_ms": gaps, "slowest_ms": round(slowest),
            "takeovers_ms": self.takeovers, "count": self.count, "went_back": self.went_back,
            "skipped": self.skipped, "ok": wrong.is_empty(),
        });
        (summary, wrong)
    }

    fn belongs_to_failover(&self, answer: &Answer) -> bool {
        self.gaps.iter().any(|gap| overlap(*gap, (answer.sent_ms, answer.at_ms)))
    }

    fn is_stalled(&self, answer: &Answer) -> bool {
        self.stalls.iter().any(|stall| overlap(*stall, (answer.sent_ms, answer.at_ms)))
    }
}

fn overlap(one: (f64, f64), other: (f64, f64)) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

/// Milliseconds with one decimal place.
pub(super) fn round(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(
        judge: &mut Judge,
        number: u64,
        element: &str,
        sent: f64,
        at: f64,
        resent: bool,
    ) -> Option<Failover> {
        judge.hear(&json!({
            "event": "answer", "number": number, "element": element, "sent_ms": sent, "at_ms": at, "resent": resent,
            "count": number,
        }))
    }

    fn move_on(judge: &mut Judge, resent: &[u64]) {
        assert_eq!(judge.hear(&json!({ "event": "failed_over", "resent": resent })), None);
    }

    #[test]
    fn a_gap_is_from_the_last_answer_to_the_first() {
        let mut judge = Judge::default();
        assert_eq!(answer(&mut judge, 1, "0x1", 0.0, 1.0, false), None);
        move_on(&mut judge, &[2]);
        move_on(&mut judge, &[2]);
        let failover = answer(&mut judge, 2, "0x3", 20.0, 211.0, true).unwrap();
        assert_eq!(
            failover,
            Failover { from: "0x1".into(), to: "0x3".into(), gap_ms: 210.0, resent: 2, count: 2 }
        );
        judge.hear(&json!({ "event": "done", "sent": 2 }));
        let (summary, wrong) = judge.verdict();
        assert_eq!(wrong, [""; 0]);
        assert_eq!((&summary["gaps_ms"], &summary["lost"]), (&json!([210.0]), &json!(0)));
    }

    #[test]
    fn the_longest_pause_begins_before_the_event() {
        let mut judge = Judge::default();
        for (number, at) in [(1, 0.0), (2, 90.0), (3, 120.0), (4, 160.5)] {
            answer(&mut judge, number, "0x1", at, at, false);
        }
        assert_eq!((judge.answers(), judge.longest_pause(0), judge.longest_pause(2)), (4, 90.0, 40.5));
    }

    #[test]
    fn slow_requests_and_a_user_that_stalls_cause_no_failover() {
        let mut judge = Judge::default();
        let slow = |number: u64, sent: f64, at: f64| {
            json!({
                "event": "answer", "number": number, "element": "0x1", "sent_ms": sent, "at_ms": at, "slow": true,
                "count": number,
            })
        };
        judge.hear(&slow(1, 0.0, 1_004.0));
        judge.hear(&json!({ "event": "stalled", "since_ms": 1_100.0, "at_ms": 2_100.0 }));
        answer(&mut judge, 2, "0x1", 1_101.0, 2_101.0, false);
        judge.hear(&json!({ "event": "done", "sent": 2 }));
        let (summary, wrong) = judge.verdict();
        assert_eq!((wrong.len(), &summary["slowest_ms"]), (0, &json!(0.0)));
        assert_eq!((judge.slow_answers(), judge.stalls()), (1, 1));
        // Now everything that must not be.
        move_on(&mut judge, &[]);
        judge.hear(&slow(3, 2_050.0, 3_700.0));
        judge.hear(&slow(4, 3_800.0, 5_300.0));
        judge.hear(&json!({ "event": "answered_again", "number": 2 }));
        judge.hear(&json!({ "event": "done", "sent": 4 }));
        assert_eq!(
            judge.verdict().1,
            [
                "a gap of 1599 ms",
                "request 4 was answered after 1500 ms",
                "a failover while request 3 was slow",
                "1 requests were answered twice",
            ]
        );
    }

    #[test]
    fn the_count_is_that_of_the_request() {
        let mut judge = Judge::default();
        for (number, count) in [(1, 1), (2, 2), (3, 1), (4, 5)] {
            judge.hear(&json!({ "event": "answer", "number": number, "element": "0x1", "count": count }));
        }
        judge.hear(&json!({ "event": "done", "sent": 4 }));
        let (summary, wrong) = judge.verdict();
        assert_eq!(wrong, ["the count went back in 1 answers", "the count skipped in 1 answers"]);
        let figures = ["count", "went_back", "skipped"].map(|key| summary[key].as_u64());
        assert_eq!(figures, [Some(5), Some(1), Some(1)]);
    }

    #[test]
    fn whatever_goes_wrong_is_named() {
        let mut judge = Judge::default();
        answer(&mut judge, 1, "0x1", 0.0, 1.0, false);
        move_on(&mut judge, &[]);
        answer(&mut judge, 2, "0x2", 20.0, 502.0, false);
        answer(&mut judge, 3, "0x2", 600.0, 1100.0, false);
        answer(&mut judge, 4, "0x2", 1200.0, 1201.0, true);
        move_on(&mut judge, &[]);
        judge.hear(&json!({ "event": "done", "sent": 5 }));
        assert_eq!(judge.taken_over(Duration::from_millis(700)), 700.0);
        judge.taken_over(Duration::from_millis(1_500));
        assert_eq!(
            judge.verdict().1,
            [
                "1 of 5 requests were lost",
                "the failover from 0x2 was never completed",
                "a takeover of 1500 ms",
                "a gap of 501 ms",
                "request 3 was answered after 500 ms",
                "request 4 was resent outside a failover",
            ]
        );
    }
}
