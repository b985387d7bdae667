//! The types of single values, each read alike from a flag and from a TOML file.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use rserpool_core::base::{
    ASAP_PORT, Carrier, DEFAULT_ENCAPSULATION_PORT, ElementId, RegistrarId, TransportAddress,
};
use rserpool_core::driver::{AnnounceGroup, Preset, TcpListening};
use rserpool_core::policy::Counting;
use rserpool_core::registrar::TakeoverWinner;
use rserpool_core::wire::{LifeUnit, Padding, Policy, RegistrationLife};
use serde::{Deserialize, Serialize};

use crate::exit::Failure;

/// A duration with its unit: `250ms`, `5s`, `1m 30s`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Time(pub(crate) Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|_| format!("\"{text}\" is no duration; write 250ms, 5s or 2m"))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl From<Time> for Option<Duration> {
    fn from(time: Time) -> Self {
        Some(time.0)
    }
}

/// A registration life: a duration of whole seconds, or `infinite`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Life(RegistrationLife);

impl FromStr for Life {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "infinite" {
            return Ok(Self(RegistrationLife::INFINITE));
        }
        let duration = Time::from_str(text)?.0;
        match i32::try_from(duration.as_secs()) {
            Ok(seconds) if duration.subsec_nanos() == 0 => Ok(Self(RegistrationLife(seconds))),
            _ => Err(format!("\"{text}\" is no life: write whole seconds, below 68 years, or infinite")),
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.duration() {
            Some(duration) => Time(duration).fmt(f),
            None => f.write_str("infinite"),
        }
    }
}

impl From<Life> for RegistrationLife {
    fn from(life: Life) -> Self {
        life.0
    }
}

/// An identifier of 32 bits, `0x2001` or decimal, not zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "IdForm", into = "String")]
pub(crate) struct Id(pub(crate) u32);

/// How an identifier may stand in a TOML file.
#[derive(Deserialize)]
#[serde(untagged, expecting = "an identifier such as 0x2001")]
enum IdForm {
    Number(u32),
    Text(String),
}

impl TryFrom<IdForm> for Id {
    type Error = String;

    fn try_from(form: IdForm) -> Result<Self, String> {
        match form {
            IdForm::Number(number) => number.to_string().parse(),
            IdForm::Text(text) => text.parse(),
        }
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        match number {
            Ok(0) => Err("0 is no identifier: it means none".into()),
            Ok(number) => Ok(Self(number)),
            Err(_) => Err(format!("\"{text}\" is no identifier; write 0x1 to 0xffffffff, or decimal digits")),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl From<Id> for Option<RegistrarId> {
    fn from(id: Id) -> Self {
        Some(RegistrarId(id.0))
    }
}

impl From<Id> for Option<ElementId> {
    fn from(id: Id) -> Self {
        Some(ElementId(id.0))
    }
}

/// An IP address with a UDP port: `127.0.0.1:20001`, `127.0.0.1` or `[::1]:20001`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct UdpAddress(pub(crate) SocketAddr);

impl FromStr for UdpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        address(text, DEFAULT_ENCAPSULATION_PORT).map(Self).ok_or_else(|| {
            format!(
                "\"{text}\" is no address; write IP, IP:UDP-PORT or [IPv6]:UDP-PORT (names are not looked up)"
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

/// Whether a registrar accepts users over TCP, and where: `yes`, `no`, or its IP address and TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TcpListenForm", into = "String")]
pub(crate) struct TcpListen(pub(crate) TcpListening);

/// How that may stand in a TOML file.
#[derive(Deserialize)]
#[serde(untagged, expecting = "true, false, or an address such as \"192.0.2.1:3863\"")]
enum TcpListenForm {
    Switch(bool),
    Text(String),
}

impl TryFrom<TcpListenForm> for TcpListen {
    type Error = String;

    fn try_from(form: TcpListenForm) -> Result<Self, String> {
        match form {
            TcpListenForm::Switch(true) => "yes".parse(),
            TcpListenForm::Switch(false) => "no".parse(),
            TcpListenForm::Text(text) => text.parse(),
        }
    }
}

impl FromStr for TcpListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(at) = address(text, ASAP_PORT) {
            return Ok(Self(TcpListening::At(Some(at.ip()), at.port())));
        }
        match text.parse::<Switch>() {
            Ok(Switch(true)) => Ok(Self(TcpListening::At(None, ASAP_PORT))),
            Ok(Switch(false)) => Ok(Self(TcpListening::No)),
            Err(_) => {
                Err(format!("\"{text}\" is no place; write yes, no, IP, IP:TCP-PORT or [IPv6]:TCP-PORT"))
            }
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

impl From<TcpListen> for String {
    fn from(listen: TcpListen) -> Self {
        listen.to_string()
    }
}

/// A registrar: an IP address or a name, and the UDP port of its SCTP encapsulation; or `tcp:` before
/// these, and its TCP port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Host {
    carrier: Carrier,
    name: String,
    port: u16,
}

impl Host {
    /// Its addresses, with this SCTP port. A name is looked up now; of its addresses those of the
    /// family of our socket count, if there are any.
    pub(crate) fn resolve(&self, port: u16, bind: Option<UdpAddress>) -> Result<TransportAddress, Failure> {
        if self.carrier == Carrier::Tcp {
            let only_users = "only connect and resolve reach a registrar by TCP; here it takes SCTP";
            return Err(Failure::usage(format!("{self}: {only_users} (RFC 5352 section 2.1)")));
        }
        let mut addresses = self.look_up()?;
        let ipv6 = bind.is_some_and(|bind| bind.0.is_ipv6());
        if addresses.iter().any(|address| address.is_ipv6() == ipv6) {
            addresses.retain(|address| address.is_ipv6() == ipv6);
        }
        Ok(TransportAddress::sctp(addresses, port, self.port))
    }

    /// The same for a user, who may use TCP, too; that takes addresses of any family.
    pub(crate) fn resolve_for_user(
        &self,
        port: u16,
        bind: Option<UdpAddress>,
    ) -> Result<TransportAddress, Failure> {
        match self.carrier {
            Carrier::Sctp => self.resolve(port, bind),
            Carrier::Tcp => Ok(TransportAddress::tcp(self.look_up()?, self.port)),
        }
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
            Some(place) => (Carrier::Tcp, place, ASAP_PORT),
            None => (Carrier::Sctp, text, DEFAULT_ENCAPSULATION_PORT),
        };
        if let Some(at) = address(place, default_port) {
            return Ok(Self { carrier, name: at.ip().to_string(), port: at.port() });
        }
        let refused = || {
            format!(
                "\"{text}\" is no address; write HOST, HOST:UDP-PORT, [IPv6]:UDP-PORT or tcp:HOST:TCP-PORT"
            )
        };
        let (name, port) = place.split_once(':').map_or((place, None), |(name, port)| (name, Some(port)));
        let port = match port {
            None => default_port,
            Some(port) => port.parse().map_err(|_| refused())?,
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        // No name ends in a number: 300.1.2.3 is an address with a slip of the pen.
        let last = name.rsplit('.').find(|label| !label.is_empty()).unwrap_or_default();
        if last.is_empty() || !name.chars().all(is_name) || last.chars().all(|c| c.is_ascii_digit()) {
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
                    "\"{text}\" is no group; write standard, rsplib, or a multicast address as IP:UDP-PORT"
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

/// A policy by its name, with its values after colons: `WeightedRoundRobin:3`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PolicyText(pub(crate) Policy);

impl FromStr for PolicyText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Policy::from_str(text).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for PolicyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<PolicyText> for Policy {
    fn from(text: PolicyText) -> Self {
        text.0
    }
}

/// What serde needs of a type that is read with `FromStr` and written with `Display`.
macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )+};
}
as_text!(Time, Life, UdpAddress, Host, Group, PolicyText);

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

/// How often to try; 0 means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Attempts(pub(crate) u32);

impl FromStr for Attempts {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl From<Attempts> for Option<u32> {
    fn from(attempts: Attempts) -> Self {
        (attempts.0 != 0).then_some(attempts.0)
    }
}

/// Yes or no; `true` and `false` in a TOML file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Switch(pub(crate) bool);

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "yes" | "true" | "on" | "1" => Ok(Self(true)),
            "no" | "false" | "off" | "0" => Ok(Self(false)),
            _ => Err(format!("\"{text}\" is neither yes nor no")),
        }
    }
}

impl From<Switch> for bool {
    fn from(switch: Switch) -> Self {
        switch.0
    }
}

/// Which timers and limits to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PresetName {
    /// The RFCs' own values, for any network.
    #[default]
    Rfc,
    /// For a LAN: failures are noticed, and sessions moved, within 500 ms.
    Fast,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Rfc => Self::Rfc,
            PresetName::Fast => Self::Fast,
        }
    }
}

/// Whether the padding of the last parameter counts in the length of a message.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PaddingForm {
    /// It does not, as RFC 5354 says.
    Strict,
    /// It does, as RSPLIB expects.
    Padded,
}

impl From<PaddingForm> for Padding {
    fn from(form: PaddingForm) -> Self {
        match form {
            PaddingForm::Strict => Self::Strict,
            PaddingForm::Padded => Self::Padded,
        }
    }
}

/// Which of two registrars that want to take over the same peer goes on.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WinnerName {
    /// The one with the larger identifier, as RFC 5353 has it.
    LargerId,
    /// The one with the smaller identifier, as RSPLIB has it.
    SmallerId,
}

impl From<WinnerName> for TakeoverWinner {
    fn from(name: WinnerName) -> Self {
        match name {
            WinnerName::LargerId => Self::LargerId,
            WinnerName::SmallerId => Self::SmallerId,
        }
    }
}

/// The unit of registration lives on the wire.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LifeUnitName {
    /// As RFC 5354 has it.
    Seconds,
    /// As RSPLIB has it.
    Milliseconds,
}

impl From<LifeUnitName> for LifeUnit {
    fn from(name: LifeUnitName) -> Self {
        match name {
            LifeUnitName::Seconds => Self::Seconds,
            LifeUnitName::Milliseconds => Self::Milliseconds,
        }
    }
}

/// Which elements of an answer count as selected for load degradation.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CountingName {
    /// All that are listed, as RFC 5356 says.
    Listed,
    /// Only the first, as RSPLIB does.
    First,
}

impl From<CountingName> for Counting {
    fn from(name: CountingName) -> Self {
        match name {
            CountingName::Listed => Self::Listed,
            CountingName::First => Self::First,
        }
    }
}

/// What stands for a value in the help.
pub(crate) trait Named {
    const NAME: &'static str;
}

impl<T: Named> Named for Vec<T> {
    const NAME: &'static str = T::NAME;
}

macro_rules! named {
    ($($name:literal: $($ty:ty),+;)+) => {$($(
        impl Named for $ty {
            const NAME: &'static str = $name;
        }
    )+)+};
}
named! {
    "TIME": Time;
    "TIME|infinite": Life;
    "N": u8, u16, u32, usize, Attempts;
    "ID": Id;
    "IP[:PORT]": UdpAddress;
    "HOST[:PORT]": Host;
    "yes|no|IP[:PORT]": TcpListen;
    "IP": IpAddr;
    "standard|rsplib|IP:PORT": Group;
    "ORDER": WinnerName;
    "WHICH": CountingName;
    "UNIT": LifeUnitName;
    "POLICY": PolicyText;
    "yes|no": Switch;
    "PRESET": PresetName;
    "FORM": PaddingForm, super::LogFormat;
    "TEXT": String;
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
        let found = "localhost:20001".parse::<Host>().unwrap().resolve(9901, None).unwrap();
        assert_eq!(found, TransportAddress::new("127.0.0.1".parse().unwrap(), 9901, 20001));
    }

    /// ASAP-8.2-01: the port of ASAP over TCP.
    #[test]
    fn a_registrar_may_be_reached_by_tcp() {
        let read = |text: &str| text.parse::<Host>().map(|host| host.to_string());
        assert_eq!(read("tcp:127.0.0.1"), Ok("tcp:127.0.0.1:3863".into()));
        assert_eq!(read("tcp:[::1]:7"), Ok("tcp:[::1]:7".into()));
        assert_eq!(read("tcp:registrar.example.net"), Ok("tcp:registrar.example.net:3863".into()));
        for bad in ["tcp:", "tcp:tcp:127.0.0.1", "tcp:300.1.2.3", "TCP:127.0.0.1", "tcp:20001"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let host: Host = "tcp:localhost:20001".parse().unwrap();
        let found = host.resolve_for_user(3863, None).unwrap();
        assert!(found.is_tcp() && found.port == 20001 && found.udp_port == 0, "{found}");
        assert!(matches!(host.resolve(3863, None), Err(Failure::Usage(_))));
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

    #[test]
    fn identifiers_are_hexadecimal_or_decimal_but_not_zero() {
        let read = |text: &str| text.parse::<Id>().map(|id| id.0);
        assert_eq!((read("0x2001"), read("8193"), read("0XFF")), (Ok(0x2001), Ok(8193), Ok(255)));
        for bad in ["0", "0x0", "2001h", "0x1ffffffff", "-1", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lives_are_whole_seconds() {
        let read = |text: &str| text.parse::<Life>().map(|life| RegistrationLife::from(life).0);
        assert_eq!((read("300s"), read("5m"), read("infinite")), (Ok(300), Ok(300), Ok(-1)));
        assert!(read("1500ms").is_err() && read("100years").is_err());
    }
}
