//! What the network has said against one address of a peer, and the question by which it is checked.
//!
//! One report proves little: the packet that it quotes may be old, and others see our packets, too. So a HEARTBEAT
//! with a fresh secret asks at once; a report that quotes this HEARTBEAT, before anything is heard of the peer,
//! says that the address is closed now.

use std::time::Duration;

use rserpool_core::base::{Instant, Random};

/// The shortest time between two questions. However many reports come, they cause no more of them.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Doubt {
    /// The secret of the question that is out.
    asked: Option<u64>,
    /// When the next question may be asked.
    not_before: Instant,
}

/// What follows from a report.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// A HEARTBEAT with this secret is to be sent.
    Ask(u64),
    /// The question itself was returned.
    Confirmed,
    /// A question is out, or was out a moment ago.
    Known,
}

impl Doubt {
    pub(super) const fn none() -> Self {
        Self { asked: None, not_before: Instant::ORIGIN }
    }

    /// The network has returned a packet of ours, with a HEARTBEAT of this secret in front if it had one.
    pub(super) fn report(&mut self, secret: Option<u64>, now: Instant, random: &mut Random) -> Finding {
        if secret.is_some() && secret == self.asked {
            self.asked = None;
            return Finding::Confirmed;
        }
        if now < self.not_before {
            return Finding::Known;
        }
        let secret = random.next_u64();
        self.asked = Some(secret);
        self.not_before = now + PAUSE;
        Finding::Ask(secret)
    }

    /// The peer was heard: it lives, whatever becomes of the question.
    pub(super) const fn dispel(&mut self) {
        self.asked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_report_is_confirmed_by_the_return_of_the_question_alone() {
        let (mut doubt, mut random) = (Doubt::none(), Random::new(1));
        let Finding::Ask(secret) = doubt.report(None, at(100), &mut random) else { panic!("{doubt:?}") };
        assert_eq!(doubt.report(None, at(100), &mut random), Finding::Known);
        assert_eq!(doubt.report(Some(secret ^ 1), at(109), &mut random), Finding::Known);
        assert_eq!(doubt.report(Some(secret), at(109), &mut random), Finding::Confirmed);
        assert_eq!(doubt.report(Some(secret), at(109), &mut random), Finding::Known);
    }

    #[test]
    fn a_peer_that_was_heard_is_asked_anew() {
        let (mut doubt, mut random) = (Doubt::none(), Random::new(1));
        let Finding::Ask(first) = doubt.report(None, at(100), &mut random) else { panic!("{doubt:?}") };
        doubt.dispel();
        assert_eq!(doubt.report(Some(first), at(105), &mut random), Finding::Known);
        let Finding::Ask(second) = doubt.report(Some(first), at(110), &mut random) else {
            panic!("{doubt:?}")
        };
        assert_ne!(first, second);
        assert_eq!(doubt.report(Some(second), at(110), &mut random), Finding::Confirmed);
    }
}
