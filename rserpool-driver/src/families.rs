//! Both address families on one socket, and what cannot be reached from it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rserpool_core::base::TransportAddress;
use rserpool_transport::reaches;

use crate::error::StartError;

/// All addresses of IPv4, and of both families.
const ALL: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

/// All addresses of the family of another one.
pub(super) const fn all_like(address: IpAddr) -> IpAddr {
    if address.is_ipv6() { ALL[1] } else { ALL[0] }
}

/// The families that a socket bound to `local` reaches: false is IPv4, true is IPv6.
pub(super) fn of(local: IpAddr) -> impl Iterator<Item = bool> {
    ALL.into_iter().filter(move |all| reaches(local, *all)).map(|all| all.is_ipv6())
}

/// An address as the system takes it for a socket that is bound to `local`.
pub(super) fn to_system(local: SocketAddr, address: SocketAddr) -> SocketAddr {
    match (local, address) {
        (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
            SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
        }
        _ => address,
    }
}

/// An address as the system tells it, with one of IPv4 written as such.
pub(super) fn from_system(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Refuses peers none of which can ever be reached from a socket bound to `local`, and warns of single ones.
///
/// # Errors
/// [`StartError::Unreachable`] with the first of them.
pub(super) fn check_peers(local: SocketAddr, peers: &[TransportAddress]) -> Result<(), StartError> {
    let is_reached = |peer: &TransportAddress| {
        peer.is_tcp() || peer.addresses().iter().any(|address| reaches(local.ip(), *address))
    };
    let mut unreached =
        peers.iter().filter(|peer| !is_reached(peer)).filter_map(|peer| peer.sockets().next());
    if !peers.iter().any(is_reached)
        && let Some(address) = unreached.next()
    {
        return Err(StartError::Unreachable { address, local });
    }
    for address in unreached {
        tracing::warn!(%address, %local, "is of an address family that cannot be reached from here, and never asked");
    }
    Ok(())
}

/// Refuses own addresses at which nobody could meet a socket bound to `local`.
///
/// # Errors
/// [`StartError::Unreachable`] with the first of them.
pub(super) fn check_own(local: SocketAddr, addresses: &[IpAddr]) -> Result<(), StartError> {
    match addresses.iter().find(|address| !reaches(local.ip(), **address)) {
        Some(address) => {
            Err(StartError::Unreachable { address: SocketAddr::new(*address, local.port()), local })
        }
        None => Ok(()),
    }
}

/// Whether a socket bound to `local` is bound to this address as well.
pub(super) fn is_bound_to(local: IpAddr, address: IpAddr) -> bool {
    // Only addresses of this machine can be bound.
    let is_ours = || UdpSocket::bind(SocketAddr::new(address, 0)).is_ok();
    local == address || (local.is_unspecified() && reaches(local, address) && is_ours())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ipv4_is_mapped_for_sockets_of_ipv6_only() {
        let (four, six) = (at("192.0.2.1:7"), at("[2001:db8::1]:7"));
        let mapped = at("[::ffff:192.0.2.1]:7");
        assert_eq!(to_system(at("[::]:1"), four), mapped);
        assert_eq!(to_system(at("[::]:1"), six), six);
        assert_eq!(to_system(at("0.0.0.0:1"), four), four);
        assert_eq!([mapped, four, six].map(from_system), [four, four, six]);
    }

    #[test]
    fn peers_of_a_family_that_is_not_reached_are_told() {
        let sctp = |text: &str| {
            let at = at(text);
            let (port, udp) = (rserpool_core::base::SctpPort(1), rserpool_core::base::UdpPort(at.port()));
            TransportAddress::sctp(vec![at.ip()], port, udp)
        };
        let (four, six) = (sctp("192.0.2.1:7"), sctp("[2001:db8::1]:7"));
        let local = at("127.0.0.1:9");
        let error = check_peers(local, std::slice::from_ref(&six)).unwrap_err();
        assert!(matches!(error, StartError::Unreachable { address, .. } if address == at("[2001:db8::1]:7")));
        assert!(check_peers(local, &[six.clone(), four.clone()]).is_ok(), "the other one serves");
        for peer in [&six, &four] {
            assert!(check_peers(at("[::]:9"), std::slice::from_ref(peer)).is_ok());
        }
        assert!(check_peers(local, &[]).is_ok());
        let tcp = TransportAddress::tcp(vec!["::1".parse().unwrap()], 3863);
        assert!(check_peers(local, &[tcp, six]).is_ok(), "TCP has a socket for each connection");
    }

    #[test]
    fn a_socket_is_bound_to_its_own_address_or_to_all_of_this_machine() {
        let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
        assert!(is_bound_to(ip("192.0.2.1"), ip("192.0.2.1")));
        assert!(!is_bound_to(ip("127.0.0.1"), ip("127.0.0.2")));
        assert!(is_bound_to(ip("0.0.0.0"), ip("127.0.0.1")) && is_bound_to(ip("::"), ip("127.0.0.1")));
        assert!(!is_bound_to(ip("0.0.0.0"), ip("192.0.2.77")));
        assert!(!is_bound_to(ip("0.0.0.0"), ip("::1")));
        assert_eq!(of(ip("::")).collect::<Vec<_>>(), [false, true]);
        assert_eq!(of(ip("0.0.0.0")).collect::<Vec<_>>(), [false]);
        assert_eq!(of(ip("::1")).collect::<Vec<_>>(), [true]);
    }
}
