//! Which registrars a command may use: those that are named, else those that announce themselves.

use rserpool_core::base::SctpPort;
use rserpool_driver::AnnounceGroup;

use crate::exit::Failure;
use crate::settings::{Group, Host, Switch, UdpAddress};

/// Registrars, and the group to listen to.
pub(crate) struct Registrars<A> {
    pub(crate) named: Vec<A>,
    pub(crate) group: Option<AnnounceGroup>,
}

impl<A> Registrars<A> {
    /// Looks the names up; `port` is the SCTP port at which a registrar is addressed.
    pub(crate) fn new(
        resolve: fn(&Host, SctpPort, Option<UdpAddress>) -> Result<A, Failure>,
        hosts: Option<&Vec<Host>>,
        port: SctpPort,
        bind: Option<UdpAddress>,
        announce: Option<Switch>,
        group: Option<Group>,
    ) -> Result<Self, Failure> {
        let hosts = hosts.map_or(&[][..], Vec::as_slice);
        let named = hosts.iter().map(|host| resolve(host, port, bind)).collect::<Result<Vec<_>, _>>()?;
        let listens = announce.map_or(named.is_empty(), |announce| announce.0);
        if named.is_empty() && !listens {
            return Err(Failure::usage(
                "registrar: name one with --registrar, or listen for one with --announce",
            ));
        }
        let group = listens.then(|| group.map_or_else(AnnounceGroup::default, |group| group.0));
        Ok(Self { named, group })
    }
}
