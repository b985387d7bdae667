//! The header of the PROXY protocol, by which a server learns who the client is (specified by HAProxy in
//! `proxy-protocol.txt`).

use std::net::{IpAddr, SocketAddr};

/// Which header a server gets in front of the octets of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Version {
    /// A line of text.
    V1,
    /// Octets.
    V2,
}

/// The signature of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and that there is a client (and not the proxy itself).
const PROXY: u8 = 0x21;

/// The header for a TCP connection of `client`, which has connected to `own`.
pub fn header(version: Version, client: SocketAddr, own: SocketAddr) -> Vec<u8> {
    let pair = match (client.ip().to_canonical(), own.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(own)) => Pair::V4(client.octets(), own.octets()),
        (client, own) => Pair::V6(v6(client), v6(own)),
    };
    match version {
        Version::V1 => {
            let (family, from, to) = match pair {
                Pair::V4(from, to) => ("TCP4", IpAddr::from(from), IpAddr::from(to)),
                Pair::V6(from, to) => ("TCP6", IpAddr::from(from), IpAddr::from(to)),
            };
            format!("PROXY {family} {from} {to} {} {}\r\n", client.port(), own.port()).into()
        }
        Version::V2 => {
            let (family, addresses) = match pair {
                Pair::V4(from, to) => (0x11, [from, to].concat()),
                Pair::V6(from, to) => (0x21, [from, to].concat()),
            };
            let mut header = SIGNATURE.to_vec();
            header.extend([PROXY, family]);
            header.extend((addresses.len() as u16 + 4).to_be_bytes());
            header.extend(addresses);
            header.extend(client.port().to_be_bytes());
            header.extend(own.port().to_be_bytes());
            header
        }
    }
}

/// Two addresses of one family.
enum Pair {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(version: Version, client: &str, own: &str) -> Vec<u8> {
        header(version, client.parse().unwrap(), own.parse().unwrap())
    }

    #[test]
    fn a_line_names_both_sides() {
        let line = |client, own| String::from_utf8(between(Version::V1, client, own)).unwrap();
        assert_eq!(line("192.0.2.1:1000", "192.0.2.2:80"), "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n");
        assert_eq!(
            line("[2001:db8::1]:1", "[2001:db8::2]:80"),
            "PROXY TCP6 2001:db8::1 2001:db8::2 1 80\r\n"
        );
        // A listener of both families.
        assert_eq!(
            line("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:80"),
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n"
        );
    }

    #[test]
    fn octets_name_both_sides() {
        let v4 = between(Version::V2, "192.0.2.1:258", "192.0.2.2:80");
        let expected = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x01\x02\x00\x50";
        assert_eq!(v4, expected);
        let v6 = between(Version::V2, "[2001:db8::1]:258", "[2001:db8::2]:80");
        assert_eq!((v6.len(), &v6[12..16]), (52, &b"\x21\x21\x00\x24"[..]));
    }
}
