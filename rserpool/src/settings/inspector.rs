//! The settings of tools that ask a registrar for its handlespace or counters.

use rserpool_core::inspector::InspectorConfig;

use super::{
    Group, Host, LogSettings, PaddingForm, PresetName, SctpSettings, Switch, Time, UdpAddress, settings,
};

settings! {
    /// An inspector.
    InspectorSettings for InspectorConfig {
        /// Which timers and limits to start from [default: rfc]
        preset / "preset": PresetName;
        /// IP address and UDP port of SCTP encapsulation [default: all addresses of IPv4 and IPv6, a free port]
        bind / "bind": UdpAddress;
        /// A registrar's address or name and its UDP port [default port: 9899]; of several, the first that
        /// answers is used [default: one that announces itself]
        #[arg(value_delimiter = ',')]
        registrar / "registrar": Vec<Host>;
        /// SCTP port of ENRP [default: 9901]
        enrp_port / "enrp-port": u16 => enrp_port;
        /// Whether to listen to the announcements of registrars if none is named [default: yes]
        #[arg(num_args = 0..=1, default_missing_value = "yes")]
        announce / "announce": Switch;
        /// Multicast group and UDP port of announcements [default: standard, which is IANA's
        /// 224.0.1.185:3863 and ff05::133, as far as the bound address reaches; rsplib is 239.0.0.50:3863]
        announce_group / "announce-group": Group;
        /// How long the registrar may take to accept a connection, and to give each answer
        timeout / "timeout": Time => timeout;
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
