//! The settings of a registrar.

use std::net::IpAddr;

use rserpool_core::registrar::RegistrarConfig;

#[cfg(feature = "http")]
use super::HttpListen;
use super::{
    CountingName, Group, Host, Id, LifeUnitName, LogSettings, PaddingForm, PresetName, SctpSettings, Switch,
    TcpSettings, Time, UdpAddress, WinnerName, settings,
};

/// The help heading of the options about other registrars.
const ENRP: &str = "Other registrars (ENRP)";

settings! {
    /// A registrar.
    RegistrarSettings for RegistrarConfig {
        /// Which timers and limits to start from [default: rfc]
        preset / "preset": PresetName;
        /// IP address and UDP port of SCTP encapsulation [default: all addresses of IPv4 and IPv6, port 9899]
        bind / "bind": UdpAddress;
        /// IP address and TCP port at which metrics (/metrics) and health (/livez, /readyz) can be asked for by HTTP,
        /// by anybody who reaches it [default: none; default port: 9863]
        #[cfg(feature = "http")]
        http / "http": HttpListen;
        /// How long after each datagram to poll for the next one instead of sleeping: shorter round trips for
        /// the processor time of a core; 100us suits one host or link, 10ms is the most [default: 0s]
        busy_poll / "busy-poll": Time;
        /// ENRP server identifier [default: drawn at random]
        id / "id": Id => id;
        /// Own address, as told to others, repeatable [default: the one bound; if that is all addresses,
        /// those that lead to the peers, else that of the default route, else those of this machine]
        #[arg(value_delimiter = ',')]
        addresses / "address": Vec<IpAddr> => addresses;
        /// SCTP port of ASAP
        asap_port / "asap-port": u16 => asap_port;
        /// SCTP port of ENRP
        enrp_port / "enrp-port": u16 => enrp_port;
        /// Time between two keep-alives to an element, varied by half
        keep_alive_interval / "keep-alive-interval": Time => keep_alive_interval;
        /// How long an element may take to answer a keep-alive
        keep_alive_timeout / "keep-alive-timeout": Time => keep_alive_timeout;
        /// Shortest time between two keep-alives to an element that others cause, by reports for example; 0s: none
        prompt_interval / "prompt-interval": Time => prompt_interval;
        /// MAX-BAD-PE-REPORT: an element that was reported as unreachable more often than this is removed at
        /// the first attempt to reach it that fails, instead of the second
        max_bad_pe_reports / "max-bad-pe-reports": u32 => max_bad_pe_reports;
        /// Whether keep-alives name their element, as RSPLIB's do
        name_element_in_keep_alive / "name-element-in-keep-alive": Switch => name_element_in_keep_alive;
        /// Elements in an answer to a user that does not say how many it wants
        resolution_items / "resolution-items": u32 => resolution_items;
        /// Elements in an answer to a user that wants as many as possible
        max_resolution_items / "max-resolution-items": u32 => max_resolution_items;
        /// Which elements of an answer count as selected for load degradation [default: listed, RFC 5356
        /// section 5.2.2; RSPLIB's is first]
        counting / "counting": CountingName => policies.counting;
        /// Shortest time between two updates to a subscriber about one pool
        subscription_interval / "subscription-interval": Time => subscription_interval;
        /// Maximum number of subscriptions to pools; 0: none are granted
        max_subscriptions / "max-subscriptions": usize => max_subscriptions;
        /// Octets in one page of a handle table
        handle_table_octets / "handle-table-octets": usize => handle_table_octets;
        /// Whether to announce the registrar to elements and users by multicast (RFC 5352 section 3.6)
        /// [default: yes]
        #[arg(num_args = 0..=1, default_missing_value = "yes")]
        announce / "announce": Switch;
        /// Multicast group and UDP port of announcements [default: standard, which is IANA's
        /// 224.0.1.185:3863 and ff05::133, as far as the bound address reaches; rsplib is 239.0.0.50:3863]
        announce_group / "announce-group": Group;
        /// TTL or hop limit of announcements, 0 to 255; 1 keeps them on the local link [default: 1]
        announce_ttl / "announce-ttl": u8;
        /// T6: time between two announcements if no other registrar announces itself
        announce_interval / "announce-interval": Time => announce_interval;
        /// Whether to answer `rserpool stats`
        management / "management": Switch => management;
        /// Maximum number of pools
        max_pools / "max-pools": usize => limits.pools;
        /// Maximum number of elements of one pool
        max_elements_per_pool / "max-elements-per-pool": usize => limits.elements_per_pool;
        /// Maximum number of elements in all
        max_elements / "max-elements": usize => limits.elements;
        /// Longest pool handle in octets, at most 1024; take 32 beside registrars of RSPLIB, which crash on longer ones
        max_handle_octets / "max-handle-octets": usize => max_handle_octets;
        /// Another registrar's address or name and its UDP port [default port: 9899], repeatable. Without
        /// any, the registrar serves at once (RFC 5353 section 3.2.2.1)
        #[arg(value_delimiter = ',', help_heading = ENRP)]
        peer / "peer": Vec<Host>;
        /// Whether to find other registrars by multicast, too: an extension of RFC 5353 [default: no]
        #[arg(num_args = 0..=1, default_missing_value = "yes", help_heading = ENRP)]
        enrp_announce / "enrp-announce": Switch;
        /// Multicast group and UDP port for that; IANA has assigned none [default: standard, which is
        /// 239.255.38.173:9901 and ff15::26ad, as far as the bound address reaches; rsplib is 239.0.0.51:9901]
        #[arg(help_heading = ENRP)]
        enrp_announce_group / "enrp-announce-group": Group;
        /// How long to look for a mentor before serving alone [default: 5s as RSPLIB; fast 500ms]
        #[arg(help_heading = ENRP)]
        mentor_timeout / "mentor-timeout": Time => enrp.mentor_timeout;
        /// How long a start may take in all if a mentor has been found; audits bring what is missing then [default:
        /// 60s; fast 10s]
        #[arg(help_heading = ENRP)]
        join_timeout / "join-timeout": Time => enrp.join_timeout;
        /// How long to wait before a mentor that refused is asked again [default: 2s, "a few seconds" in
        /// RFC 5353 section 3.2.2.2; fast 100ms]
        #[arg(help_heading = ENRP)]
        mentor_retry / "mentor-retry": Time => enrp.mentor_retry;
        /// PEER-HEARTBEAT-CYCLE: time between two heartbeats to each peer [default: 30s by RFC 5353
        /// section 4.2; fast 200ms]
        #[arg(help_heading = ENRP)]
        peer_heartbeat_cycle / "peer-heartbeat-cycle": Time => enrp.heartbeat_cycle;
        /// MAX-TIME-LAST-HEARD: after this silence a peer is asked for a sign of life [default: 61s by
        /// RFC 5353 section 4.2; fast 450ms]
        #[arg(help_heading = ENRP)]
        max_time_last_heard / "max-time-last-heard": Time => enrp.max_time_last_heard;
        /// MAX-TIME-NO-RESPONSE: how long a peer may take to answer before its elements are taken over
        /// [default: 5s by RFC 5353 section 4.2; fast 200ms]
        #[arg(help_heading = ENRP)]
        max_time_no_response / "max-time-no-response": Time => enrp.max_time_no_response;
        /// Which of two registrars that take over the same peer goes on; must be the same at all registrars
        /// [default: larger-id, RFC 5353 section 3.5.1]
        #[arg(help_heading = ENRP)]
        takeover_winner / "takeover-winner": WinnerName => enrp.takeover_winner;
        /// Whether to tell peers nothing of re-registrations that change nothing; RFC 5353 section 3.3.1
        /// wants an update for each [default: no]
        #[arg(num_args = 0..=1, default_missing_value = "yes", help_heading = ENRP)]
        suppress_unchanged / "suppress-unchanged": Switch => enrp.suppress_unchanged;
        /// Whether to offer elements to peers that have clearly fewer (draft enrp-takeover)
        /// [default: yes]
        #[arg(num_args = 0..=1, default_missing_value = "yes", help_heading = ENRP)]
        balance / "balance": Switch => enrp.balance;
        /// Whether elements may register only addresses of their association (RFC 5352 section 2.2.1)
        /// [default: no]
        #[arg(num_args = 0..=1, default_missing_value = "yes")]
        check_addresses / "check-addresses": Switch => check_addresses;
        /// The unit in which elements and peers send registration lives: milliseconds if one of them is
        /// RSPLIB's
        life_unit / "life-unit": LifeUnitName => life_unit;
        /// Whether the padding of the last parameter counts in the length of a message
        padding / "padding": PaddingForm => padding;
    }
    groups {
        #[command(next_help_heading = "SCTP")]
        sctp: SctpSettings;
        #[command(next_help_heading = "Users over TCP")]
        tcp: TcpSettings;
        #[command(next_help_heading = "Logging")]
        log: LogSettings;
    }
}
