//! A foreign stack as the peer: another process, real UDP sockets, real time.
//!
//! Every datagram between us and the peer passes through a [`Wire`], so the network between them
//! can be made worse or cut without touching the machine's.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{Instant, SctpAddress, SctpPort, TransportAddress, UdpPort};

use super::backend::Backend;
use super::bench::{Cuts, Failure, World};
use super::end::{End, Order, PEER, US, What, Who};
use super::guest;
use super::process::Process;
use super::setup::{Family, Peer, Setup};
use super::wire::Wire;

/// A datagram on its way to us (from there) or away (to there).
#[derive(Clone, Debug)]
enum Parcel {
    In(SocketAddr, Bytes),
    Out(SocketAddr, Bytes),
}

/// Us on a UDP socket, and peers in processes.
pub(super) struct Real {
    start: std::time::Instant,
    peer: Peer,
    setup: Setup,
    socket: UdpSocket,
    local: SocketAddr,
    us: End,
    /// The peers with their SCTP and UDP ports; none runs before it is needed.
    peers: [(Option<Process>, u16, u16); 2],
    wire: Wire<Parcel>,
    cuts: Cuts,
    seen: Vec<(Who, Who, What)>,
    packets: Vec<(bool, Vec<u8>)>,
}

/// The longest time without a look at the peers' reports.
const TICK: Duration = Duration::from_millis(1);

impl Real {
    /// Us, with the first peer running.
    ///
    /// # Errors
    ///
    /// No socket, or no peer.
    pub(super) fn new(backend: Backend, peer: Peer, setup: Setup) -> Result<Self, Failure> {
        let addresses = our_addresses(peer, setup.family);
        // With several addresses the kernel chooses the one nearest to each destination.
        let bound = if setup.wild { unspecified(setup.family) } else { addresses[0] };
        let socket = UdpSocket::bind(SocketAddr::new(bound, 0)).map_err(io)?;
        let bound = socket.local_addr().map_err(io)?;
        let local = SocketAddr::new(addresses[0], bound.port());
        let seed = u64::from(std::process::id()) << 16 | u64::from(local.port());
        let mut config = setup.config.clone();
        (config.seed, config.tell_addresses, config.addresses) = (seed, setup.wild, addresses);
        let mut stack = backend.stack(config, bound);
        stack.listen(SctpPort(setup.our_port));
        let mut world = Self {
            start: std::time::Instant::now(),
            peer,
            local,
            us: End::new(stack),
            peers: [(None, setup.peer_port, udp_port(peer)?), (None, setup.peer_port + 1, udp_port(peer)?)],
            wire: Wire::new(setup.link, setup.seed),
            setup,
            socket,
            cuts: Cuts::default(),
            seen: Vec::new(),
            packets: Vec::new(),
        };
        world.process(PEER)?;
        Ok(world)
    }

    /// The process of a peer, started if it does not run.
    fn process(&mut self, who: Who) -> Result<&mut Process, Failure> {
        let (process, port, udp_port) = &mut self.peers[who - PEER];
        if process.is_none() {
            let address = peer_addresses(self.peer, self.setup.family)[0].to_string();
            let address = if self.setup.wild { "any" } else { &address };
            *process = Some(Process::start(address, *port, *udp_port)?);
        }
        process.as_mut().ok_or_else(|| Failure::Failed("no peer".into()))
    }

    fn drain(&mut self) {
        let now = self.now();
        let ports = [self.peers[0].1, self.peers[1].1];
        let locate = |peer: &TransportAddress| {
            ports
                .iter()
                .position(|port| peer.as_sctp().is_some_and(|peer| peer.port == SctpPort(*port)))
                .map_or(PEER, |index| index + PEER)
        };
        let seen = self.us.seen(now, locate);
        self.seen.extend(seen.into_iter().map(|(with, what)| (US, with, what)));
        while let Some(datagram) = self.us.stack.poll_datagram() {
            self.packets.push((true, datagram.bytes.to_vec()));
            let too_large = self.cuts.is_too_large(datagram.bytes.len());
            if !(too_large || self.is_cut(datagram.destination, &datagram.bytes, 2)) {
                self.wire.put(now, &Parcel::Out(datagram.destination, datagram.bytes));
            }
        }
    }

    /// Whether the peer whose SCTP port stands at this place of a packet, or its address, is cut off.
    fn is_cut(&self, address: SocketAddr, packet: &[u8], place: usize) -> bool {
        if self.cuts.addresses.contains(&address.ip()) {
            return true;
        }
        let Some(port) = packet.get(place..place + 2) else { return false };
        let port = u16::from_be_bytes([port[0], port[1]]);
        self.cuts.peers.iter().any(|who| self.peers[who - PEER].1 == port)
    }

    /// Takes in what the socket and the peers have, without waiting. Whether there was anything.
    fn collect(&mut self) -> Result<bool, Failure> {
        let now = self.now();
        let mut any = false;
        for index in 0..self.peers.len() {
            let Some(process) = &mut self.peers[index].0 else { continue };
            while let Some(what) = process.report()? {
                self.seen.push((index + PEER, US, what));
                any = true;
            }
        }
        self.socket.set_nonblocking(true).map_err(io)?;
        let mut buffer = [0; 65_536];
        while let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            any = true;
            self.packets.push((false, buffer[..length].to_vec()));
            if !self.is_cut(source, &buffer[..length], 0) {
                self.wire.put(now, &Parcel::In(source, Bytes::copy_from_slice(&buffer[..length])));
            }
        }
        Ok(any)
    }
}

impl World for Real {
    fn now(&self) -> Instant {
        Instant::from_nanos(1_000_000_000) + self.start.elapsed()
    }

    fn order(&mut self, who: Who, with: Who, order: &Order) -> Result<(), Failure> {
        if who != US {
            return self.process(who)?.order(order);
        }
        self.process(with)?;
        let now = self.now();
        let known = self.us.order(now, with, order);
        self.drain();
        if known { Ok(()) } else { Err(format!("we have no association for {order:?}").into()) }
    }

    fn advance(&mut self, until: Instant) -> Result<(), Failure> {
        let mut busy = self.collect()?;
        while let Some(parcel) = self.wire.take(self.now()) {
            busy = true;
            match parcel {
                Parcel::In(source, bytes) => {
                    self.us.stack.handle_datagram(self.now(), source, bytes);
                    self.drain();
                }
                // An ICMP message of an earlier datagram is nobody's business here.
                Parcel::Out(destination, bytes) => {
                    let _ = self.socket.send_to(&bytes, destination);
                }
            }
        }
        let now = self.now();
        if self.us.stack.poll_timeout().is_some_and(|at| at <= now) {
            self.us.stack.handle_timeout(now);
            self.drain();
            busy = true;
        }
        if !busy {
            let next = [self.us.stack.poll_timeout(), self.wire.next(), Some(until), Some(now + TICK)];
            let wait = next.into_iter().flatten().min().unwrap_or(until).since(self.now());
            if !wait.is_zero() {
                self.socket.set_nonblocking(false).map_err(io)?;
                self.socket.set_read_timeout(Some(wait)).map_err(io)?;
                let _ = self.socket.peek(&mut [0; 4]);
            }
        }
        Ok(())
    }

    fn seen(&mut self) -> Vec<(Who, Who, What)> {
        std::mem::take(&mut self.seen)
    }

    fn route(&self, from: Who, to: Who) -> SctpAddress {
        if from != US {
            return SctpAddress::new(
                self.local.ip(),
                SctpPort(self.setup.our_port),
                UdpPort(self.local.port()),
            );
        }
        let (_, port, udp_port) = self.peers[to - PEER];
        let mut route = SctpAddress::new(self.local.ip(), SctpPort(port), UdpPort(udp_port));
        route.addresses = peer_addresses(self.peer, self.setup.family);
        if !self.setup.wild {
            route.addresses.truncate(1);
        }
        route
    }

    fn cuts(&mut self) -> &mut Cuts {
        &mut self.cuts
    }

    fn restart(&mut self, peer: Who, port: u16) -> Result<(), Failure> {
        let slot = &mut self.peers[peer - PEER];
        slot.0 = None;
        slot.1 = port;
        // What a dying peer says is not heard: the row has cut the network.
        std::thread::sleep(Duration::from_millis(50));
        self.collect()?;
        self.process(peer)?;
        Ok(())
    }

    fn packets(&mut self) -> Vec<(bool, Vec<u8>)> {
        std::mem::take(&mut self.packets)
    }
}

/// The addresses that we can use.
fn our_addresses(peer: Peer, family: Family) -> Vec<IpAddr> {
    match peer {
        Peer::Linux => of_family(guest::OUR_ADDRESSES, family),
        _ => vec![loopback(family)],
    }
}

/// Where a peer can be reached, the address of one that is bound to a single one first.
fn peer_addresses(peer: Peer, family: Family) -> Vec<IpAddr> {
    match peer {
        Peer::Linux => of_family(guest::PEER_ADDRESSES, family),
        _ => vec![loopback(family)],
    }
}

fn of_family(addresses: [IpAddr; 4], family: Family) -> Vec<IpAddr> {
    addresses.into_iter().filter(|address| address.is_ipv6() == (family == Family::V6)).collect()
}

fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::V4 => std::net::Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn loopback(family: Family) -> IpAddr {
    match family {
        Family::V4 => std::net::Ipv4Addr::LOCALHOST.into(),
        Family::V6 => std::net::Ipv6Addr::LOCALHOST.into(),
    }
}

/// The UDP port of a peer: the kernel has one for all, a process takes one that is free.
fn udp_port(peer: Peer) -> Result<u16, Failure> {
    if peer == Peer::Linux {
        return Ok(guest::UDP_PORT);
    }
    let free = UdpSocket::bind((std::net::Ipv6Addr::UNSPECIFIED, 0)).map_err(io)?;
    Ok(free.local_addr().map_err(io)?.port())
}

fn io(error: std::io::Error) -> Failure {
    Failure::Failed(format!("socket: {error}"))
}
