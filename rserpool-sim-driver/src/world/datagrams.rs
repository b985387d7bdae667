//! The second mode: whole nodes, whose datagrams go through lossy cables.
//!
//! What an SCTP stack sends is a datagram like any other: it is delayed, lost, doubled and
//! overtaken, and what breaks an association is the stack's own judgement.

use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_transport::Datagram;

use crate::hosts::Input;
use crate::id::{HostId, UDP_PORT};
use crate::world::Occurrence;
use crate::world::World;

/// The datagrams that wait for a process: what a socket buffer holds. More are lost.
const SOCKET_BUFFER: usize = 1_000;

impl World {
    /// A node sends a datagram.
    pub(crate) fn send_datagram(&mut self, from: HostId, datagram: Datagram) {
        let Datagram { destination, bytes } = datagram;
        let source = SocketAddr::new(self.network.address(from), UDP_PORT);
        self.trace.hash_octets(self.clock, [30, from.0 as u64], &bytes);
        if let Some(capture) = &mut self.capture {
            capture.datagram(self.clock, source, destination, &bytes);
        }
        let Some(to) = self.network.owner(destination.ip()) else { return };
        let copies = 1 + u32::from(self.network.is_duplicated(from, to));
        for _ in 0..copies {
            if let Some(delay) = self.network.datagram(from, to) {
                let bytes = bytes.clone();
                self.schedule(self.clock + delay, Occurrence::Datagram { source, destination, bytes });
            }
        }
    }

    /// A datagram arrives where its destination is by now, if anybody is.
    pub(crate) fn datagram_arrives(&mut self, source: SocketAddr, destination: SocketAddr, bytes: Bytes) {
        let Some(host) = self.network.owner(destination.ip()) else { return };
        if destination.port() == UDP_PORT && self.host(host).inbox.len() < SOCKET_BUFFER {
            self.input(host, Input::Datagram(source, bytes));
        }
    }
}
