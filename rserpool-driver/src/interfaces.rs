//! The network interfaces of this machine: where announcements travel, and which addresses are ours.

use std::net::{IpAddr, Ipv6Addr};

use rserpool_transport::reaches;

/// An interface that is up and can carry multicast; loopback counts, whatever it claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) loopback: bool,
    pub(super) addresses: Vec<IpAddr>,
}

impl Interface {
    /// Its addresses of one family, if it has any.
    fn has_family(&self, ipv6: bool) -> bool {
        self.addresses.iter().any(|address| address.is_ipv6() == ipv6)
    }
}

/// The interfaces through which a socket bound to `local` speaks to a multicast group of a family: that of its
/// address, or, if it is bound to all addresses, every one with addresses of that family.
pub(super) fn of(local: IpAddr, ipv6: bool) -> Vec<Interface> {
    let mut all = all();
    match local.is_unspecified() {
        true => all.retain(|interface| interface.has_family(ipv6)),
        false => all.retain(|interface| interface.addresses.contains(&local)),
    }
    all
}

/// Whether there is a network of IPv6 beside loopback.
pub(super) fn have_ipv6() -> bool {
    all().iter().any(|interface| !interface.loopback && interface.has_family(true))
}

/// The addresses of this machine by which others reach a socket that is bound to `local`; those of loopback
/// only if there is nothing else.
pub(super) fn addresses(local: IpAddr) -> Vec<IpAddr> {
    let interfaces = all();
    let of_kind = |loopback: bool| -> Vec<IpAddr> {
        let interfaces = interfaces.iter().filter(|interface| interface.loopback == loopback);
        let addresses = interfaces.flat_map(|interface| interface.addresses.iter().copied());
        addresses.filter(|address| reaches(local, *address) && is_portable(address)).collect()
    };
    let outside = of_kind(false);
    if outside.is_empty() { of_kind(true) } else { outside }
}

/// Whether an address means the same without the name of an interface.
fn is_portable(address: &IpAddr) -> bool {
    !matches!(address, IpAddr::V6(address) if is_link_local(address))
}

const fn is_link_local(address: &Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(unix)]
fn all() -> Vec<Interface> {
    use nix::net::if_::InterfaceFlags;

    let mut interfaces: Vec<Interface> = Vec::new();
    for entry in nix::ifaddrs::getifaddrs().into_iter().flatten() {
        let loopback = entry.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        // A bridge to which nothing is connected is up, and not running.
        let carries = InterfaceFlags::IFF_RUNNING | InterfaceFlags::IFF_MULTICAST;
        if !entry.flags.contains(InterfaceFlags::IFF_UP) || !(loopback || entry.flags.contains(carries)) {
            continue;
        }
        let Some(address) = entry.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        }) else {
            continue;
        };
        match interfaces.iter_mut().find(|interface| interface.name == entry.interface_name) {
            Some(interface) => interface.addresses.push(address),
            None => {
                let Ok(index) = nix::net::if_::if_nametoindex(entry.interface_name.as_str()) else {
                    continue;
                };
                interfaces.push(Interface {
                    name: entry.interface_name,
                    index,
                    loopback,
                    addresses: vec![address],
                });
            }
        }
    }
    interfaces
}

/// Nothing is known of the interfaces here.
#[cfg(not(unix))]
fn all() -> Vec<Interface> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn loopback_is_found_by_its_address() {
        let found = of(Ipv4Addr::LOCALHOST.into(), false);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].loopback && found[0].index != 0);
        for all in [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()] {
            assert!(of(all, false).contains(&found[0]));
        }
    }

    #[test]
    fn own_addresses_can_be_reached_and_are_loopback_only_if_alone() {
        for local in [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()] {
            let addresses = addresses(local);
            assert!(addresses.iter().all(|address| reaches(local, *address)));
            assert!(addresses.iter().all(is_portable), "{addresses:?}");
            let loopback = addresses.iter().filter(|address| address.is_loopback()).count();
            assert!(loopback == 0 || loopback == addresses.len(), "{addresses:?}");
        }
    }

    #[test]
    fn link_local_addresses_need_the_name_of_an_interface() {
        assert!(!is_portable(&"fe80::1".parse().unwrap()) && !is_portable(&"febf::1".parse().unwrap()));
        assert!(is_portable(&"fec0::1".parse().unwrap()) && is_portable(&"169.254.0.1".parse().unwrap()));
    }
}
