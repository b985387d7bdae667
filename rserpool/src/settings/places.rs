//! Addresses, names and multicast groups, each read in the same way from a flag and from a TOML file.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use rserpool_core::base::{
    ASAP_TCP_PORT, DEFAULT_ENCAPSULATION_PORT, SctpAddress, SctpPort, TransportAddress, UdpPort,
};
use rserpool_driver::{AnnounceGroup, TcpListening};
use rserpool_transport::reaches;

use super::values::{Switch, named};
use crate::exit::Failure;

/// The TCP port of metrics and health, if none is named; nobody has assigned one.
#[cfg(feature = "http")]
const HTTP_PORT: u16 = 9863;

/// An IP address with a UDP port: `127.0.0.1:20001`, `127.0.0.1` or `[::1]:20001`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct UdpAddress(pub(crate) SocketAddr);

impl FromStr for UdpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        address(text, DEFAULT_ENCAPSULATION_PORT.0).map(Self).ok_or_else(|| {
            format!(
                "\"{text}\" is not an address: write IP, IP:UDP-PORT or [IPv6]:UDP-PORT (names are not looked up)"
            )
        })
    }
}

/// An IP address with or without its port.
fn address(text: &str, default_port: u16) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().map(|address| SocketAddr::new(address, default_port))
}

impl fmt::Display for UdpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where to answer over HTTP: an IP address with a TCP port.
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HttpListen(pub(crate) SocketAddr);

#[cfg(feature = "http")]
impl FromStr for HttpListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = || format!("\"{text}\" is not an address: write IP, IP:TCP-PORT or [IPv6]:TCP-PORT");
        address(text, HTTP_PORT).map(Self).ok_or_else(refusal)
    }
}

/// Whether a registrar accepts users over TCP, and where: `yes`, `no`, or its IP address and TCP port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TcpListen(pub(crate) TcpListening);

impl FromStr for TcpListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(at) = address(text, ASAP_TCP_PORT) {
            return Ok(Self(TcpListening::At(Some(at.ip()), at.port())));
        }
        match text.parse::<Switch>() {
            Ok(Switch(true)) => Ok(Self(TcpListening::At(None, ASAP_TCP_PORT))),
            Ok(Switch(false)) => Ok(Self(TcpListening::No)),
            Err(_) => Err(format!(
                "\"{text}\" is not an address: write yes, no, IP, IP:TCP-PORT or [IPv6]:TCP-PORT"
            )),
        }
    }
}

impl fmt::Display for TcpListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TcpListening::No => f.write_str("no"),
            TcpListening::At(Some(address), port) => SocketAddr::new(address, port).fmt(f),
            TcpListening::At(None, _) | TcpListening::Standard => f.write_str("yes"),
        }
    }
}

/// The carrier by which a registrar is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Carrier {
    Sctp,
    Tcp,
}

/// A registrar: an IP address or a name, and the UDP port of its SCTP encapsulation; or `tcp:` before
/// these, and its TCP port.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Host {
    carrier: Carrier,
    name: String,
    port: u16,
}

impl Host {
    /// Its addresses, with this SCTP port. A name is looked up now; its addresses that our socket reaches
    /// are used, if there are any.
    pub(crate) fn resolve(&self, port: SctpPort, bind: Option<UdpAddress>) -> Result<SctpAddress, Failure> {
        if self.carrier == Carrier::Tcp {
            let only_users = "only connect and resolve reach a registrar by TCP; here it takes SCTP";
            return Err(Failure::usage(format!("{self}: {only_users} (RFC 5352 section 2.1)")));
        }
        let mut addresses = self.look_up()?;
        if let Some(UdpAddress(bind)) = bind {
            let reached = |address: &IpAddr| reaches(bind.ip(), *address);
            if addresses.iter().any(reached) {
                addresses.retain(reached);
            }
        }
        Ok(SctpAddress::multihomed(addresses, port, UdpPort(self.port)))
    }

    /// The same for a user, which may also use TCP; TCP takes addresses of any family.
    pub(crate) fn resolve_for_user(
        &self,
        port: SctpPort,
        bind: Option<UdpAddress>,
    ) -> Result<TransportAddress, Failure> {
        match self.carrier {
            Carrier::Tcp => Ok(TransportAddress::tcp(self.look_up()?, self.port)),
            Carrier::Sctp => self.resolve(port, bind).map(TransportAddress::Sctp),
        }
    }

    /// Whether it is an address, and not a name that must be looked up.
    pub(crate) fn is_address(&self) -> bool {
        self.name.parse::<IpAddr>().is_ok()
    }

    /// Its addresses, at least one.
    fn look_up(&self) -> Result<Vec<IpAddr>, Failure> {
        let found = (self.name.as_str(), self.port).to_socket_addrs();
        let found =
            found.map_err(|error| Failure::failed(format!("cannot look up {}: {error}", self.name)))?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found.map(|address| address.ip()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        match addresses.is_empty() {
            true => Err(Failure::failed(format!("{} has no address", self.name))),
            false => Ok(addresses),
        }
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (carrier, place, default_port) = match text.strip_prefix("tcp:") {
            Some(place) => (Carrier::Tcp, place, ASAP_TCP_PORT),
            None => (Carrier::Sctp, text, DEFAULT_ENCAPSULATION_PORT.0),
        };
        if let Some(at) = address(place, default_port) {
            return Ok(Self { carrier, name: at.ip().to_string(), port: at.port() });
        }
        let refused = || {
            format!(
                "\"{text}\" is not an address: write HOST, HOST:UDP-PORT, [IPv6]:UDP-PORT or tcp:HOST:TCP-PORT"
            )
        };
        let (name, port) = place.split_once(':').map_or((place, None), |(name, port)| (name, Some(port)));
        let port = match port {
            None => default_port,
            Some(port) => port.parse().map_err(|_| refused())?,
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        // No name ends in a number: 300.1.2.3 is a mistyped address.
        let last = name.rsplit('.').find(|label| !label.is_empty()).unwrap_or_default();
        let is_number = last.chars().all(|c| c.is_ascii_digit());
        // A host named tcp, written with its port, would read as a host that takes TCP.
        let is_carrier = carrier == Carrier::Sctp && name == "tcp";
        if last.is_empty() || is_number || is_carrier || !name.chars().all(is_name) {
            return Err(refused());
        }
        Ok(Self { carrier, name: name.into(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let carrier = if self.carrier == Carrier::Tcp { "tcp:" } else { "" };
        match self.name.contains(':') {
            true => write!(f, "{carrier}[{}]:{}", self.name, self.port),
            false => write!(f, "{carrier}{}:{}", self.name, self.port),
        }
    }
}

/// A multicast group: `standard`, `rsplib`, or its address and UDP port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Group(pub(crate) AnnounceGroup);

impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "standard" => Ok(Self(AnnounceGroup::Standard)),
            "rsplib" => Ok(Self(AnnounceGroup::Rsplib)),
            _ => match text.parse::<SocketAddr>() {
                Ok(group) if group.ip().is_multicast() && group.port() != 0 => Ok(Self(group.into())),
                _ => Err(format!(
                    "\"{text}\" is not a group: write standard, rsplib, or a multicast address as IP:UDP-PORT"
                )),
            },
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AnnounceGroup::Standard => f.write_str("standard"),
            AnnounceGroup::Rsplib => f.write_str("rsplib"),
            AnnounceGroup::At(group) => group.fmt(f),
        }
    }
}

#[cfg(feature = "http")]
named! {
    "IP[:PORT]": HttpListen = str::parse;
}

named! {
    "IP[:PORT]": UdpAddress = str::parse;
    "HOST[:PORT]": Host = str::parse;
    "yes|no|IP[:PORT]": TcpListen = str::parse;
    "standard|rsplib|IP:PORT": Group = str::parse;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_default_port_and_brackets() {
        let read = |text: &str| text.parse::<UdpAddress>().map(|a| a.to_string());
        assert_eq!(read("127.0.0.1:20001"), Ok("127.0.0.1:20001".into()));
        assert_eq!(read("127.0.0.1"), Ok("127.0.0.1:9899".into()));
        assert_eq!(read("[::1]:7"), Ok("[::1]:7".into()));
        assert_eq!(read("[::1]"), Ok("[::1]:9899".into()));
        assert_eq!(read("::1"), Ok("[::1]:9899".into()));
        for bad in ["localhost", "127.0.0.1:", "127.0.0.1:99999", "[::1", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn registrars_are_addresses_or_names() {
        let read = |text: &str| text.parse::<Host>().map(|host| host.to_string());
        assert_eq!(read("127.0.0.1:20001"), Ok("127.0.0.1:20001".into()));
        assert_eq!(read("[::1]:7"), Ok("[::1]:7".into()));
        assert_eq!(read("::1"), Ok("[::1]:9899".into()));
        assert_eq!(read("registrar-1.example.net"), Ok("registrar-1.example.net:9899".into()));
        assert_eq!(read("localhost:20001"), Ok("localhost:20001".into()));
        for bad in ["", ".", "127.0.0.1:", "127.0.0.1:99999", "300.1.2.3", "[::1", "a b", "http://a", "a:1:2"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        let four = Some("127.0.0.1".parse().unwrap());
        let found = "localhost:20001".parse::<Host>().unwrap().resolve(SctpPort(9901), four).unwrap();
        assert_eq!(found, SctpAddress::new("127.0.0.1".parse().unwrap(), SctpPort(9901), UdpPort(20001)));
    }

    /// ASAP-8.2-01: the port of ASAP over TCP.
    #[test]
    fn a_registrar_may_be_reached_by_tcp() {
        let read = |text: &str| text.parse::<Host>().map(|host| host.to_string());
        assert_eq!(read("tcp:127.0.0.1"), Ok("tcp:127.0.0.1:3863".into()));
        assert_eq!(read("tcp:[::1]:7"), Ok("tcp:[::1]:7".into()));
        assert_eq!(read("tcp:registrar.example.net"), Ok("tcp:registrar.example.net:3863".into()));
        for bad in ["tcp", "tcp:", "tcp:tcp:127.0.0.1", "tcp:300.1.2.3", "TCP:127.0.0.1", "tcp:20001"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let host: Host = "tcp:localhost:20001".parse().unwrap();
        let found = host.resolve_for_user(SctpPort(3863), None).unwrap();
        assert!(found.as_tcp().is_some_and(|tcp| tcp.port == 20001), "{found}");
        assert!(matches!(host.resolve(SctpPort(3863), None), Err(Failure::Usage(_))));
    }

    #[test]
    fn tcp_is_on_or_off_or_somewhere() {
        let read = |text: &str| text.parse::<TcpListen>().map(|listen| listen.to_string());
        for (text, same) in [
            ("yes", "yes"),
            ("off", "no"),
            ("127.0.0.1", "127.0.0.1:3863"),
            ("[::1]:7", "[::1]:7"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert_eq!(read(text), Ok(same.into()));
        }
        for bad in ["", "maybe", "3863", "localhost", "127.0.0.1:"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn groups_have_names_or_are_multicast() {
        let read = |text: &str| text.parse::<Group>().map(|group| group.to_string());
        for good in ["standard", "rsplib", "239.1.2.3:3863", "[ff05::133]:3863"] {
            assert_eq!(read(good), Ok(good.into()));
        }
        for bad in ["", "iana", "10.0.0.1:3863", "239.1.2.3", "239.1.2.3:0"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
