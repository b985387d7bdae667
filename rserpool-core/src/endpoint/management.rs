//! The private questions for status, counters and peers
//! ([`ProtocolId::MANAGEMENT`](crate::base::ProtocolId::MANAGEMENT)): the inspector asks, the registrar
//! answers in text. The octets are those of every version: programs of another one read them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::{PeerState, PeerStatus, RegistrarState, RegistrarStatus};
use crate::base::{RegistrarId, SctpPort, TransportAddress, UdpPort};

/// The question for counters.
pub(crate) const COUNTERS_REQUEST: &[u8] = b"counters";

/// The question for peers.
pub(crate) const PEERS_REQUEST: &[u8] = b"peers";

/// The question for what the registrar is and does.
pub(crate) const STATUS_REQUEST: &[u8] = b"status";

/// The first line of the answer to [`PEERS_REQUEST`], so that an answer is never empty: SCTP has no empty
/// messages.
pub(crate) const PEERS_HEADER: &str = "id\tstate\tconnected\telements\tchecksum\tannounced_checksum\taddress";

/// Why what a registrar says of a peer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is \"{text}\"")]
#[non_exhaustive]
pub struct ReportError {
    /// The field, named as in the first line of the answer.
    pub field: &'static str,
    /// What stands there.
    pub text: String,
}

/// The header and one line for each peer.
pub(crate) fn peers_text(peers: Vec<PeerStatus>) -> String {
    let mut text = format!("{PEERS_HEADER}\n");
    for peer in peers {
        let PeerStatus { id, address, connected, state, elements, checksum, announced_checksum } = peer;
        let announced = announced_checksum.map_or_else(|| "-".into(), |sum| format!("{sum:#06x}"));
        let address = address.map_or_else(|| "-".into(), |address| address.to_string());
        let _ =
            writeln!(text, "{id}\t{state}\t{connected}\t{elements}\t{checksum:#06x}\t{announced}\t{address}");
    }
    text
}

/// One line for each field: its name, a space, its value.
pub(crate) fn status_text(status: &RegistrarStatus) -> String {
    let RegistrarStatus { id, version, state, reason, uptime } = status;
    let uptime = uptime.as_millis();
    format!("id {id}\nversion {version}\nstate {state}\nreason {reason}\nuptime_ms {uptime}\n")
}

/// Reads [`status_text`]. Lines with other names are left to other versions.
pub(crate) fn read_status(text: &str) -> Result<RegistrarStatus, ReportError> {
    let find = |name: &'static str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.ok_or_else(|| ReportError { field: name, text: String::new() })
    };
    Ok(RegistrarStatus {
        id: RegistrarId(field("id", find("id")?, read_id)?),
        version: find("version")?.into(),
        state: field("state", find("state")?, |text| {
            RegistrarState::ALL.into_iter().find(|state| state.to_string() == text)
        })?,
        reason: find("reason")?.into(),
        uptime: Duration::from_millis(field("uptime_ms", find("uptime_ms")?, |text| text.parse().ok())?),
    })
}

/// Reads a line of [`peers_text`]; `None` if it has another number of fields.
pub(crate) fn read_peer(line: &str) -> Option<Result<PeerStatus, ReportError>> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [id, state, connected, elements, checksum, announced, address] = fields[..] else { return None };
    let read = || {
        Ok(PeerStatus {
            id: RegistrarId(field("id", id, read_id)?),
            state: field("state", state, |text| {
                PeerState::ALL.into_iter().find(|state| state.to_string() == text)
            })?,
            connected: field("connected", connected, |text| text.parse().ok())?,
            elements: field("elements", elements, |text| text.parse().ok())?,
            checksum: field("checksum", checksum, read_checksum)?,
            announced_checksum: perhaps("announced_checksum", announced, read_checksum)?,
            address: perhaps("address", address, read_address)?,
        })
    };
    Some(read())
}

fn field<T>(field: &'static str, text: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, ReportError> {
    read(text).ok_or_else(|| ReportError { field, text: text.into() })
}

/// A field that is a dash if there is nothing to be said.
fn perhaps<T>(
    name: &'static str,
    text: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ReportError> {
    if text == "-" { Ok(None) } else { field(name, text, read).map(Some) }
}

fn read_id(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn read_checksum(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// A transport address as it is displayed: `tcp:192.0.2.1:3863`, or `192.0.2.1,[2001:db8::1]:9899/3863`.
fn read_address(text: &str) -> Option<TransportAddress> {
    let read_all = |text: &str| text.split(',').map(read_ip).collect::<Option<Vec<IpAddr>>>();
    if let Some(text) = text.strip_prefix("tcp:") {
        let (addresses, port) = text.rsplit_once(':')?;
        return Some(TransportAddress::tcp(read_all(addresses)?, port.parse().ok()?));
    }
    let (socket, port) = text.rsplit_once('/')?;
    let (addresses, udp_port) = socket.rsplit_once(':')?;
    Some(TransportAddress::sctp(
        read_all(addresses)?,
        SctpPort(port.parse().ok()?),
        UdpPort(udp_port.parse().ok()?),
    ))
}

fn read_ip(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(text) => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SctpAddress;
    use alloc::vec;

    fn peer(address: Option<TransportAddress>) -> PeerStatus {
        PeerStatus {
            id: RegistrarId(0x1a2b),
            address,
            connected: true,
            state: PeerState::TakingOver,
            elements: 3,
            checksum: 0x0012,
            announced_checksum: None,
        }
    }

    /// A program of another version reads these octets.
    #[test]
    fn the_octets_are_those_of_every_version() {
        let at = SctpAddress::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SctpPort(9901), UdpPort(20_002)).into();
        let known =
            PeerStatus { announced_checksum: Some(0xabcd), state: PeerState::Active, ..peer(Some(at)) };
        let text = "id\tstate\tconnected\telements\tchecksum\tannounced_checksum\taddress\n\
                    0x1a2b\tactive\ttrue\t3\t0x0012\t0xabcd\t127.0.0.1:20002/9901\n\
                    0x1a2b\tbeing taken over\ttrue\t3\t0x0012\t-\t-\n";
        assert_eq!(peers_text(vec![known, peer(None)]), text);
    }

    #[test]
    fn the_status_is_read_as_it_is_written() {
        let status = RegistrarStatus {
            id: RegistrarId(0x1a2b),
            version: "0.1.0".into(),
            state: RegistrarState::Starting,
            reason: "no other registrar has answered yet".into(),
            uptime: Duration::from_millis(1_500),
        };
        let text = "id 0x1a2b\nversion 0.1.0\nstate starting\nreason no other registrar has answered yet\n\
                    uptime_ms 1500\n";
        assert_eq!(status_text(&status), text);
        assert_eq!(read_status(&format!("{text}colour red\n")), Ok(status));
        let error = |field, text: &str| Err(ReportError { field, text: text.into() });
        assert_eq!(read_status(&text.replace("starting", "asleep")), error("state", "asleep"));
        assert_eq!(read_status("id 0x1\n"), error("version", ""));
    }

    #[test]
    fn what_is_written_is_read() {
        let six = IpAddr::V6("2001:db8::1".parse().unwrap());
        let four = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let places = [
            None,
            Some(SctpAddress::new(four, SctpPort(9901), UdpPort(9899)).into()),
            Some(TransportAddress::sctp(vec![six, four], SctpPort(9901), UdpPort(9899))),
            Some(TransportAddress::tcp(vec![four, six], 3863)),
        ];
        for (place, state) in places.into_iter().zip(PeerState::ALL) {
            let peer = PeerStatus { state, ..peer(place) };
            let text = peers_text(vec![peer.clone()]);
            assert_eq!(read_peer(text.lines().nth(1).unwrap()), Some(Ok(peer)));
        }
    }

    #[test]
    fn a_value_that_cannot_be_read_is_named() {
        let error = |field, text: &str| Some(Err(ReportError { field, text: text.into() }));
        let good = "0x2\tactive\ttrue\t3\t0x1234\t-\t127.0.0.1:20002/9901";
        assert!(matches!(read_peer(good), Some(Ok(_))));
        assert_eq!(read_peer("0x2\tactive"), None);
        assert_eq!(read_peer(&good.replace("0x2", "two")), error("id", "two"));
        assert_eq!(read_peer(&good.replace("active", "asleep")), error("state", "asleep"));
        assert_eq!(read_peer(&good.replace("true", "yes")), error("connected", "yes"));
        assert_eq!(read_peer(&good.replace("0x1234", "0x12345")), error("checksum", "0x12345"));
        assert_eq!(read_peer(&good.replace("/9901", "")), error("address", "127.0.0.1:20002"));
    }
}
