//! What element, user and registrar share: SCTP, and the hunt for a registrar. TCP of a registrar.

use rserpool_core::endpoint::hunt::HuntConfig;
use rserpool_transport::sctp::SctpConfig;
use rserpool_transport::tcp::TcpConfig;

use super::{Attempts, Switch, TcpListen, Time, settings};

settings! {
    /// The hunt for a registrar (RFC 5352 section 3.6).
    HuntSettings [A] for HuntConfig<A> {
        /// T5: how long the first round of the hunt waits for a registrar; later ones wait longer
        timeout / "hunt-timeout": Time => timeout;
        /// RETRAN-MAX: how long a round of the hunt waits at most
        timeout_max / "hunt-timeout-max": Time => timeout_max;
        /// Rounds of the hunt before giving up; 0 means forever
        rounds / "attempts": Attempts => rounds;
        /// T7: how long an announced registrar stays known
        outdate / "hunt-outdate": Time => outdate;
    }
}

settings! {
    /// SCTP over UDP (RFC 9260, RFC 6951).
    SctpSettings for SctpConfig {
        /// Maximum number of associations at the same time, attempts included
        max_associations / "sctp-max-associations": usize => max_associations;
        /// Whether to tell peers all own addresses, so that they can use another when the first fails; not
        /// where a NAT may be in between (RFC 6951 section 5.7) [default: no]
        #[arg(num_args = 0..=1, default_missing_value = "yes")]
        tell_addresses / "sctp-tell-addresses": Switch => tell_addresses;
        /// MTU of paths in octets, from 576 to 9000: packets are at most so large
        path_mtu / "sctp-path-mtu": u16 => path_mtu;
        /// Streams in each direction
        streams / "sctp-streams": u16 => streams;
        /// Octets of the longest message
        max_message_size / "sctp-max-message-size": usize => max_message_size;
        /// Octets of the receive window
        receive_buffer / "sctp-receive-buffer": u32 => receive_buffer;
        /// Octets of received data that all associations together hold
        receive_memory / "sctp-receive-memory": usize => receive_memory;
        /// Octets of messages that all associations together hold until they are sent and acknowledged
        send_memory / "sctp-send-memory": usize => send_memory;
        /// Octets of application data queued in an association before it is congested
        send_queue / "sctp-send-queue": usize => send_queue;
        /// Octets of ASAP and ENRP messages queued in an association before it is aborted
        control_queue / "sctp-control-queue": usize => control_queue;
        /// HB.interval: time without a packet after which a heartbeat is sent
        heartbeat / "sctp-heartbeat": Time => heartbeat;
        /// How long a peer may be silent before its association is given up
        max_silence / "sctp-max-silence": Time => max_silence;
        /// Where that time follows the measured round trip: its least
        min_silence / "sctp-min-silence": Time => min_silence;
        /// RTO.Initial
        rto_initial / "sctp-rto-initial": Time => rto_initial;
        /// RTO.Min
        rto_min / "sctp-rto-min": Time => rto_min;
        /// RTO.Max
        rto_max / "sctp-rto-max": Time => rto_max;
        /// How long a single packet with data may wait for its SACK
        sack_delay / "sctp-sack-delay": Time => sack_delay;
        /// Valid.Cookie.Life: how long a peer may take to return our cookie
        cookie_life / "sctp-cookie-life": Time => cookie_life;
        /// Time between the first packets to two addresses of one peer
        stagger / "sctp-stagger": Time => stagger;
        /// T5-shutdown-guard: how long a shutdown waits for what is still to be delivered
        shutdown_guard / "sctp-shutdown-guard": Time => shutdown_guard;
        /// Packets that belong to no association and are answered, per second
        stray_replies / "sctp-stray-replies": u32 => stray_replies;
    }
}

settings! {
    /// ASAP over TCP, for users (RFC 5352 section 3.3).
    TcpSettings for TcpConfig {
        /// Whether to accept users over TCP: no, yes (port 3863 of the address bound), or where; key
        /// `listen` of table `tcp` [default: yes if the UDP port is 9899, else no]
        #[arg(num_args = 0..=1, default_missing_value = "yes")]
        listen / "tcp": TcpListen;
        /// Maximum number of TCP connections at the same time; further ones are refused [default: 512]
        max_connections / "tcp-max-connections": usize => max_connections;
        /// Maximum number of TCP connections from one address, or one IPv6 network of 64 bits [default: 64]
        max_per_address / "tcp-max-per-address": usize => max_per_address;
        /// How long a message may take from its first octet to its last [default: 10s]
        message_timeout / "tcp-message-timeout": Time => message_timeout;
        /// How long a client may take to ask for the first time [default: 10s]
        first_timeout / "tcp-first-timeout": Time => first_timeout;
        /// How long a connection may stay without a question [default: 5m]
        idle_timeout / "tcp-idle-timeout": Time => idle_timeout;
        /// How long an answer may wait until it is read [default: 30s]
        write_timeout / "tcp-write-timeout": Time => write_timeout;
    }
}
