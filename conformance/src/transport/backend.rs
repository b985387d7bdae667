//! The stacks under test, each behind [`Stack`].

use std::net::SocketAddr;

use crate::UdpStack;
use rserpool_transport::sctp::{Dcsctp, Sctp, SctpConfig, SctpProto};

/// What does the data phase of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Backend {
    /// The crate sctp-proto.
    SctpProto,
    /// The crate dcsctp.
    Dcsctp,
}

impl Backend {
    /// All there are.
    pub(super) const ALL: [Self; 2] = [Self::SctpProto, Self::Dcsctp];

    /// Its name in arguments and tables.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SctpProto => "sctp-proto",
            Self::Dcsctp => "dcsctp",
        }
    }

    /// A stack for the socket bound to `local`.
    pub(super) fn stack(self, config: SctpConfig, local: SocketAddr) -> Box<dyn UdpStack> {
        match self {
            Self::SctpProto => Box::new(Sctp::<SctpProto>::with_engine(config, local)),
            Self::Dcsctp => Box::new(Sctp::<Dcsctp>::with_engine(config, local)),
        }
    }
}
