//! Which registrars a command may use: those that are named, else those that announce themselves. Names are looked up
//! again and again while a command runs.

use std::thread::{Builder, ScopedJoinHandle};
use std::time::Duration;

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

    /// Looks all of them up now, at the same time: a name server that is silent takes many seconds for each. It blocks
    /// until the resolver of the system has answered.
    ///
    /// # Errors
    /// If one is of the wrong kind; a name that is not found is no error while there are others.
    pub(crate) fn look_up(&self) -> Result<Named<A>, Failure>
    where
        A: Send,
    {
        let Self { reach, port, bind, .. } = self;
        let answers: Vec<Result<A, Failure>> = std::thread::scope(|scope| {
            let look_up = |host| move || reach(host, *port, *bind);
            let asked = self.hosts.iter().map(|host| match host.is_address() {
                true => Err(host),
                // Where there are no more threads, one after the other has to do.
                false => Builder::new().spawn_scoped(scope, look_up(host)).map_err(|_| host),
            });
            let asked: Vec<_> = asked.collect();
            let answer = |asked: Result<ScopedJoinHandle<'_, _>, _>| match asked {
                Ok(asked) => {
                    asked.join().unwrap_or_else(|_| Err(Failure::failed("the look-up of a name failed")))
                }
                Err(host) => look_up(host)(),
            };
            asked.into_iter().map(answer).collect()
        });
        let mut named = Named { found: Vec::new(), lost: Vec::new() };
        for answer in answers {
            match answer {
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

impl<A: Send> Registrars<A> {
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

    /// Those of a tool, which does not wait for names: at least one must be found.
    pub(crate) fn for_tool(self) -> Result<Self, Failure> {
        if self.named.found.is_empty() && self.group.is_none() {
            return Err(Failure::failed(self.named.lost.join("; ")));
        }
        Ok(self)
    }
}

/// How often names are looked up while one of them is not found.
const SOON: Duration = Duration::from_secs(2);
/// How often otherwise: hosts may get other addresses.
const LATER: Duration = Duration::from_secs(60);

/// Names of hosts, and the addresses that they had last.
pub(crate) struct Watched<A> {
    names: Names<A>,
    last: Named<A>,
    tell: fn(&str),
}

impl<A: Clone + PartialEq + Send + 'static> Watched<A> {
    /// What was found so far, and how to say that a name is not found.
    pub(crate) fn new(names: Names<A>, last: Named<A>, tell: fn(&str)) -> Self {
        Self { names, last, tell }
    }

    /// Waits until other addresses are found, and returns all of them. It says which names are not found; a name
    /// that is lost for a while keeps no one from the addresses that were found before. Cancel safe.
    pub(crate) async fn changed(&mut self) -> Vec<A> {
        loop {
            if !self.names.may_change() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(if self.last.lost.is_empty() { LATER } else { SOON }).await;
            let names = self.names.clone();
            // The resolver of the system blocks.
            let Ok(Ok(found)) = tokio::task::spawn_blocking(move || names.look_up()).await else { continue };
            if found.lost != self.last.lost {
                self.tell_lost(&found.lost);
            }
            let Named { mut found, lost } = found;
            let before = self.last.found.clone();
            if !lost.is_empty() {
                let still =
                    before.iter().filter(|address| !found.contains(address)).cloned().collect::<Vec<_>>();
                found.extend(still);
            }
            let is_new = found.len() != before.len() || found.iter().any(|address| !before.contains(address));
            self.last = Named { found, lost };
            if is_new {
                return self.last.found.clone();
            }
        }
    }

    /// The addresses to begin with. Unless there is `another_way`, it waits until at least one name is found.
    pub(crate) async fn first(&mut self, another_way: bool) -> Vec<A> {
        self.tell_lost(&self.last.lost);
        let wait = self.last.found.is_empty() && !self.last.lost.is_empty() && !another_way;
        if wait { self.changed().await } else { self.last.found.clone() }
    }

    fn tell_lost(&self, lost: &[String]) {
        lost.iter().for_each(|problem| (self.tell)(&format!("{problem}; it is tried again")));
    }
}
