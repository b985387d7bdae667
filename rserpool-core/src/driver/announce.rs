//! The socket of an announcement channel (RFC 5352 section 3.6).

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::task::{Context, Poll};

use bytes::Bytes;
use socket2::{Domain, Protocol, Type};

use super::{Received, Runtime, Socket};
use crate::endpoint::Channel;
use crate::transport::Datagram;

/// Where RFC 5352 section 3.6 lets registrars announce themselves.
pub const ASAP_ANNOUNCE_GROUP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 1, 185)), 3863);

/// Announcements that wait for the socket; an older one is worth nothing beside a newer one.
const QUEUE: usize = 8;

/// Sends to a multicast group and hears what others send to it.
///
/// Unlike the encapsulation socket it shares its port, with every process on this machine that
/// listens to the same group.
pub(super) struct AnnounceSocket {
    pub(super) channel: Channel,
    group: SocketAddr,
    socket: Box<dyn Socket>,
    outgoing: VecDeque<Datagram>,
}

impl AnnounceSocket {
    /// Joins `group` on the interface with the address `interface`; the unspecified address lets
    /// the operating system choose.
    pub(super) fn join<R: Runtime>(
        runtime: &R,
        channel: Channel,
        group: SocketAddr,
        interface: IpAddr,
    ) -> io::Result<Self> {
        let socket = runtime.wrap_socket(join(group, interface)?)?;
        Ok(Self { channel, group, socket, outgoing: VecDeque::new() })
    }

    /// Queues an announcement.
    pub(super) fn send(&mut self, bytes: Bytes) {
        if self.outgoing.len() == QUEUE {
            self.outgoing.pop_front();
        }
        self.outgoing.push_back(Datagram { destination: self.group, bytes });
    }

    /// Sends what is queued, as far as the socket takes it; the first error ends the attempt.
    pub(super) fn flush(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.socket.poll_send(context, self.outgoing.make_contiguous()) {
                Poll::Ready(Ok(sent)) => drop(self.outgoing.drain(..sent.min(self.outgoing.len()))),
                Poll::Ready(Err(error)) => {
                    self.outgoing.clear();
                    return Err(error);
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

fn join(group: SocketAddr, interface: IpAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(group), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    match group.ip() {
        IpAddr::V4(address) => {
            socket.bind(&SocketAddr::new(address.into(), group.port()).into())?;
            let interface = if let IpAddr::V4(own) = interface { own } else { Ipv4Addr::UNSPECIFIED };
            socket.join_multicast_v4(&address, &interface)?;
            socket.set_multicast_if_v4(&interface)?;
        }
        IpAddr::V6(address) => {
            socket.bind(&SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), group.port()).into())?;
            socket.join_multicast_v6(&address, 0)?;
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
