//! The settings of a pool element.

use std::net::IpAddr;

use rserpool_core::element::ElementConfig;

#[cfg(feature = "http")]
use super::HttpListen;
use super::{
    Group, Host, HuntSettings, Id, Life, LifeUnitName, LogSettings, PaddingForm, PolicyText, PoolName,
    PresetName, SctpSettings, Switch, Time, UdpAddress, settings,
};

settings! {
    /// A pool element.
    ElementSettings for ElementConfig {
        /// Which timers and limits to start from [default: rfc]
        preset / "preset": PresetName;
        /// IP address and UDP port of SCTP encapsulation [default: all addresses of IPv4 and IPv6, a free port]
        bind / "bind": UdpAddress;
        /// IP address and TCP port at which metrics (/metrics) and health (/livez, /readyz) can be asked for by HTTP,
        /// by anybody who reaches it [default: none; default port: 9863]
        #[cfg(feature = "http")]
        http / "http": HttpListen;
        /// How long after each datagram to poll for the next one instead of sleeping: shorter round trips for
        /// the processor time of a core; 100us suits one host or link, 10ms is the most [default: 0s]
        busy_poll / "busy-poll": Time;
        /// A registrar's address or name and its UDP port [default port: 9899], repeatable [default: one
        /// that announces itself]
        #[arg(value_delimiter = ',')]
        registrar / "registrar": Vec<Host>;
        /// The pool to serve [default: the service's own]
        pool / "pool": PoolName => handle;
        /// PE identifier [default: drawn at random]
        id / "id": Id => id;
        /// Policy with its values, one of those that `rserpool policies` lists: RoundRobin,
        /// WeightedRoundRobin:3, LeastUsed:load=0.5 [default: RoundRobin]
        policy / "policy": PolicyText => policy;
        /// Address to register, repeatable [default: the address bound, or the one used towards the
        /// registrar]
        #[arg(value_delimiter = ',')]
        addresses / "address": Vec<IpAddr> => addresses;
        /// Whether the addresses to register may be those of a translator (NAT) [default: no]
        foreign_addresses / "foreign-addresses": Switch => foreign_addresses;
        /// SCTP port on which users reach the element [default: 7]
        port / "port": u16 => port;
        /// Whether users may send ASAP control messages beside data
        control / "control": Switch => control;
        /// Registration life, or infinite
        life / "life": Life => life;
        /// The unit in which the life is sent: milliseconds if there is an RSPLIB registrar in the scope
        life_unit / "life-unit": LifeUnitName => life_unit;
        /// T2: how long a registrar may take to answer a registration
        registration_timeout / "registration-timeout": Time => registration_timeout;
        /// T3: how long a registrar may take to answer a deregistration
        deregistration_timeout / "deregistration-timeout": Time => deregistration_timeout;
        /// T4: time between two registrations [default: follows from the life]
        reregistration_interval / "reregistration-interval": Time => reregistration_interval;
        /// MAX-REG-ATTEMPT: registrations without an answer before giving up
        max_registration_attempts / "max-registration-attempts": u32 => max_registration_attempts;
        /// Maximum number of users at the same time
        max_sessions / "max-sessions": usize => max_sessions;
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
