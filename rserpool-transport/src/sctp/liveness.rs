//! Whether the peer is still there, at whatever address. Engines send data again for ever and never a
//! HEARTBEAT; this watches them from above. Which address lives is the business of
//! [`super::destinations`].
//!
//! A peer that leaves something unanswered is asked again several times before it is given up, so that no single
//! packet that gets lost ends an association.

use std::time::Duration;

use rserpool_core::base::Instant;

use super::config::SctpConfig;

/// How often a peer is asked while it is silent, before it is given up.
const QUESTIONS: u32 = 4;

#[derive(Debug)]
pub(super) struct Liveness {
    /// When the peer was first asked for something since it was last heard.
    asked: Option<Instant>,
    /// When to ask with a HEARTBEAT.
    beat: Instant,
    interval: Duration,
    patience: Duration,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    Fine,
    /// Send a HEARTBEAT.
    Beat,
    /// Give the peer up.
    Silent,
}

impl Liveness {
    pub(super) fn new(now: Instant, config: &SctpConfig) -> Self {
        let interval = config.heartbeat.max(Duration::from_millis(1));
        Self { asked: None, beat: now + interval, interval, patience: config.max_silence }
    }

    /// A packet of the peer has arrived.
    pub(super) fn heard(&mut self, now: Instant) {
        self.asked = None;
        self.beat = now + self.interval;
    }

    /// Something was sent that the peer has to answer.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
        self.beat = self.beat.min(now + self.patience / QUESTIONS);
    }

    pub(super) fn deadline(&self) -> Instant {
        self.asked.map_or(self.beat, |asked| self.beat.min(asked + self.patience))
    }

    /// To be called when the deadline is due. If the call comes very late, we were the ones who
    /// were away (stopped, or starved of the processor), and the answers may be waiting in the
    /// socket: the peer gets another chance.
    pub(super) fn check(&mut self, now: Instant) -> Pulse {
        if let Some(due) = self.asked.map(|asked| asked + self.patience).filter(|due| *due <= now) {
            if now.since(due) <= self.patience / 2 {
                return Pulse::Silent;
            }
            self.asked = None;
            self.beat = now;
        }
        if self.beat > now {
            return Pulse::Fine;
        }
        self.beat = now + self.interval;
        self.asked(now);
        Pulse::Beat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn an_idle_peer_is_asked_and_given_up_when_it_does_not_answer() {
        let mut liveness = Liveness::new(at(0), &SctpConfig::fast(1));
        assert_eq!(liveness.deadline(), at(200));
        assert_eq!(liveness.check(at(199)), Pulse::Fine);
        for beat in [200, 325, 450, 575] {
            assert_eq!((liveness.deadline(), liveness.check(at(beat))), (at(beat), Pulse::Beat));
        }
        assert_eq!(liveness.deadline(), at(700));
        assert_eq!(liveness.check(at(700)), Pulse::Silent);
    }

    /// A user waits less long than its interval: still, a lost HEARTBEAT or two do no harm.
    #[test]
    fn a_short_patience_asks_more_often() {
        let mut liveness = Liveness::new(at(0), &SctpConfig::fast_user(1));
        for beat in [200, 250, 300, 350] {
            assert_eq!((liveness.deadline(), liveness.check(at(beat))), (at(beat), Pulse::Beat));
        }
        assert_eq!((liveness.deadline(), liveness.check(at(400))), (at(400), Pulse::Silent));
    }

    #[test]
    fn any_packet_of_the_peer_starts_anew() {
        let mut liveness = Liveness::new(at(0), &SctpConfig::fast(1));
        liveness.asked(at(10));
        liveness.asked(at(90));
        assert_eq!(liveness.check(at(509)), Pulse::Beat);
        liveness.heard(at(509));
        assert_eq!(liveness.deadline(), at(709));
        assert_eq!(liveness.check(at(510)), Pulse::Fine);
    }

    #[test]
    fn a_process_that_was_stopped_asks_again_before_it_gives_up() {
        let mut liveness = Liveness::new(at(0), &SctpConfig::fast(1));
        liveness.asked(at(10));
        assert_eq!(liveness.check(at(60_000)), Pulse::Beat);
        assert_eq!(liveness.check(at(60_499)), Pulse::Beat);
        assert_eq!(liveness.check(at(60_500)), Pulse::Silent);
    }
}
