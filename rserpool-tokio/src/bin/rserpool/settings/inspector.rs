//! The settings of those who ask a registrar for its handlespace or counters.

use rserpool_core::inspector::InspectorConfig;

use super::{LogSettings, PaddingForm, PresetName, SctpSettings, Time, UdpAddress, settings};

settings! {
    /// An inspector.
    InspectorSettings for InspectorConfig {
        /// Which timers and limits to start from [default: rfc]
        preset / "preset": PresetName;
        /// IP address and UDP port of SCTP encapsulation [default: all addresses, a free port]
        bind / "bind": UdpAddress;
        /// A registrar's IP address and UDP port [default port: 9899]; of several the first that answers
        #[arg(value_delimiter = ',')]
        registrar / "registrar": Vec<UdpAddress>;
        /// SCTP port of ENRP
        enrp_port / "enrp-port": u16 => registrar.port;
        /// How long the registrar may take to accept a connection, and for each answer
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
