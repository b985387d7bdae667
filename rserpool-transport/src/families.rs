//! Which address families a socket reaches.

use std::net::{IpAddr, Ipv6Addr};

/// Whether a socket bound to `local` reaches `address`: both are of the same family, or the socket is bound to
/// all addresses of IPv6, by which it reaches IPv4 as well.
///
/// Carriers of such a socket map addresses of IPv4 into IPv6 (RFC 4291 section 2.5.5.2) and back. Above them, an
/// address of IPv4 is always written as such.
///
/// ```
/// use rserpool_transport::reaches;
///
/// let [four, six] = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap());
/// let all: [std::net::IpAddr; 2] = ["0.0.0.0", "::"].map(|address| address.parse().unwrap());
/// assert_eq!(all.map(|local| (reaches(local, four), reaches(local, six))), [(true, false), (true, true)]);
/// assert!(!reaches(six, four) && !reaches(four, six));
/// ```
pub fn reaches(local: IpAddr, address: IpAddr) -> bool {
    local == IpAddr::V6(Ipv6Addr::UNSPECIFIED) || local.is_ipv4() == address.is_ipv4()
}
