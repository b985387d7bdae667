//! How large the packets to a peer may be (RFC 8899, for SCTP over UDP: section 6.2.2).
//!
//! There are two sizes: the one that every path carries, and the one that the configuration wants. An association
//! begins with the small one. When it has more to send than fits such a packet, it asks with a HEARTBEAT that is padded to
//! the large size, and the answer opens it. If large packets get lost again and again later on, the small size is
//! back. What was cut for the large size stays as it is (RFC 9260 section 6.9).
//!
//! Nothing here is needed from ICMP, which many networks do not carry. If a router says how much it carries, that is the
//! large size from then on (RFC 8899 section 4.6.2), for ten minutes or until another path is used.

use std::net::IpAddr;
use std::time::Duration;

use rserpool_core::base::{Instant, Random};

use super::config::SctpConfig;

/// Octets of headers around a packet: IPv6 has 40, UDP 8. IPv4 has fewer.
const HEADERS: u16 = 48;

/// The smallest MTU that is reckoned with. Every host of IPv4 has to take packets of this size (RFC 791), and the links of
/// IPv6 carry 1,280.
pub(super) const SMALLEST_MTU: u16 = 576;

/// The largest packet that every path carries, in octets of UDP payload.
pub(super) const SMALL_PACKET: usize = packet_of(SMALLEST_MTU);

/// How often data is sent again without progress until large packets are held to be the reason. RFC 8899 section 4.3 leaves
/// that to us; a single packet gets lost for other reasons.
const LOSSES: u32 = 2;

/// After how many of them the peer is given up, although small packets reach it: what was cut for the large size cannot
/// get through.
const HOPELESS: u32 = 5;

/// The longest time between two questions for the large size (RFC 8899 section 5.1.1, PMTU_RAISE_TIMER).
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The largest packet for an MTU, in octets of UDP payload.
pub(super) const fn packet_of(mtu: u16) -> usize {
    (mtu - HEADERS) as usize / 4 * 4
}

#[derive(Debug)]
pub(super) struct PathMtu {
    state: State,
    /// The large size that the configuration wants, and the one that is tried.
    wanted: usize,
    large: usize,
    /// When a router has said that it carries less than is wanted.
    lowered: Option<Instant>,
    /// Whether anything was sent in large packets.
    used: bool,
    /// Before this moment the path is not asked again, and how long the pause after the next question is.
    not_before: Instant,
    pause: Duration,
    /// The address of the peer to which packets go.
    towards: IpAddr,
    /// How often data was sent again since the peer has acknowledged something new, and when first.
    losses: u32,
    losing_since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Small,
    /// A HEARTBEAT with this secret asks for the large size.
    Asked(u64),
    Large,
}

impl PathMtu {
    pub(super) fn new(towards: IpAddr, now: Instant, config: &SctpConfig) -> Self {
        let large = config.max_packet();
        let state = if large > SMALL_PACKET { State::Small } else { State::Large };
        Self {
            state,
            wanted: large,
            large,
            lowered: None,
            used: false,
            not_before: now,
            pause: config.rto_initial,
            towards,
            losses: 0,
            losing_since: now,
        }
    }

    /// The largest packet, in octets.
    pub(super) fn packet(&self) -> usize {
        if self.state == State::Large { self.large } else { self.large.min(SMALL_PACKET) }
    }

    /// So many octets of chunks go out: whether the path is to be asked for the large size, with which secret, and
    /// how many octets that question has.
    pub(super) fn ask(&mut self, octets: usize, now: Instant, random: &mut Random) -> Option<(u64, usize)> {
        if octets <= SMALL_PACKET {
            return None;
        }
        if self.lowered.is_some_and(|at| now.since(at) >= LONGEST_PAUSE) {
            self.begin(now);
        }
        if self.state == State::Large {
            self.used = self.large > SMALL_PACKET;
            return None;
        }
        if now < self.not_before {
            return None;
        }
        let secret = random.next_u64().max(1);
        self.state = State::Asked(secret);
        self.not_before = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Some((secret, self.large))
    }

    /// A HEARTBEAT with this secret was answered.
    pub(super) fn answered(&mut self, secret: u64, config: &SctpConfig) {
        if self.state == State::Asked(secret) {
            self.state = State::Large;
            self.pause = config.rto_initial;
        }
    }

    /// The peer has acknowledged something new, or has no room for it.
    pub(super) const fn progress(&mut self) {
        self.losses = 0;
    }

    /// Data had to be sent again, because no SACK came in time.
    pub(super) fn lost(&mut self, now: Instant) {
        if self.losses == 0 {
            self.losing_since = now;
        }
        self.losses = self.losses.saturating_add(1);
        if self.used && self.losses >= LOSSES && self.state == State::Large {
            self.state = State::Small;
            self.not_before = now + self.pause;
        }
    }

    /// Packets go to this address of the peer now. Another path may carry less.
    pub(super) fn turn_to(&mut self, address: IpAddr, now: Instant) {
        if std::mem::replace(&mut self.towards, address) != address {
            self.begin(now);
        }
    }

    /// Nothing is known of the path: it is asked for what the configuration wants.
    const fn begin(&mut self, now: Instant) {
        self.lowered = None;
        self.large = self.wanted;
        if self.large > SMALL_PACKET {
            self.state = State::Small;
            self.not_before = now;
        }
    }

    /// A router says that it could not carry a packet of ours to this address, and how many octets it carries. If that
    /// is less than every path does, or more than we send, it cannot be true. Otherwise the path is asked for that size.
    pub(super) fn too_big(&mut self, towards: IpAddr, mtu: u32, now: Instant) {
        let Ok(mtu) = u16::try_from(mtu) else { return };
        if towards != self.towards || mtu < SMALLEST_MTU || packet_of(mtu) >= self.large {
            return;
        }
        self.large = packet_of(mtu);
        self.lowered = Some(now);
        self.not_before = now;
        self.state = if self.large > SMALL_PACKET { State::Small } else { State::Large };
    }

    /// Whether data that was cut for the large size does not get through, for longer than a peer may be silent.
    pub(super) fn is_hopeless(&self, now: Instant, config: &SctpConfig) -> bool {
        self.used && self.losses >= HOPELESS && now.since(self.losing_since) >= config.max_silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ORIGIN;

    fn at(millis: u64) -> Instant {
        NOW + Duration::from_millis(millis)
    }

    struct Rig {
        mtu: PathMtu,
        config: SctpConfig,
        random: Random,
    }

    impl Rig {
        fn new(path_mtu: u16) -> Self {
            let config = SctpConfig { path_mtu, ..SctpConfig::fast(1) };
            Self { mtu: PathMtu::new([192, 0, 2, 1].into(), NOW, &config), config, random: Random::new(1) }
        }

        fn ask(&mut self, octets: usize, millis: u64) -> Option<u64> {
            let asked = self.mtu.ask(octets, at(millis), &mut self.random);
            asked.map(|(secret, packet)| {
                assert_eq!(packet, self.config.max_packet());
                secret
            })
        }
    }

    #[test]
    fn the_path_is_asked_when_there_is_more_to_send_and_ever_more_rarely() {
        let mut rig = Rig::new(1_248);
        assert_eq!((rig.mtu.packet(), rig.ask(528, 0)), (528, None));
        let first = rig.ask(529, 0).unwrap();
        assert_eq!([rig.ask(9_000, 99), rig.ask(528, 100)], [None; 2]);
        // The answer to an earlier question comes too late to tell anything.
        let second = rig.ask(9_000, 100).unwrap();
        rig.mtu.answered(first, &rig.config);
        assert_eq!((rig.mtu.packet(), rig.ask(9_000, 299)), (528, None));
        rig.mtu.answered(second, &rig.config);
        assert_eq!((rig.mtu.packet(), rig.ask(9_000, 9_999)), (1_200, None));
    }

    #[test]
    fn losses_without_progress_bring_the_small_size_back() {
        let mut rig = Rig::new(1_248);
        let secret = rig.ask(9_000, 0).unwrap();
        rig.mtu.answered(secret, &rig.config);
        // Nothing large was sent yet: it is not to blame.
        (0..3).for_each(|_| rig.mtu.lost(at(1)));
        assert_eq!(rig.mtu.packet(), 1_200);
        rig.mtu.progress();
        assert_eq!(rig.ask(9_000, 10), None);
        rig.mtu.lost(at(10));
        rig.mtu.progress();
        rig.mtu.lost(at(1_000));
        assert_eq!(rig.mtu.packet(), 1_200);
        rig.mtu.lost(at(1_050));
        assert_eq!((rig.mtu.packet(), rig.ask(9_000, 1_149)), (528, None));
        assert!(rig.ask(9_000, 1_150).is_some());
        (0..3).for_each(|_| rig.mtu.lost(at(1_200)));
        assert_eq!([1_499, 1_500].map(|now| rig.mtu.is_hopeless(at(now), &rig.config)), [false, true]);
        rig.mtu.progress();
        assert!(!rig.mtu.is_hopeless(at(1_500), &rig.config));
    }

    #[test]
    fn another_address_is_asked_anew() {
        let mut rig = Rig::new(1_248);
        let secret = rig.ask(9_000, 0).unwrap();
        rig.mtu.answered(secret, &rig.config);
        rig.mtu.turn_to([192, 0, 2, 1].into(), at(1));
        assert_eq!(rig.mtu.packet(), 1_200);
        rig.mtu.turn_to([192, 0, 2, 2].into(), at(1));
        assert_eq!(rig.mtu.packet(), 528);
        assert!(rig.ask(9_000, 1).is_some());
    }

    #[test]
    fn a_small_mtu_is_never_exceeded_nor_asked_for() {
        let mut rig = Rig::new(576);
        assert_eq!((rig.mtu.packet(), rig.ask(9_000, 0)), (528, None));
        (0..9).for_each(|_| rig.mtu.lost(at(1)));
        assert!(!rig.mtu.is_hopeless(at(9_999), &rig.config));
    }
}
