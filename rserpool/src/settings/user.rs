//! The settings of a pool user.

use rserpool_core::user::UserConfig;

use super::{
    Attempts, CardsName, Group, Host, HuntSettings, LogSettings, PaddingForm, PresetName, SctpSettings,
    Switch, Time, UdpAddress, settings,
};

/// Rounds of the hunt before a user at a terminal is told that there is no registrar.
pub(crate) const DEFAULT_ATTEMPTS: Attempts = Attempts(3);

settings! {
    /// A pool user.
    UserSettings for UserConfig {
        /// Which timers and limits to start from [default: rfc]
        preset / "preset": PresetName;
        /// IP address and UDP port of SCTP encapsulation [default: all addresses of IPv4 and IPv6, a free port]
        bind / "bind": UdpAddress;
        /// How long after each datagram to poll for the next one instead of sleeping: shorter round trips for
        /// the processor time of a core; 100us suits one host or link, 10ms is the most [default: 0s]
        busy_poll / "busy-poll": Time;
        /// A registrar's address or name and its UDP port [default port: 9899], or tcp:HOST:PORT to ask
        /// it over TCP [default port: 3863], repeatable [default: one that announces itself]
        #[arg(value_delimiter = ',')]
        registrar / "registrar": Vec<Host>;
        /// T1: how long a registrar may take to answer a request
        request_timeout / "request-timeout": Time => request_timeout;
        /// MAX-REQUEST-RETRANSMIT: how often a request is repeated
        max_request_retransmits / "max-request-retransmits": u32 => max_request_retransmits;
        /// How long a resolution may be used again
        cache_life / "cache-life": Time => cache_life;
        /// Maximum number of pools in the cache
        max_cached_pools / "max-cached-pools": usize => max_cached_pools;
        /// How long a request to a pool may take in all before it is given up
        answer_deadline / "answer-deadline": Time => answer_deadline;
        /// How often a request to a pool is sent at most, each time because its element has failed
        max_deliveries / "max-deliveries": u32 => max_deliveries;
        /// How long an element may take to accept a connection
        connect_timeout / "connect-timeout": Time => connect_timeout;
        /// How long to wait for an answer before the next element is tried as well
        connect_stagger / "connect-stagger": Time => connect_stagger;
        /// How long a failed element is avoided
        exclusion / "exclusion": Time => exclusion;
        /// How long a session may take to open, and how long a resolution looks for a registrar
        open_timeout / "open-timeout": Time => open_timeout;
        /// How long a session looks for an element that answers before it is given up
        failover_deadline / "failover-deadline": Time => failover_deadline;
        /// The pause before elements are tried again, if none answers; doubles each time, up to 8 times
        retry_interval / "retry-interval": Time => retry_interval;
        /// How many elements a session keeps connected for the next failover: 0 or 1
        standby / "standby": usize => standby;
        /// Maximum number of sessions at the same time
        max_sessions / "max-sessions": usize => max_sessions;
        /// Octets of unanswered requests that a session keeps
        max_unanswered_octets / "max-unanswered-octets": usize => max_unanswered_octets;
        /// Octets of the cookie that a session keeps: of a longer one, nothing
        max_cookie_octets / "max-cookie-octets": usize => max_cookie_octets;
        /// Which elements of a business card a failover tries
        cards / "cards": CardsName => cards;
        /// Whether to listen to the announcements of registrars [default: only if none is named]
        #[arg(num_args = 0..=1, default_missing_value = "yes")]
        announce / "announce": Switch;
        /// Multicast group and UDP port of announcements [default: standard, which is IANA's
        /// 224.0.1.185:3863 and ff05::133, as far as the bound address reaches; rsplib is 239.0.0.50:3863]
        announce_group / "announce-group": Group;
        /// Whether the padding of the last parameter counts in the length of a message
        padding / "padding": PaddingForm => padding;
    }
    groups {
        #[command(next_help_heading = "Hunt for a registrar")]
        hunt: HuntSettings;
        #[command(next_help_heading = "SCTP")]
        sctp: SctpSettings;
        #[command(next_help_heading = "Logging")]
        log: LogSettings;
    }
}
