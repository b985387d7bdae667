//! How many TCP connections a server on this host has, as Linux tells it in `/proc/net`.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a table may be used again: many servers are looked up in the same one.
const TABLE_LIFE: Duration = Duration::from_millis(200);

/// The states in which octets may still pass (`include/net/tcp_states.h` of Linux): established, and those in which one of
/// both sides has not yet ended.
const OPEN: [u8; 5] = [0x01, 0x04, 0x05, 0x08, 0x0b];

/// The connections of this host, read again when they are asked for after a while.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Option<Table>>);

#[derive(Debug)]
struct Table {
    read: Instant,
    open: HashMap<SocketAddr, usize>,
}

impl Connections {
    /// The number of open connections to a server at this address.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn open_at(&self, server: SocketAddr) -> io::Result<usize> {
        let mut table = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let fresh = table.as_ref().filter(|table| table.read.elapsed() < TABLE_LIFE);
        let open = match fresh {
            Some(table) => &table.open,
            None => {
                let mut open = HashMap::new();
                count(&std::fs::read_to_string("/proc/net/tcp")?, &mut open);
                // A host may have no IPv6.
                count(&std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default(), &mut open);
                &table.insert(Table { read: Instant::now(), open }).open
            }
        };
        Ok(open.get(&canonical(server)).copied().unwrap_or_default())
    }
}

/// Counts the open connections of a table by their own address. Lines that are not understood are left out.
fn count(table: &str, open: &mut HashMap<SocketAddr, usize>) {
    for line in table.lines().skip(1) {
        let mut fields = line.split_ascii_whitespace();
        let (Some(own), Some(state)) = (fields.nth(1), fields.nth(1)) else { continue };
        let (Some(own), Ok(state)) = (address(own), u8::from_str_radix(state, 16)) else { continue };
        if OPEN.contains(&state) {
            *open.entry(own).or_default() += 1;
        }
    }
}

/// An address of the table: groups of 32 bits in the order of the machine, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let group = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match ip.len() {
        8 => group(0)?.into(),
        32 => {
            let mut octets = [0; 16];
            for (at, part) in octets.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&group(at)?);
            }
            Ipv6Addr::from(octets).into()
        }
        _ => return None,
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

/// IPv4 as such, also where a socket of IPv6 takes it.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn open_connections_are_counted_by_their_own_address() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue\n";
        let v4 = "   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000\n\
                  \x20  1: 0100007F:1F40 0100007F:D431 01 00000000:00000000\n\
                  \x20  2: 0100007F:D431 0100007F:1F40 01 00000000:00000000\n\
                  \x20  3: 0100007F:1F40 0100007F:D432 08 00000000:00000000\n\
                  \x20  4: 0100007F:1F40 0100007F:D433 06 00000000:00000000\n\
                  \x20  garbage\n";
        let v6 = "   0: 0000000000000000FFFF00000100007F:1F40 0000000000000000FFFF00000100007F:9999 01 0:0\n\
                  \x20  1: 00000000000000000000000001000000:0050 00000000000000000000000001000000:9999 01 0:0\n";
        let mut open = HashMap::new();
        count(&format!("{head}{v4}"), &mut open);
        count(&format!("{head}{v6}"), &mut open);
        let at = |text: &str| open.get(&text.parse::<SocketAddr>().unwrap()).copied();
        assert_eq!(at("127.0.0.1:8000"), Some(3), "one established, one closing, one by IPv6; not TIME_WAIT");
        assert_eq!((at("[::1]:80"), at("127.0.0.1:80")), (Some(1), None));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_of_this_host_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        assert_eq!(Connections::default().open_at(at).unwrap(), 0);
        let _client = std::net::TcpStream::connect(at).unwrap();
        let _server = listener.accept().unwrap();
        assert_eq!(Connections::default().open_at(at).unwrap(), 1);
    }
}
