//! Our own stack as the peer, over an emulated network in virtual time.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use rserpool_core::base::{Instant, TransportAddress};
use rserpool_core::transport::sctp::SctpConfig;

use super::backend::Backend;
use super::bench::{Failure, World};
use super::end::{End, Order, US, What, Who};
use super::setup::{Family, Setup};
use super::wire::Wire;

/// A datagram: who gets it, from where, the octets.
type Parcel = (Who, SocketAddr, Bytes);

/// Stacks on one emulated network.
pub(super) struct Emulated {
    now: Instant,
    backend: Backend,
    setup: Setup,
    ends: Vec<End>,
    ports: Vec<u16>,
    wire: Wire<Parcel>,
    cut: BTreeSet<Who>,
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
            cut: BTreeSet::new(),
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
        let config = SctpConfig { seed, ..self.setup.config.clone() };
        let mut stack = self.backend.stack(config, self.address(who));
        stack.listen(self.ports[who]);
        End::new(stack)
    }

    fn address(&self, who: Who) -> SocketAddr {
        let ip: IpAddr = match self.setup.family {
            Family::V4 => Ipv4Addr::new(10, 0, 0, who as u8 + 1).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, who as u16 + 1).into(),
        };
        SocketAddr::new(ip, UDP_PORT)
    }

    fn drain(&mut self, who: Who) {
        let addresses: Vec<_> = (0..self.ends.len()).map(|who| self.address(who)).collect();
        let locate = |peer: &TransportAddress| {
            addresses.iter().position(|a| peer.addresses.contains(&a.ip())).unwrap_or(US)
        };
        let seen = self.ends[who].seen(self.now, locate);
        self.seen.extend(seen.into_iter().map(|(with, what)| (who, with, what)));
        while let Some(datagram) = self.ends[who].stack.poll_datagram() {
            let to = addresses.iter().position(|address| *address == datagram.destination);
            self.packets.push((who == US, datagram.bytes.to_vec()));
            let Some(to) = to.filter(|to| !self.is_cut(who, *to)) else { continue };
            self.wire.put(self.now, &(to, addresses[who], datagram.bytes));
        }
    }

    fn is_cut(&self, a: Who, b: Who) -> bool {
        self.cut.contains(&a) || self.cut.contains(&b)
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
        if let Some((to, from, bytes)) = self.wire.take(self.now) {
            if self.paused.contains(&to) {
                self.withheld.push((to, from, bytes));
            } else if !self.is_cut(to, US) || to == US {
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

    fn route(&self, _: Who, to: Who) -> TransportAddress {
        let mut route = TransportAddress::new(self.address(to).ip(), self.ports[to], UDP_PORT);
        if self.setup.wild {
            // Addresses at which nobody answers, of either family.
            route.addresses.insert(0, Ipv4Addr::new(10, 9, 9, 9).into());
            route.addresses.push(Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 9).into());
        }
        route
    }

    fn cut(&mut self, peer: Who, cut: bool) {
        if cut {
            self.cut.insert(peer);
        } else {
            self.cut.remove(&peer);
        }
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
