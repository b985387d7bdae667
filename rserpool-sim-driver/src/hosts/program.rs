//! What a host is told to run.

use rserpool_core::base::SctpPort;
use rserpool_core::element::ElementConfig;
use rserpool_core::endpoint::Channel;
use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::user::UserConfig;

use super::custom_endpoint::Custom;
use crate::applications::{Load, Service};

/// What runs on a host. The world sets seeds, and the addresses of elements and registrars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A registrar.
    Registrar(RegistrarConfig),
    /// An element that sends back what it is sent.
    Element(ElementConfig, Service),
    /// A user with its load.
    User(UserConfig, Load),
    /// An endpoint of your own.
    Custom(Custom),
}

impl Program {
    /// The SCTP ports on which it listens.
    pub(crate) fn ports(&self) -> Vec<SctpPort> {
        match self {
            Self::Registrar(config) => vec![config.asap_port, config.enrp_port],
            Self::Element(config, _) => vec![config.port],
            Self::User(..) => Vec::new(),
            Self::Custom(custom) => custom.ports().to_vec(),
        }
    }

    /// Whether it listens to a channel of announcements.
    pub(super) const fn hears(&self, channel: Channel) -> bool {
        match (channel, self) {
            (Channel::Asap, _) | (Channel::Enrp, Self::Custom(_)) => true,
            (Channel::Enrp, Self::Registrar(config)) => config.enrp.announce,
            (Channel::Enrp, Self::Element(..) | Self::User(..)) => false,
        }
    }
}
