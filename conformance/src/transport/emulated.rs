//! Our own stack as the peer, over an emulated network in virtual time.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use rserpool_core::base::{Instant, SctpAddress, SctpPort, TransportAddress, UdpPort};

use super::backend::Backend;
use super::bench::{Cuts, Failure, World};
use super::end::{End, Order, US, What, Who};
use super::setup::{Family, Setup};
use super::wire::Wire;

/// A datagram: who gets it and at which address, from where, the octets.
type Parcel = (Who, IpAddr, SocketAddr, Bytes);

/// Stacks on one emulated network.
pub(super) struct Emulated {
    now: Instant,
    backend: Backend,
    setup: Setup,
    ends: Vec<End>,
    ports: Vec<u16>,
    wire: Wire<Parcel>,
    cuts: Cuts,
    /// Peers that take nothing at the moment, and what waits for them.
    paused: BTreeSet<Who>,
    withheld: Vec<Parcel>,
    seen: Vec<(Who, Who, What)>,
    packets: Vec<(bool, Vec<u8>)>,
    restarts: u64,
}

const UDP_PORT: u16 = 9899;

impl Emulated {
    /// Us and two peers.
    pub(super) fn new(backend: Backend, setup: Setup) -> Self {
        let ports = vec![setup.our_port, setup.peer_port, setup.peer_port + 1];
        let mut world = Self {
            now: Instant::from_nanos(5_000_000_000),
            backend,
            ends: Vec::new(),
            ports,
            wire: Wire::new(setup.link, setup.seed),
            setup,
            cuts: Cuts::default(),
            paused: BTreeSet::new(),
            withheld: Vec::new(),
            seen: Vec::new(),
            packets: Vec::new(),
            restarts: 0,
        };
        for who in 0..world.ports.len() {
            let end = world.end(who);
            world.ends.push(end);
        }
        world
    }

    fn end(&self, who: Who) -> End {
        let seed = self.setup.seed * 1000 + who as u64 + self.restarts * 10;
        let mut config = self.setup.config.clone();
        (config.seed, config.tell_addresses, config.addresses) = (seed, self.setup.wild, self.addresses(who));
        let any: IpAddr = match self.setup.family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = if self.setup.wild { any } else { address(self.setup.family, 0, who) };
        let mut stack = self.backend.stack(config, SocketAddr::new(local, UDP_PORT));
        stack.listen(SctpPort(self.ports[who]));
        End::new(stack)
    }

    /// The addresses of an end, one in each network that it is in.
    fn addresses(&self, who: Who) -> Vec<IpAddr> {
        let networks = if self.setup.wild { 2 } else { 1 };
        (0..networks).map(|network| address(self.setup.family, network, who)).collect()
    }

    /// Who has an address, and in which network.
    fn owner(&self, address: &IpAddr) -> Option<(Who, usize)> {
        (0..self.ports.len())
            .find_map(|who| Some((who, self.addresses(who).iter().position(|own| own == address)?)))
    }

    fn drain(&mut self, who: Who) {
        let owners: Vec<_> = (0..self.ports.len()).map(|who| self.addresses(who)).collect();
        let locate = |peer: &TransportAddress| {
            owners.iter().position(|own| peer.addresses().iter().any(|a| own.contains(a))).unwrap_or(US)
        };
        let seen = self.ends[who].seen(self.now, locate);
        self.seen.extend(seen.into_iter().map(|(with, what)| (who, with, what)));
        while let Some(datagram) = self.ends[who].stack.poll_datagram() {
            self.packets.push((who == US, datagram.bytes.to_vec()));
            let Some((to, network)) = self.owner(&datagram.destination.ip()) else { continue };
            // Sockets that are bound to no address send from the one nearest to the destination.
            let from = address(self.setup.family, network, who);
            let parcel = (to, datagram.destination.ip(), SocketAddr::new(from, UDP_PORT), datagram.bytes);
            if !self.is_cut(&parcel, who) {
                self.wire.put(self.now, &parcel);
            }
        }
    }

    fn is_cut(&self, (to, at, from, bytes): &Parcel, sender: Who) -> bool {
        let addresses = [*at, from.ip()];
        self.cuts.is_too_large(bytes.len())
            || self.cuts.peers.contains(to)
            || self.cuts.peers.contains(&sender)
            || addresses.iter().any(|a| self.cuts.addresses.contains(a))
    }
}

/// The address of an end in a network.
fn address(family: Family, network: usize, who: Who) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 0, network as u8, who as u8 + 1).into(),
        Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, network as u16, 0, 0, 0, who as u16 + 1).into(),
    }
}

impl World for Emulated {
    fn now(&self) -> Instant {
        self.now
    }

    fn order(&mut self, who: Who, with: Who, order: &Order) -> Result<(), Failure> {
        match order {
            Order::Pause => {
                self.paused.insert(who);
            }
            Order::Resume => {
                self.paused.remove(&who);
                for parcel in std::mem::take(&mut self.withheld) {
                    self.wire.put(self.now, &parcel);
                }
            }
            _ => {
                let known = self.ends[who].order(self.now, with, order);
                self.drain(who);
                if !known {
                    return Err(format!("end {who} has no association for {order:?}").into());
                }
            }
        }
        Ok(())
    }

    fn advance(&mut self, until: Instant) -> Result<(), Failure> {
        let awake = (0..self.ends.len()).filter(|who| !self.paused.contains(who));
        let timer = awake.filter_map(|who| Some((self.ends[who].stack.poll_timeout()?, who))).min();
        let next = [timer.map(|(at, _)| at), self.wire.next()].into_iter().flatten().min();
        let Some(at) = next.filter(|at| *at <= until) else {
            self.now = until;
            return Ok(());
        };
        self.now = self.now.max(at);
        if let Some(parcel) = self.wire.take(self.now) {
            if self.paused.contains(&parcel.0) {
                self.withheld.push(parcel);
            } else if !self.is_cut(&parcel, US) {
                let (to, _, from, bytes) = parcel;
                self.ends[to].stack.handle_datagram(self.now, from, bytes);
                self.drain(to);
            }
        } else if let Some((_, who)) = timer {
            self.ends[who].stack.handle_timeout(self.now);
            self.drain(who);
            let next = self.ends[who].stack.poll_timeout();
            if next.is_some_and(|next| next <= self.now) {
                return Err(format!("end {who} has a deadline that does not pass").into());
            }
        }
        Ok(())
    }

    fn seen(&mut self) -> Vec<(Who, Who, What)> {
        std::mem::take(&mut self.seen)
    }

    fn route(&self, _: Who, to: Who) -> SctpAddress {
        let addresses = self.addresses(to);
        SctpAddress::multihomed(addresses, SctpPort(self.ports[to]), UdpPort(UDP_PORT))
    }

    fn cuts(&mut self) -> &mut Cuts {
        &mut self.cuts
    }

    fn restart(&mut self, peer: Who, port: u16) -> Result<(), Failure> {
        self.restarts += 1;
        self.ports[peer] = port;
        self.ends[peer] = self.end(peer);
        Ok(())
    }

    fn packets(&mut self) -> Vec<(bool, Vec<u8>)> {
        std::mem::take(&mut self.packets)
    }
}
