//! The settings of the SCTP stack.

use std::net::IpAddr;
use std::time::Duration;

use rserpool_core::endpoint::{self, ConfigError};

use super::allowance::Limits;
use super::chunk::fragment_of;
use super::path_mtu;

/// How the stack behaves; see [`SctpConfig::rfc`] and [`SctpConfig::fast`], and for pool users
/// [`SctpConfig::rfc_user`] and [`SctpConfig::fast_user`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SctpConfig {
    /// Where tags, TSNs, ports and the cookie key are drawn from. Must be unpredictable outside
    /// of tests, since it keeps strangers from forging packets.
    pub seed: u64,
    /// The most associations at a time, attempts included. The default, 20,000, is what a
    /// registrar with 10,000 elements and as many users needs. The last twentieth is for those that we open
    /// ourselves. When peers have taken the others, who says nothing after the handshake makes room for the next,
    /// and then the address, or IPv6 network of 64 bits, that has most.
    pub max_associations: usize,
    /// Whether to tell every peer our addresses in INIT and INIT ACK, so that it can reach us at
    /// another one when the first fails. Off by default: RFC 6951 section 5.7 forbids it where a NAT
    /// may be in between. What a peer tells of itself is used either way, once it is verified.
    pub tell_addresses: bool,
    /// Our own addresses, for this. At most 8 count. Empty by default; the
    /// driver, which binds the socket, fills them in.
    pub addresses: Vec<IpAddr>,
    /// The MTU of paths in octets, headers included, 576 to 9,000: packets are at most so large. The default, 1,248,
    /// suits every path that carries IPv6 with a tunnel or two. A path that carries less is noticed (RFC 8899): each
    /// association begins with packets for an MTU of 576 octets, and asks for larger ones when it has more to send.
    pub path_mtu: u16,
    /// Streams in each direction, 1 to 65,535. ASAP and ENRP use stream 0 only.
    pub streams: u16,
    /// The longest message, in octets, sent or received. An association over which a longer one
    /// is to travel is aborted.
    pub max_message_size: usize,
    /// The receive window in octets: what an association holds of incomplete messages, and of messages whose
    /// turn has not come. At least one message of the longest kind has to fit.
    pub receive_buffer: u32,
    /// Octets of received data that all associations together hold. The association that holds most, of the
    /// address that holds most, is aborted if it would be more. The default, 64 MiB, lets 32 peers at a time
    /// send messages of the longest kind.
    pub receive_memory: usize,
    /// The same for messages that wait to be sent or acknowledged. The default, 96 MiB, lets 1,500 users be
    /// slow in taking the longest answers.
    pub send_memory: usize,
    /// Octets of application data queued in one association at which it is congested. Every
    /// message counts 64 octets more than it has, so that many small ones are bounded too.
    pub send_queue: usize,
    /// Octets of ASAP and ENRP messages queued in one association at which it is aborted,
    /// counted alike. More than `send_queue`, because nothing holds those back that send them unasked. Answers
    /// do not come near it: while 64 KiB wait for a peer that came to us, its next message is not taken.
    pub control_queue: usize,
    /// After how much time without a packet from the peer it is sent a HEARTBEAT (RFC 9260
    /// section 8.3, HB.interval). A peer with several addresses gets one at each in every interval.
    pub heartbeat: Duration,
    /// For how long a peer may leave data or a HEARTBEAT unanswered before the association is
    /// given up. Stands for the counters of RFC 9260 section 8.1.
    pub max_silence: Duration,
    /// If set, that time follows the measured round trip: it is four times what RFC 9260 section 6.3.1 makes of it (the
    /// smoothed round trip and four times its variation), but at least this, and at most `max_silence`. HEARTBEATs are
    /// then sent at the beginning and every second, too, to measure it.
    pub min_silence: Option<Duration>,
    /// RTO.Initial (RFC 9260 section 6.3.1); also the first wait in a handshake.
    pub rto_initial: Duration,
    /// RTO.Min.
    pub rto_min: Duration,
    /// RTO.Max.
    pub rto_max: Duration,
    /// How long a single packet with data may wait for its SACK, in case there is something to send with
    /// it or a second packet comes (RFC 9260 section 6.2); at most 500 ms. Should be well below the
    /// RTO.Min of peers.
    pub sack_delay: Duration,
    /// How long a peer may take to return our cookie (Valid.Cookie.Life).
    pub cookie_life: Duration,
    /// The time between the first packets to two addresses of one peer.
    pub stagger: Duration,
    /// How long a peer that shuts an association down waits for what we still have to deliver
    /// (T5-shutdown-guard, RFC 9260 section 9.2).
    pub shutdown_guard: Duration,
    /// How many packets that belong to no association are answered per second, and how many at
    /// once. High enough to tell all elements of a registrar that it has restarted. One address, or one IPv6
    /// network of 64 bits, gets at most a quarter of them, one UDP port there a twentieth.
    pub stray_replies: u32,
}

impl SctpConfig {
    /// The timers of RFC 9260 section 16, for paths of any length.
    pub fn rfc(seed: u64) -> Self {
        Self {
            seed,
            max_associations: 20_000,
            tell_addresses: false,
            addresses: Vec::new(),
            path_mtu: 1_248,
            streams: 256,
            max_message_size: endpoint::MAX_MESSAGE,
            receive_buffer: 2 << 20,
            receive_memory: 64 << 20,
            send_memory: 96 << 20,
            send_queue: 1 << 20,
            control_queue: 4 << 20,
            heartbeat: Duration::from_secs(30),
            // Eleven time-outs in a row: 1 + 2 + 4 + 8 + 16 + 32 + 5 x 60 s (Association.Max.Retrans = 10).
            max_silence: Duration::from_secs(363),
            min_silence: None,
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_secs(1),
            rto_max: Duration::from_secs(60),
            sack_delay: Duration::from_millis(100),
            cookie_life: Duration::from_secs(60),
            stagger: Duration::from_millis(250),
            // Five times RTO.Max.
            shutdown_guard: Duration::from_secs(300),
            stray_replies: 2_000,
        }
    }

    /// Timers for one site: a peer that falls silent is noticed half a second after data was
    /// sent to it, 0.7 s after its last packet when there is nothing to send.
    pub fn fast(seed: u64) -> Self {
        Self {
            heartbeat: Duration::from_millis(200),
            max_silence: Duration::from_millis(500),
            rto_initial: Duration::from_millis(100),
            rto_min: Duration::from_millis(50),
            rto_max: Duration::from_millis(250),
            sack_delay: Duration::from_millis(12),
            cookie_life: Duration::from_secs(10),
            stagger: Duration::from_millis(50),
            shutdown_guard: Duration::from_secs(2),
            ..Self::rfc(seed)
        }
    }

    /// [`SctpConfig::rfc`] for a pool user. A session moves only when its association breaks, so a dead element
    /// has to be noticed here, and within a time that fits a failover: 10 s after data was sent to it, 15 s
    /// after its last packet when there is nothing to send. RFC 9260 leaves both values to the application
    /// (sections 8.1 and 8.3); 10 s have room for four transmissions with RTO.Initial and RTO.Min.
    pub fn rfc_user(seed: u64) -> Self {
        Self { heartbeat: Duration::from_secs(5), max_silence: Duration::from_secs(10), ..Self::rfc(seed) }
    }

    /// [`SctpConfig::fast`] for a pool user: a dead element is noticed 200 ms after data was sent to it, 400 ms
    /// after its last packet when there is nothing to send.
    pub fn fast_user(seed: u64) -> Self {
        Self { max_silence: Duration::from_millis(200), ..Self::fast(seed) }
    }

    /// Timers for one rack, where a packet takes well below a millisecond: a peer that falls silent is noticed 100 ms
    /// after data was sent to it if it has answered at once so far, and within 500 ms otherwise.
    pub fn rack(seed: u64) -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            min_silence: Some(Duration::from_millis(100)),
            rto_initial: Duration::from_millis(50),
            rto_min: Duration::from_millis(10),
            rto_max: Duration::from_millis(100),
            // Well below RTO.Min.
            sack_delay: Duration::from_millis(2),
            stagger: Duration::from_millis(10),
            ..Self::fast(seed)
        }
    }

    /// [`SctpConfig::rack`] for a pool user: a dead element is noticed 30 ms after data was sent to it, 80 ms after its
    /// last packet when there is nothing to send, if it has answered at once so far; within 200 ms otherwise.
    pub fn rack_user(seed: u64) -> Self {
        Self {
            heartbeat: Duration::from_millis(50),
            min_silence: Some(Duration::from_millis(30)),
            max_silence: Duration::from_millis(200),
            ..Self::rack(seed)
        }
    }

    /// The largest packet, in octets of UDP payload, and the largest user data of one DATA chunk in it.
    pub(super) fn max_packet(&self) -> usize {
        path_mtu::packet_of(self.path_mtu.max(path_mtu::SMALLEST_MTU))
    }

    pub(super) fn max_fragment(&self) -> usize {
        fragment_of(self.max_packet())
    }

    /// The shares of [`SctpConfig::stray_replies`].
    pub(super) fn stray_limits(&self) -> Limits {
        let all = self.stray_replies;
        Limits { all, source: all.div_ceil(4), socket: all.div_ceil(20) }
    }

    /// The most associations that peers may have opened. The rest is for those that we open ourselves: to
    /// configured peers, and to elements that are probed.
    pub(super) fn max_accepted(&self) -> usize {
        self.max_associations - self.max_associations / 20
    }

    /// The addresses that peers are told.
    pub(super) fn told(&self) -> &[IpAddr] {
        if self.tell_addresses { &self.addresses } else { &[] }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// The first key whose value cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let lasting = |duration: Duration| duration >= Duration::from_millis(1);
        ConfigError::require(self.max_associations > 0, "sctp.max_associations", "must be at least 1")?;
        ConfigError::require(
            (path_mtu::SMALLEST_MTU..=9_000).contains(&self.path_mtu),
            "sctp.path_mtu",
            "must be from 576 to 9,000 octets",
        )?;
        ConfigError::require(self.streams > 0, "sctp.streams", "must be at least 1")?;
        ConfigError::require(
            (endpoint::MAX_MESSAGE..=MAX_MESSAGE).contains(&self.max_message_size),
            "sctp.max_message_size",
            "must be from 1,048,576 to 16,777,216 octets",
        )?;
        ConfigError::require(
            self.receive_buffer as usize >= self.max_message_size.saturating_add(65_536),
            "sctp.receive_buffer",
            "must exceed sctp.max_message_size by 65,536 octets",
        )?;
        ConfigError::require(self.send_queue > 0, "sctp.send_queue", "must be at least 1")?;
        ConfigError::require(
            self.control_queue >= 65_536,
            "sctp.control_queue",
            "must be at least 65,536 octets",
        )?;
        ConfigError::require(
            self.receive_memory >= self.receive_buffer as usize,
            "sctp.receive_memory",
            "must not be less than sctp.receive_buffer",
        )?;
        ConfigError::require(
            self.send_memory >= self.control_queue.max(self.send_queue),
            "sctp.send_memory",
            "must not be less than sctp.control_queue or sctp.send_queue",
        )?;
        ConfigError::require(lasting(self.heartbeat), "sctp.heartbeat", "must be at least 1 ms")?;
        ConfigError::require(lasting(self.max_silence), "sctp.max_silence", "must be at least 1 ms")?;
        let least = self.min_silence.unwrap_or(self.max_silence);
        ConfigError::require(lasting(least), "sctp.min_silence", "must be at least 1 ms")?;
        ConfigError::require(lasting(self.rto_min), "sctp.rto_min", "must be at least 1 ms")?;
        ConfigError::require(
            self.rto_initial >= self.rto_min,
            "sctp.rto_initial",
            "must not be less than sctp.rto_min",
        )?;
        ConfigError::require(
            self.rto_max >= self.rto_initial,
            "sctp.rto_max",
            "must not be less than sctp.rto_initial",
        )?;
        ConfigError::require(
            self.sack_delay <= Duration::from_millis(500),
            "sctp.sack_delay",
            "must not exceed 500 ms",
        )?;
        // Twice the longest round trip that a handshake may take.
        ConfigError::require(
            self.cookie_life >= Duration::from_secs(1),
            "sctp.cookie_life",
            "must be at least 1 s",
        )
    }
}

/// The largest [`SctpConfig::max_message_size`].
const MAX_MESSAGE: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_a_bad_field_is_named() {
        assert_eq!(SctpConfig::rfc(1).check(), Ok(()));
        assert_eq!(SctpConfig::fast(1).check(), Ok(()));
        assert_eq!(SctpConfig::rfc_user(1).check(), Ok(()));
        assert_eq!(SctpConfig::fast_user(1).check(), Ok(()));
        let bad = SctpConfig { rto_max: Duration::from_millis(1), ..SctpConfig::fast(1) };
        assert_eq!(
            bad.check().unwrap_err().to_string(),
            "sctp.rto_max: must not be less than sctp.rto_initial"
        );
        let bad = SctpConfig { receive_buffer: 1 << 20, ..SctpConfig::fast(1) };
        assert_eq!(bad.check().unwrap_err().key, "sctp.receive_buffer");
    }
}
