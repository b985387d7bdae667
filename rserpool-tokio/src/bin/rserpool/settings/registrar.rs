//! The settings of a registrar.

use std::net::{IpAddr, SocketAddr};

use rserpool_core::registrar::RegistrarConfig;

use super::{Id, LogSettings, PaddingForm, PresetName, SctpSettings, Switch, Time, UdpAddress, settings};

settings! {
    /// A registrar.
    RegistrarSettings for RegistrarConfig {
        /// Which timers and limits to start from [default: rfc]
        preset / "preset": PresetName;
        /// IP address and UDP port of SCTP encapsulation [default: all addresses, port 9899]
        bind / "bind": UdpAddress;
        /// ENRP server identifier [default: drawn at random]
        id / "id": Id => id;
        /// Own address for announcements, repeatable [default: the one bound]
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
        /// MAX-BAD-PE-REPORT: more reports than this remove an element
        max_bad_pe_reports / "max-bad-pe-reports": u32 => max_bad_pe_reports;
        /// Whether keep-alives name their element, as RSPLIB's do
        name_element_in_keep_alive / "name-element-in-keep-alive": Switch => name_element_in_keep_alive;
        /// Elements in an answer to a user that does not say how many it wants
        resolution_items / "resolution-items": u32 => resolution_items;
        /// Elements in an answer to a user that wants as many as possible
        max_resolution_items / "max-resolution-items": u32 => max_resolution_items;
        /// Octets in one page of a handle table
        handle_table_octets / "handle-table-octets": usize => handle_table_octets;
        /// Whether to announce the registrar by multicast
        #[arg(num_args = 0..=1, default_missing_value = "yes")]
        announce / "announce": Switch;
        /// Multicast group and UDP port of announcements [default: 224.0.1.185:3863]
        announce_group / "announce-group": SocketAddr;
        /// T6: time between two announcements
        announce_interval / "announce-interval": Time => announce_interval;
        /// Whether to answer `rserpool stats`
        management / "management": Switch => management;
        /// Pools at most
        max_pools / "max-pools": usize => limits.pools;
        /// Elements of one pool at most
        max_elements_per_pool / "max-elements-per-pool": usize => limits.elements_per_pool;
        /// Elements at most
        max_elements / "max-elements": usize => limits.elements;
        /// Whether the padding of the last parameter counts in the length of a message
        padding / "padding": PaddingForm => padding;
    }
    groups {
        #[command(next_help_heading = "SCTP")]
        sctp: SctpSettings;
        #[command(next_help_heading = "Logging")]
        log: LogSettings;
    }
}
