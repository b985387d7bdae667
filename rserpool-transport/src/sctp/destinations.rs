//! The addresses of the peer of one association: which of them live, and which one is used.
//!
//! The first is the primary, over which the handshake went. The others come from the peer's INIT
//! or INIT ACK, or from the endpoint that asked for the association; they are candidates until a HEARTBEAT
//! with a secret has come back (RFC 9260 section 5.4). Once there are two, each gets a HEARTBEAT in
//! every interval. An address whose HEARTBEAT is not answered in time, or on which data had to be
//! sent again, has failed at once (RFC 7829, with a threshold of 0): the next that lives is used,
//! until a HEARTBEAT is answered by the one before.
//!
//! An address here is the peer's. From which of ours a packet goes there is the choice of the
//! operating system, so an answer may come from another address than it was asked at: the secret
//! says which one it is about.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rserpool_core::base::{Instant, Random};

use super::config::SctpConfig;
use super::doubt::{Doubt, Finding};

/// The most addresses of a peer that are used; the rest of its list is ignored.
pub(super) const MAX_DESTINATIONS: usize = 8;

/// A candidate that does not answer is asked ever more rarely, in the end once in as many
/// intervals: a peer may list an address that is not its own.
const CANDIDATE_PAUSE: u32 = 64;

/// Octets of a packet with a HEARTBEAT. Candidates get no more octets than the peer itself has sent: whoever lists
/// addresses of others could as well have sent to them.
const BEAT: usize = 28;

#[derive(Debug)]
pub(super) struct Destinations {
    list: Vec<Destination>,
    current: usize,
    /// Where data went last.
    carrier: IpAddr,
    /// Octets that may still go to candidates.
    credit: usize,
}

#[derive(Debug)]
struct Destination {
    remote: SocketAddr,
    state: State,
    /// What a HEARTBEAT to it carries; 0 before the first.
    secret: u64,
    /// Whether the last HEARTBEAT was answered.
    answered: bool,
    /// When the next one is due, and how long after the last.
    beat: Instant,
    wait: Duration,
    /// What the network says against it.
    doubt: Doubt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Named by the peer, and nothing more.
    Candidate,
    /// Verified, and answers.
    Alive,
    /// Verified, but what was sent to it last was not answered in time.
    Failed,
}

impl Destinations {
    /// The primary, which is verified by the cookie that was returned from it.
    pub(super) fn new(primary: SocketAddr, now: Instant, config: &SctpConfig) -> Self {
        let carrier = primary.ip();
        // What the handshake has brought.
        let credit = 2 * BEAT;
        let primary = Destination::new(primary, State::Alive, now + config.heartbeat, config.heartbeat);
        Self { list: vec![primary], current: 0, carrier, credit }
    }

    /// Adds a candidate, to be asked at once.
    pub(super) fn propose(&mut self, remote: SocketAddr, now: Instant, config: &SctpConfig) {
        if self.list.len() < MAX_DESTINATIONS && self.find(remote.ip()).is_none() {
            self.list.push(Destination::new(remote, State::Candidate, now, config.rto_initial));
        }
    }

    /// A packet of so many octets has come from this address of the peer.
    pub(super) fn heard(&mut self, index: usize, octets: usize) {
        self.list[index].doubt.dispel();
        let credit = self.credit + octets;
        self.credit = if credit < BEAT * MAX_DESTINATIONS { credit } else { BEAT * MAX_DESTINATIONS };
    }

    /// Where data goes.
    pub(super) fn current(&self) -> SocketAddr {
        self.list[self.current].remote
    }

    /// Where data goes that is sent now; if it gets lost, this address will be to blame.
    pub(super) fn carry(&mut self) -> SocketAddr {
        self.carrier = self.current().ip();
        self.current()
    }

    /// The one with this IP address.
    pub(super) fn find(&self, address: IpAddr) -> Option<usize> {
        self.list.iter().position(|d| d.remote.ip() == address)
    }

    pub(super) fn remote(&self, index: usize) -> SocketAddr {
        self.list[index].remote
    }

    pub(super) fn is_verified(&self, index: usize) -> bool {
        self.list[index].state != State::Candidate
    }

    /// The addresses that are verified, the primary first.
    pub(super) fn verified(&self) -> impl Iterator<Item = SocketAddr> {
        self.list.iter().filter(|d| d.state != State::Candidate).map(|d| d.remote)
    }

    /// The peer's packets come from another UDP port now (RFC 6951 section 5.4).
    pub(super) fn set_port(&mut self, index: usize, port: u16) {
        self.list[index].remote.set_port(port);
    }

    /// A HEARTBEAT was answered. Tells the index if that verifies a candidate.
    pub(super) fn answered(&mut self, secret: u64, now: Instant, config: &SctpConfig) -> Option<usize> {
        let index = self.list.iter().position(|d| d.secret == secret && d.secret != 0)?;
        let destination = &mut self.list[index];
        destination.answered = true;
        let before = std::mem::replace(&mut destination.state, State::Alive);
        if before != State::Alive {
            destination.wait = config.heartbeat;
            destination.beat = now + config.heartbeat;
            self.choose();
        }
        (before == State::Candidate).then_some(index)
    }

    /// What a candidate has proved is of no use, since the address is another association's.
    pub(super) fn withdraw(&mut self, index: usize) {
        if index != 0 {
            self.list.remove(index);
            self.current = 0;
            self.choose();
        }
    }

    /// Data had to be sent again: the next address gets it, if there is one. An address that has taken the
    /// place of the one that lost the data is not to blame.
    pub(super) fn suspect(&mut self, now: Instant, config: &SctpConfig) {
        if self.verified().nth(1).is_some() && self.carrier == self.current().ip() {
            self.list[self.current].fail(now, config);
            self.choose();
        }
    }

    /// The network says that an address cannot be reached. Of one that has failed that is no news.
    pub(super) fn doubt(
        &mut self,
        index: usize,
        secret: Option<u64>,
        now: Instant,
        random: &mut Random,
    ) -> Finding {
        let destination = &mut self.list[index];
        match destination.state {
            State::Alive => destination.doubt.report(secret, now, random),
            State::Candidate | State::Failed => Finding::Known,
        }
    }

    /// An address cannot be reached: another one that lives is used, until this one answers a HEARTBEAT. False if
    /// there is none; then this one stays in use.
    pub(super) fn give_up(&mut self, index: usize, now: Instant, config: &SctpConfig) -> bool {
        if self.alive().iter().all(|other| *other == index) {
            return false;
        }
        self.list[index].fail(now, config);
        self.choose();
        true
    }

    /// The addresses that live.
    pub(super) fn alive(&self) -> Vec<usize> {
        (0..self.list.len()).filter(|index| self.list[*index].state == State::Alive).collect()
    }

    /// Sends the HEARTBEATs that are due: to whom, and with which secret. Tells whether one of them
    /// has to be answered for the association to live.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        config: &SctpConfig,
        random: &mut Random,
        mut emit: impl FnMut(SocketAddr, u64),
    ) -> bool {
        if self.list.len() < 2 {
            return false;
        }
        let mut asked = false;
        for index in 0..self.list.len() {
            if self.list[index].beat > now {
                continue;
            }
            if self.list[index].state == State::Alive && !self.list[index].answered {
                self.list[index].fail(now, config);
                self.choose();
            }
            let destination = &mut self.list[index];
            if destination.state == State::Candidate {
                let Some(left) = self.credit.checked_sub(BEAT) else {
                    destination.beat = now + destination.wait;
                    continue;
                };
                self.credit = left;
            }
            if destination.secret == 0 {
                destination.secret = random.next_u64();
            }
            emit(destination.remote, destination.secret);
            destination.answered = false;
            destination.beat = now + destination.wait;
            let longest = match destination.state {
                State::Candidate => config.heartbeat * CANDIDATE_PAUSE,
                State::Alive | State::Failed => config.heartbeat,
            };
            destination.wait = match destination.state {
                State::Alive => longest,
                State::Candidate | State::Failed => (destination.wait * 2).min(longest),
            };
            asked |= destination.state == State::Alive || index == self.current;
        }
        asked
    }

    /// When [`Destinations::handle_timeout`] wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.list.len() > 1).then(|| self.list.iter().map(|d| d.beat).min()).flatten()
    }

    /// Takes the first address that lives. If none does, the next that ever did.
    fn choose(&mut self) {
        let alive = self.list.iter().position(|d| d.state == State::Alive);
        let count = self.list.len();
        let next = (1..=count)
            .map(|n| (self.current + n) % count)
            .find(|index| self.list[*index].state != State::Candidate);
        self.current = alive.or(next).unwrap_or(0);
    }
}

impl Destination {
    const fn new(remote: SocketAddr, state: State, beat: Instant, wait: Duration) -> Self {
        Self { remote, state, secret: 0, answered: true, beat, wait, doubt: Doubt::none() }
    }

    /// It is asked again at once, and then ever more rarely.
    fn fail(&mut self, now: Instant, config: &SctpConfig) {
        self.state = State::Failed;
        self.beat = now;
        self.wait = config.rto_initial.min(config.heartbeat);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: &str = "127.0.0.2:9899";

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    struct Rig {
        destinations: Destinations,
        config: SctpConfig,
        random: Random,
    }

    impl Rig {
        fn new() -> Self {
            let config = SctpConfig::fast(1);
            let mut destinations = Destinations::new("127.0.0.1:9899".parse().unwrap(), at(0), &config);
            destinations.propose(SECOND.parse().unwrap(), at(0), &config);
            Self { destinations, config, random: Random::new(1) }
        }

        /// The last octets of the addresses that are asked, and their secrets.
        fn beats(&mut self, now: u64) -> Vec<(u8, u64)> {
            let mut beats = Vec::new();
            self.destinations.heard(0, BEAT);
            self.destinations.handle_timeout(at(now), &self.config, &mut self.random, |remote, secret| {
                let IpAddr::V4(address) = remote.ip() else { panic!() };
                beats.push((address.octets()[3], secret));
            });
            beats
        }

        fn answer(&mut self, now: u64, secret: u64) -> Option<usize> {
            self.destinations.answered(secret, at(now), &self.config)
        }

        /// Data goes out and has to be sent again.
        fn lose(&mut self, now: u64) {
            self.destinations.carry();
            self.destinations.suspect(at(now), &self.config);
        }

        fn current(&self) -> String {
            self.destinations.current().ip().to_string()
        }
    }

    #[test]
    fn a_candidate_is_used_when_it_has_proved_itself() {
        let mut rig = Rig::new();
        rig.lose(0);
        assert_eq!(rig.current(), "127.0.0.1");
        let beats = rig.beats(0);
        assert_eq!(beats.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [2]);
        assert_eq!(rig.answer(1, beats[0].1 ^ 1), None);
        assert_eq!(rig.answer(1, 0), None);
        assert_eq!(rig.destinations.verified().count(), 1);
        assert_eq!(rig.answer(1, beats[0].1), Some(1));
        assert_eq!((rig.answer(1, beats[0].1), rig.destinations.verified().count()), (None, 2));
        assert_eq!(rig.current(), "127.0.0.1");
    }

    #[test]
    fn the_primary_is_left_and_taken_again() {
        let mut rig = Rig::new();
        let second = rig.beats(0)[0].1;
        rig.answer(1, second);
        rig.lose(50);
        assert_eq!(rig.current(), "127.0.0.2");
        let first = rig.beats(50);
        assert_eq!(first[0].0, 1);
        // If the second fails as well, both are tried in turn.
        rig.lose(60);
        assert_eq!(rig.current(), "127.0.0.1");
        rig.lose(70);
        assert_eq!(rig.current(), "127.0.0.2");
        rig.answer(80, second);
        assert_eq!(rig.current(), "127.0.0.2");
        rig.answer(90, first[0].1);
        assert_eq!(rig.current(), "127.0.0.1");
    }

    #[test]
    fn a_heartbeat_that_is_not_answered_by_the_next_one_fails_its_address() {
        let mut rig = Rig::new();
        let second = rig.beats(0)[0].1;
        rig.answer(1, second);
        assert_eq!(rig.beats(201).iter().map(|(to, _)| *to).collect::<Vec<_>>(), [1, 2]);
        rig.answer(202, second);
        assert_eq!(rig.current(), "127.0.0.1");
        rig.beats(401);
        assert_eq!(rig.current(), "127.0.0.2");
    }

    /// Data was lost on the first. Before its time is over, a HEARTBEAT finds the first dead.
    #[test]
    fn an_address_is_not_blamed_for_what_the_one_before_it_lost() {
        let mut rig = Rig::new();
        let second = rig.beats(0)[0].1;
        rig.answer(1, second);
        rig.beats(201);
        rig.answer(202, second);
        rig.destinations.carry();
        rig.beats(401);
        assert_eq!(rig.current(), "127.0.0.2");
        rig.destinations.suspect(at(420), &rig.config);
        assert_eq!(rig.current(), "127.0.0.2");
        rig.lose(480);
        assert_eq!(rig.current(), "127.0.0.1");
    }

    /// Seven addresses of others are listed: they get what the peer has sent itself, and no more.
    #[test]
    fn candidates_get_no_more_than_the_peer_has_sent() {
        let config = SctpConfig::fast(1);
        let mut destinations = Destinations::new("127.0.0.1:9899".parse().unwrap(), at(0), &config);
        for host in 2..9 {
            destinations.propose(SocketAddr::from(([127, 0, 0, host], 9899)), at(0), &config);
        }
        let mut random = Random::new(1);
        let mut sent = 0;
        let mut beats = |destinations: &mut Destinations, now: std::ops::Range<u64>| {
            for now in now {
                destinations.handle_timeout(at(now), &config, &mut random, |remote, _| {
                    sent += usize::from(remote.ip() != IpAddr::from([127, 0, 0, 1]));
                });
            }
            sent
        };
        assert_eq!(beats(&mut destinations, 0..10_000), 2);
        destinations.heard(0, 3 * BEAT + 27);
        assert_eq!(beats(&mut destinations, 10_000..40_000), 5);
        (0..1000).for_each(|_| destinations.heard(0, 1200));
        assert!(beats(&mut destinations, 40_000..400_000) <= 5 + MAX_DESTINATIONS);
    }

    #[test]
    fn a_candidate_that_never_answers_is_asked_ever_more_rarely() {
        let mut rig = Rig::new();
        let asked = (0..600_000).filter(|now| rig.beats(*now).iter().any(|(to, _)| *to == 2)).count();
        assert!((50..70).contains(&asked), "{asked}");
    }
}
