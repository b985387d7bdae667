//! Which registrars a command may use: those that are named, else those that announce themselves.

use rserpool_core::base::SctpPort;
use rserpool_driver::AnnounceGroup;

use crate::exit::Failure;
use crate::settings::{Group, Host, Switch, UdpAddress};

/// How a host becomes an address: of SCTP only, or of TCP too.
pub(crate) type Reach<A> = fn(&Host, SctpPort, Option<UdpAddress>) -> Result<A, Failure>;

/// Hosts that were named, as far as their names can be looked up.
#[derive(Clone, Debug)]
pub(crate) struct Named<A> {
    /// Where those are that were found.
    pub(crate) found: Vec<A>,
    /// Why the others were not.
    pub(crate) lost: Vec<String>,
}

/// Registrars, and the group to listen to.
pub(crate) struct Registrars<A> {
    pub(crate) named: Named<A>,
    pub(crate) group: Option<AnnounceGroup>,
    pub(crate) names: Names<A>,
}

/// Names that can be looked up again.
#[derive(Clone)]
pub(crate) struct Names<A> {
    reach: Reach<A>,
    hosts: Vec<Host>,
    port: SctpPort,
    bind: Option<UdpAddress>,
}

impl<A> Names<A> {
    /// `port` is the SCTP port at which a registrar is addressed.
    pub(crate) fn new(
        reach: Reach<A>,
        hosts: Option<&Vec<Host>>,
        port: SctpPort,
        bind: Option<UdpAddress>,
    ) -> Self {
        Self { reach, hosts: hosts.cloned().unwrap_or_default(), port, bind }
    }

    /// Looks all of them up now. It blocks until the resolver of the system has answered.
    ///
    /// # Errors
    /// If one is of the wrong kind; a name that is not found is no error while there are others.
    pub(crate) fn look_up(&self) -> Result<Named<A>, Failure> {
        let mut named = Named { found: Vec::new(), lost: Vec::new() };
        for host in &self.hosts {
            match (self.reach)(host, self.port, self.bind) {
                Ok(address) => named.found.push(address),
                Err(Failure::Failed(problem)) => named.lost.push(problem),
                Err(other) => return Err(other),
            }
        }
        Ok(named)
    }

    /// Whether there is a name among them whose addresses may change.
    pub(crate) fn may_change(&self) -> bool {
        self.hosts.iter().any(|host| !host.is_address())
    }
}

impl<A> Registrars<A> {
    /// Looks the names up.
    pub(crate) fn new(
        reach: Reach<A>,
        hosts: Option<&Vec<Host>>,
        port: SctpPort,
        bind: Option<UdpAddress>,
        announce: Option<Switch>,
        group: Option<Group>,
    ) -> Result<Self, Failure> {
        let names = Names::new(reach, hosts, port, bind);
        let none = names.hosts.is_empty();
        let listens = announce.map_or(none, |announce| announce.0);
        if none && !listens {
            return Err(Failure::usage(
                "registrar: name one with --registrar, or listen for one with --announce",
            ));
        }
        let group = listens.then(|| group.map_or_else(AnnounceGroup::default, |group| group.0));
        Ok(Self { named: names.look_up()?, group, names })
    }

    /// Those of a tool, which does not wait for names: at least one must be found. The others are remarked upon.
    pub(crate) fn for_tool(self) -> Result<Self, Failure> {
        if self.named.found.is_empty() && self.group.is_none() {
            return Err(Failure::failed(self.named.lost.join("; ")));
        }
        self.named.lost.iter().for_each(crate::output::remark);
        Ok(self)
    }
}
