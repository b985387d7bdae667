//! Whether the peer is still there, at whatever address. Engines send data again for ever and never a
//! HEARTBEAT; this watches them from above. Which address lives is the business of
//! [`super::destinations`].
//!
//! A peer that leaves something unanswered is asked again several times before it is given up, so that no single
//! packet that gets lost ends an association. How long it has for that may follow the round trip that its answers to
//! HEARTBEATs show.

use std::time::Duration;

use rserpool_core::base::Instant;

use super::config::SctpConfig;

/// How often a peer is asked while it is silent, before it is given up.
const QUESTIONS: u32 = 4;

/// How often the round trip is measured at least, if it counts: the peer may have been heard all the time, and slowly.
const MEASURED_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Liveness {
    /// When the peer was first asked for something since it was last heard.
    asked: Option<Instant>,
    /// When to ask with a HEARTBEAT.
    beat: Instant,
    interval: Duration,
    patience: Patience,
}

/// How long the peer may be silent.
#[derive(Debug)]
struct Patience {
    most: Duration,
    /// If it follows the round trip.
    measured: Option<Measured>,
}

/// The round trip (RFC 9260 section 6.3.1).
#[derive(Debug)]
struct Measured {
    least: Duration,
    /// Smoothed, and its variation.
    round_trip: Option<(Duration, Duration)>,
    /// The last HEARTBEAT, by the number in it, and when it was sent.
    beat: (u64, Instant),
    next: Instant,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    Fine,
    /// Send a HEARTBEAT with this number in it.
    Beat(u64),
    /// Give the peer up.
    Silent,
}

impl Liveness {
    pub(super) fn new(now: Instant, config: &SctpConfig) -> Self {
        let interval = config.heartbeat.max(Duration::from_millis(1));
        let measured =
            config.min_silence.map(|least| Measured { least, round_trip: None, beat: (0, now), next: now });
        let beat = if measured.is_some() { now } else { now + interval };
        Self { asked: None, beat, interval, patience: Patience { most: config.max_silence, measured } }
    }

    /// A packet of the peer has arrived.
    pub(super) fn heard(&mut self, now: Instant) {
        self.asked = None;
        self.beat = self.patience.next_beat(now + self.interval);
    }

    /// A HEARTBEAT with this number in it was answered.
    pub(super) fn answered(&mut self, number: u64, now: Instant) {
        if let Some(measured) = &mut self.patience.measured
            && measured.beat.0 == number
        {
            measured.note(now.since(measured.beat.1));
            // A second answer to it tells nothing.
            measured.beat.0 += 1;
            measured.next = now + MEASURED_EVERY;
            self.beat = self.beat.max(now + self.interval.min(MEASURED_EVERY));
        }
    }

    /// Something was sent that the peer has to answer.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
        self.beat = self.beat.min(now + self.patience.now() / QUESTIONS);
    }

    pub(super) fn deadline(&self) -> Instant {
        self.asked.map_or(self.beat, |asked| self.beat.min(asked + self.patience.now()))
    }

    /// To be called when the deadline is due. If the call comes very late, we were the ones who
    /// were away (stopped, or starved of the processor), and the answers may be waiting in the
    /// socket: the peer gets another chance.
    pub(super) fn check(&mut self, now: Instant) -> Pulse {
        let patience = self.patience.now();
        if let Some(due) = self.asked.map(|asked| asked + patience).filter(|due| *due <= now) {
            if now.since(due) <= patience / 2 {
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
        Pulse::Beat(self.patience.measured.as_mut().map_or(0, |measured| measured.beat_sent(now)))
    }
}

impl Patience {
    fn now(&self) -> Duration {
        let Some(Measured { least, round_trip: Some((smoothed, variation)), .. }) = self.measured else {
            return self.most;
        };
        // Each question has as long as RFC 9260 gives a packet before it is sent again.
        ((smoothed + variation * 4) * QUESTIONS).max(least).min(self.most)
    }

    fn next_beat(&self, idle: Instant) -> Instant {
        self.measured.as_ref().map_or(idle, |measured| idle.min(measured.next))
    }
}

impl Measured {
    /// A HEARTBEAT is sent; returns the number in it. One that is not answered is not measured.
    const fn beat_sent(&mut self, now: Instant) -> u64 {
        self.beat = (self.beat.0 + 1, now);
        self.beat.0
    }

    fn note(&mut self, sample: Duration) {
        self.round_trip = Some(match self.round_trip {
            None => (sample, sample / 2),
            Some((smoothed, variation)) => {
                let off = smoothed.abs_diff(sample);
                ((smoothed * 7 + sample) / 8, (variation * 3 + off) / 4)
            }
        });
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
            assert_eq!((liveness.deadline(), liveness.check(at(beat))), (at(beat), Pulse::Beat(0)));
        }
        assert_eq!(liveness.deadline(), at(700));
        assert_eq!(liveness.check(at(700)), Pulse::Silent);
    }

    /// A user waits less long than its interval: still, a lost HEARTBEAT or two do no harm.
    #[test]
    fn a_short_patience_asks_more_often() {
        let mut liveness = Liveness::new(at(0), &SctpConfig::fast_user(1));
        for beat in [200, 250, 300, 350] {
            assert_eq!((liveness.deadline(), liveness.check(at(beat))), (at(beat), Pulse::Beat(0)));
        }
        assert_eq!((liveness.deadline(), liveness.check(at(400))), (at(400), Pulse::Silent));
    }

    #[test]
    fn any_packet_of_the_peer_starts_anew() {
        let mut liveness = Liveness::new(at(0), &SctpConfig::fast(1));
        liveness.asked(at(10));
        liveness.asked(at(90));
        assert_eq!(liveness.check(at(509)), Pulse::Beat(0));
        liveness.heard(at(509));
        assert_eq!(liveness.deadline(), at(709));
        assert_eq!(liveness.check(at(510)), Pulse::Fine);
    }

    #[test]
    fn a_process_that_was_stopped_asks_again_before_it_gives_up() {
        let mut liveness = Liveness::new(at(0), &SctpConfig::fast(1));
        liveness.asked(at(10));
        assert_eq!(liveness.check(at(60_000)), Pulse::Beat(0));
        assert_eq!(liveness.check(at(60_499)), Pulse::Beat(0));
        assert_eq!(liveness.check(at(60_500)), Pulse::Silent);
    }

    fn of_a_rack() -> Liveness {
        Liveness::new(at(0), &SctpConfig::rack_user(1))
    }

    /// Sends the HEARTBEAT that is due, and has it answered after so long.
    fn measure(liveness: &mut Liveness, begin: u64, takes: u64) {
        let Pulse::Beat(number) = liveness.check(at(begin)) else { panic!("no HEARTBEAT is due") };
        liveness.heard(at(begin + takes));
        liveness.answered(number, at(begin + takes));
    }

    #[test]
    fn before_the_first_answer_the_most_is_waited() {
        let mut liveness = of_a_rack();
        assert_eq!(liveness.check(at(0)), Pulse::Beat(1), "the round trip is wanted at once");
        assert_eq!(liveness.check(at(199)), Pulse::Beat(2));
        assert_eq!(liveness.check(at(200)), Pulse::Silent);
    }

    #[test]
    fn a_peer_that_answers_at_once_is_given_up_after_the_least() {
        let mut liveness = of_a_rack();
        measure(&mut liveness, 0, 0);
        liveness.asked(at(20));
        for (beat, number) in [(28, 3), (36, 4), (44, 5)] {
            assert_eq!(liveness.check(at(beat)), Pulse::Beat(number));
        }
        assert_eq!(liveness.check(at(50)), Pulse::Silent, "30 ms after it was asked");
    }

    #[test]
    fn a_peer_that_answers_slowly_has_longer() {
        let mut liveness = of_a_rack();
        measure(&mut liveness, 0, 12);
        // 12 ms, and four times half of that, four times.
        liveness.asked(at(20));
        assert_eq!(liveness.check(at(163)), Pulse::Beat(3));
        assert_eq!(liveness.check(at(164)), Pulse::Silent);
    }

    #[test]
    fn a_peer_that_is_always_heard_is_measured_every_second() {
        let mut liveness = of_a_rack();
        measure(&mut liveness, 0, 1);
        for now in (2..1_001).step_by(10) {
            liveness.heard(at(now));
            assert_eq!(liveness.check(at(now)), Pulse::Fine);
        }
        liveness.heard(at(1_001));
        assert!(matches!(liveness.check(at(1_001)), Pulse::Beat(_)));
    }

    #[test]
    fn an_old_answer_is_not_measured() {
        let mut liveness = of_a_rack();
        assert_eq!(liveness.check(at(0)), Pulse::Beat(1));
        assert_eq!(liveness.check(at(50)), Pulse::Beat(2));
        liveness.answered(1, at(60));
        assert_eq!(liveness.patience.now(), Duration::from_millis(200));
    }
}
