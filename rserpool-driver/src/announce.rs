//! The sockets of the announcement channels: ASAP_SERVER_ANNOUNCE (RFC 5352 section 3.6) and, as an
//! extension, ENRP_PRESENCE (reading B22), both by UDP multicast.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::task::{Context, Poll};

use bytes::Bytes;
use rserpool_core::base::{ASAP_PORT, ENRP_PORT};
use rserpool_core::endpoint::Channel;
use rserpool_transport::{Datagram, reaches};
use socket2::{Domain, Protocol, Type};

use crate::error::StartError;
use crate::families;
use crate::interfaces::{self, Interface};
use crate::runtime::{Received, Runtime, Socket};

/// Where RFC 5352 section 8.4 lets registrars announce themselves over IPv4: IANA's group.
pub const ASAP_ANNOUNCE_GROUP: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 1, 185)), ASAP_PORT.0);
/// The same over IPv6: IANA's group FF0X::133 in the scope of a site.
pub const ASAP_ANNOUNCE_GROUP_V6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0x133)), ASAP_PORT.0);
/// Where registrars find each other over IPv4 if they are told to. IANA has assigned no group for
/// ENRP: this one is from the local scope of RFC 2365, its last two octets are the port.
pub const ENRP_ANNOUNCE_GROUP: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 38, 173)), ENRP_PORT.0);
/// The same over IPv6: a group that is not assigned (flag T of RFC 4291), in the scope of a site.
pub const ENRP_ANNOUNCE_GROUP_V6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0, 0x26ad)), ENRP_PORT.0);
/// Where RSPLIB's registrars announce themselves.
pub const RSPLIB_ASAP_GROUP: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 0, 0, 50)), ASAP_PORT.0);
/// Where RSPLIB's registrars find each other.
pub const RSPLIB_ENRP_GROUP: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 0, 0, 51)), ENRP_PORT.0);

/// Announcements that wait for the socket; an older one is worth nothing beside a newer one.
const QUEUE: usize = 8;

/// A multicast group for announcements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AnnounceGroup {
    /// For ASAP that of IANA, for ENRP this project's own, in every address family of the
    /// encapsulation socket.
    #[default]
    Standard,
    /// That of RSPLIB; there is one for IPv4 only.
    Rsplib,
    /// Any other, with its UDP port.
    At(SocketAddr),
}

impl AnnounceGroup {
    /// Its address and UDP port for a channel.
    pub(super) const fn address(self, channel: Channel, ipv6: bool) -> SocketAddr {
        match (self, channel, ipv6) {
            (Self::At(group), _, _) => group,
            (Self::Rsplib, Channel::Asap, _) => RSPLIB_ASAP_GROUP,
            (Self::Rsplib, Channel::Enrp, _) => RSPLIB_ENRP_GROUP,
            (Self::Standard, Channel::Asap, false) => ASAP_ANNOUNCE_GROUP,
            (Self::Standard, Channel::Asap, true) => ASAP_ANNOUNCE_GROUP_V6,
            (Self::Standard, Channel::Enrp, false) => ENRP_ANNOUNCE_GROUP,
            (Self::Standard, Channel::Enrp, true) => ENRP_ANNOUNCE_GROUP_V6,
        }
    }
}

impl From<SocketAddr> for AnnounceGroup {
    fn from(group: SocketAddr) -> Self {
        Self::At(group)
    }
}

/// What is announced where, and how far it travels.
#[derive(Clone, Copy, Debug)]
pub struct Announcing {
    /// The group of ASAP, if announcements are sent or heard.
    pub(super) asap: Option<AnnounceGroup>,
    /// The group of ENRP, if registrars find each other by multicast.
    pub(super) enrp: Option<AnnounceGroup>,
    /// TTL or hop limit: 1 is the own link, each router on the way takes one.
    pub(super) ttl: u8,
}

impl Default for Announcing {
    fn default() -> Self {
        Self { asap: None, enrp: None, ttl: 1 }
    }
}

impl Announcing {
    /// The groups in use, for an encapsulation socket bound to `local`.
    ///
    /// # Errors
    /// If one is not a multicast group, or is of the other address family.
    pub(super) fn groups(&self, local: IpAddr) -> Result<Vec<(Channel, SocketAddr)>, StartError> {
        let mut groups = Vec::new();
        for (channel, choice) in [(Channel::Asap, self.asap), (Channel::Enrp, self.enrp)] {
            let Some(choice) = choice else { continue };
            for ipv6 in families::of(local) {
                let group = choice.address(channel, ipv6);
                if !group.ip().is_multicast() || group.port() == 0 {
                    return Err(StartError::NoGroup { channel, group });
                }
                if !reaches(local, group.ip()) {
                    return Err(StartError::OtherFamily { channel, group });
                }
                // On a host that has IPv6 only for itself, its group is worth nothing beside that of IPv4.
                let stands_alone = groups.iter().all(|(other, _)| *other != channel);
                let useful = stands_alone || interfaces::have_ipv6();
                if useful && !groups.contains(&(channel, group)) {
                    groups.push((channel, group));
                }
            }
        }
        Ok(groups)
    }
}

/// Sends to a multicast group through one interface, and hears what others send to it there.
///
/// Unlike the encapsulation socket it shares its port, with every process on this machine that
/// listens to the same group.
pub(super) struct AnnounceSocket {
    pub(super) channel: Channel,
    /// The group, and the name of the interface, for the log.
    pub(super) label: String,
    group: SocketAddr,
    socket: Box<dyn Socket>,
    /// Whether anything is sent here: not on loopback, if there is a network too, because others on
    /// this machine hear what goes out there.
    speaks: bool,
    /// Whether the last announcement could not be sent.
    failing: bool,
    outgoing: VecDeque<Datagram>,
}

impl AnnounceSocket {
    /// Joins a group on the interface with the address `local`, or, if that is unspecified, on every
    /// interface that can. Fails if there is none.
    pub(super) fn join<R: Runtime>(
        runtime: &R,
        (channel, group): (Channel, SocketAddr),
        ttl: u8,
        local: IpAddr,
    ) -> io::Result<Vec<Self>> {
        let interfaces = interfaces::of(local, group.is_ipv6());
        let has_network = interfaces.iter().any(|interface| !interface.loopback);
        let mut joined = Vec::new();
        let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, "no interface can carry it");
        for interface in interfaces {
            let group = on_interface(group, interface.index);
            match join(group, &interface, ttl, local).and_then(|socket| runtime.wrap_socket(socket)) {
                Ok(socket) => joined.push(Self {
                    channel,
                    label: format!("{} on {}", group.ip(), interface.name),
                    group,
                    socket,
                    speaks: !interface.loopback || !has_network,
                    failing: false,
                    outgoing: VecDeque::new(),
                }),
                Err(error) => failure = error,
            }
        }
        if joined.is_empty() { Err(failure) } else { Ok(joined) }
    }

    /// Queues an announcement.
    pub(super) fn send(&mut self, bytes: Bytes) {
        if !self.speaks {
            return;
        }
        if self.outgoing.len() == QUEUE {
            self.outgoing.pop_front();
        }
        self.outgoing.push_back(Datagram { destination: self.group, bytes });
    }

    /// Sends what is queued, as far as the socket takes it; the first error ends the attempt. Only
    /// the first of several failures in a row is an error: the next announcement comes in a second.
    pub(super) fn flush(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.socket.poll_send(context, self.outgoing.make_contiguous()) {
                Poll::Ready(Ok(sent)) => {
                    drop(self.outgoing.drain(..sent.min(self.outgoing.len())));
                    self.failing = false;
                }
                Poll::Ready(Err(error)) => {
                    self.outgoing.clear();
                    let known = std::mem::replace(&mut self.failing, true);
                    return if known { Ok(()) } else { Err(error) };
                }
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Appends announcements that have arrived, our own among them.
    pub(super) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        received: &mut Vec<Received>,
    ) -> Poll<io::Result<()>> {
        self.socket.poll_receive(context, received)
    }
}

/// IPv6 groups in the scope of a link mean nothing without an interface.
const fn on_interface(group: SocketAddr, index: u32) -> SocketAddr {
    match group {
        SocketAddr::V4(_) => group,
        SocketAddr::V6(group) => SocketAddr::V6(SocketAddrV6::new(*group.ip(), group.port(), 0, index)),
    }
}

fn join(group: SocketAddr, interface: &Interface, ttl: u8, local: IpAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(group), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    match group.ip() {
        IpAddr::V4(address) => {
            let first = interface.addresses.iter().find(|address| address.is_ipv4());
            let own = match (local, first) {
                (IpAddr::V4(own), _) if !own.is_unspecified() => own,
                (_, Some(IpAddr::V4(first))) => *first,
                _ => return Err(io::ErrorKind::AddrNotAvailable.into()),
            };
            socket.bind(&group.into())?;
            socket.join_multicast_v4(&address, &own)?;
            socket.set_multicast_if_v4(&own)?;
            socket.set_multicast_ttl_v4(ttl.into())?;
            // Or each of our sockets hears what arrives at any of them.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            socket.set_multicast_all_v4(false)?;
        }
        IpAddr::V6(address) => {
            socket.set_only_v6(true)?;
            socket.bind(&group.into())?;
            socket.join_multicast_v6(&address, interface.index)?;
            socket.set_multicast_if_v6(interface.index)?;
            socket.set_multicast_hops_v6(ttl.into())?;
            #[cfg(any(target_os = "linux", target_os = "android"))]
            socket.set_multicast_all_v6(false)?;
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ASAP-8.4-01, reading B22: the numbers that others must use too.
    #[test]
    fn groups_are_multicast_and_end_in_their_numbers() {
        let text = |group: SocketAddr| group.to_string();
        assert_eq!(text(ASAP_ANNOUNCE_GROUP), "224.0.1.185:3863");
        assert_eq!(text(ASAP_ANNOUNCE_GROUP_V6), "[ff05::133]:3863");
        assert_eq!(text(ENRP_ANNOUNCE_GROUP), "239.255.38.173:9901");
        assert_eq!(38 * 256 + 173, ENRP_PORT.0);
        assert_eq!(text(ENRP_ANNOUNCE_GROUP_V6), "[ff15::26ad]:9901");
        assert_eq!(text(RSPLIB_ASAP_GROUP), "239.0.0.50:3863");
        assert_eq!(text(RSPLIB_ENRP_GROUP), "239.0.0.51:9901");
    }

    #[test]
    fn only_groups_of_ipv6_name_their_interface() {
        assert_eq!(on_interface(ASAP_ANNOUNCE_GROUP, 3), ASAP_ANNOUNCE_GROUP);
        assert_eq!(on_interface(ASAP_ANNOUNCE_GROUP_V6, 3).to_string(), "[ff05::133%3]:3863");
    }
}
