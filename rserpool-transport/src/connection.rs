//! How a driver and a transport speak of TCP connections: what a driver reports, and what it is to do.

use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::endpoint::ConnectError;

/// Names a TCP connection; never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// What has happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The one that was to be opened is up.
    Opened,
    /// It could not be opened, and is gone.
    Failed(ConnectError),
    /// Octets have come in, in their order. Handed in only while [`super::Streams::reads`] says so.
    Received(Bytes),
    /// So many of the octets that were to be written have been written.
    Written(usize),
    /// The peer will send no more.
    Ended,
    /// It broke, and is gone.
    Lost,
}

/// What is to be done with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionAction {
    /// Open one to this address; [`ConnectionEvent::Opened`] or [`ConnectionEvent::Failed`] answers.
    Open {
        /// Its name from now on.
        connection: ConnectionId,
        /// The peer.
        address: SocketAddr,
    },
    /// Write octets, behind those that wait already; [`ConnectionEvent::Written`] tells how far it is.
    Write {
        /// Over this connection.
        connection: ConnectionId,
        /// What.
        bytes: Bytes,
    },
    /// Tell the peer that nothing more will be written, and go on reading. Everything has been written.
    Finish {
        /// Which connection.
        connection: ConnectionId,
    },
    /// Look whether something can be read: what was held is wanted again ([`Streams::reads`](crate::Streams::reads)).
    Resume {
        /// Which connection.
        connection: ConnectionId,
    },
    /// Forget it, open or being opened, with what is still to be written. No event names it again.
    Drop {
        /// Which connection.
        connection: ConnectionId,
    },
}
