//! The homes of elements: each stays with the registrar with which it has registered last.

use std::collections::BTreeMap;

use rserpool_core::base::{AssociationId, Instant, RegistrarId};
use rserpool_core::handlespace::PeHandle;

use super::scope::settles_within;
use super::view::View;
use crate::id::HostId;
use crate::violation::Violation;

/// The last registration that each element has sent.
#[derive(Debug, Default)]
pub(super) struct Homes(BTreeMap<HostId, Registration>);

#[derive(Debug)]
struct Registration {
    registrar: HostId,
    /// The association of the element.
    over: AssociationId,
    sent: Instant,
}

impl Homes {
    /// An element sends a registration.
    pub(super) fn registering(&mut self, view: &View<'_>, element: HostId, over: AssociationId) {
        if let Some(registrar) = view.host(element).peer(over) {
            self.0.insert(element, Registration { registrar, over, sent: view.now });
        }
    }

    /// A registrar leaves an element to another one: not if the element has registered with it last, over an
    /// association that is still up, and it can reach both. A pause of the other one is no reason. Registrars that balance their loads offer elements.
    pub(super) fn judge_move(
        &self,
        view: &View<'_>,
        registrar: HostId,
        pe: &PeHandle,
        home: RegistrarId,
    ) -> Result<(), Violation> {
        let mut configs = view.hosts().filter_map(|(host, _)| view.registrar_config(host));
        let Some(config) = view.registrar_config(registrar) else { return Ok(()) };
        let owners = view.hosts_of_element(pe);
        let (&[element], Some(other)) = (owners.as_slice(), view.host_of_registrar(home)) else {
            return Ok(());
        };
        let settled = settles_within(view.sctp, config);
        let reached = view.calm_for(registrar, element, view.settled());
        let connected = view.cables_calm_for(registrar, other, settled);
        // A registration that is on its way does not count yet.
        let on_its_way = view.longest_delay() * 4;
        let last = self.0.get(&element).is_some_and(|last| {
            last.registrar == registrar
                && view.host(element).peer(last.over) == Some(registrar)
                && view.now.since(last.sent) > on_its_way
        });
        if !last || !reached || !connected || configs.any(|config| config.enrp.balance) {
            return Ok(());
        }
        let (a, b, e) = (view.name(registrar), view.name(other), view.name(element));
        let detail = format!("{a} leaves {e} ({pe}) to {b}, although it has registered with {a} last");
        Err(Violation::new("an element stays with the registrar with which it registered last", detail))
    }
}
