//! One connection of TLS: records in, messages out, and the reverse.

use std::io::{Read, Write};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use rserpool_core::base::ProtocolId;
use rserpool_core::endpoint::Security;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConnection, Connection, Error, ServerConnection};

use crate::frames::{BadLength, Frame, Frames};
use crate::identity;
use crate::settings::Current;

/// The most octets that wait to be handed out while the endpoint takes nothing: a message of the longest kind, and what
/// came with its last record.
const MAX_WAITING: usize = 2 << 20;

/// Type, version and length: what every record begins with (RFC 8446 section 5.1).
const RECORD_HEADER: usize = 5;

/// A connection of TLS with its messages.
#[derive(Debug)]
pub(crate) struct Link {
    connection: Connection,
    frames: Frames,
    /// The protocol that is spoken at the end that was connected to.
    native: ProtocolId,
}

impl Link {
    /// We have connected.
    pub(crate) fn client(
        current: &Current,
        server: ServerName<'static>,
        native: ProtocolId,
    ) -> Result<Self, Error> {
        let connection = ClientConnection::new(Arc::clone(&current.client), server)?;
        Ok(Self::new(connection.into(), native))
    }

    /// The peer has connected.
    pub(crate) fn server(current: &Current, native: ProtocolId) -> Result<Self, Error> {
        let config =
            current.server.as_ref().ok_or_else(|| Error::General("we have no certificate".into()))?;
        Ok(Self::new(ServerConnection::new(Arc::clone(config))?.into(), native))
    }

    fn new(mut connection: Connection, native: ProtocolId) -> Self {
        // What is written is fetched at once.
        connection.set_buffer_limit(None);
        Self { connection, frames: Frames::default(), native }
    }

    /// The payload protocol identifier of records.
    pub(crate) const fn native(&self) -> ProtocolId {
        self.native
    }

    /// Octets of records have come.
    pub(crate) fn receive(&mut self, mut octets: &[u8]) -> Result<(), Error> {
        while !octets.is_empty() {
            let before = octets.len();
            self.connection.read_tls(&mut octets).map_err(|error| Error::General(error.to_string()))?;
            let state = self.connection.process_new_packets()?;
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            if !plain.is_empty() {
                self.connection
                    .reader()
                    .read_exact(&mut plain)
                    .map_err(|error| Error::General(error.to_string()))?;
                self.frames.push(&plain);
            }
            // After the peer's close_notify nothing is read any more.
            if octets.len() == before {
                break;
            }
        }
        if self.frames.len() > MAX_WAITING {
            return Err(Error::General("too much waits to be taken".into()));
        }
        Ok(())
    }

    /// The next message, once the handshake is over.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, BadLength> {
        self.frames.next(self.native)
    }

    /// Whether part of a message has come.
    pub(crate) fn has_part(&self) -> bool {
        self.frames.len() > 0
    }

    /// Queues a message.
    pub(crate) fn send(&mut self, frame: &Frame) {
        // Into memory, which does not fail.
        let _ = self.connection.writer().write_all(&frame.encode(self.native));
    }

    /// Says that nothing more comes.
    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    pub(crate) fn is_shaking_hands(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whom the peer has proved to be. A session that is resumed may have been begun before the certificate expired, so
    /// its dates are looked at again.
    pub(crate) fn security(&self, now: u64) -> Result<Security, Error> {
        let Some(leaf) = self.connection.peer_certificates().and_then(<[_]>::first) else {
            return Ok(Security::Anonymous);
        };
        let described = identity::describe(leaf).ok_or(CertificateError::BadEncoding)?;
        if now > described.valid.1 {
            return Err(CertificateError::Expired.into());
        }
        Ok(Security::Verified(described.identity))
    }

    /// The records that are to be sent, one by one.
    pub(crate) fn records(&mut self) -> Vec<Bytes> {
        let mut octets = Vec::new();
        while self.connection.wants_write() {
            // Into memory, which does not fail.
            if self.connection.write_tls(&mut octets).is_err() {
                break;
            }
        }
        let mut octets = BytesMut::from(Bytes::from(octets)).freeze();
        let mut records = Vec::new();
        while let Some(mut header) = octets.get(3..RECORD_HEADER) {
            let length = RECORD_HEADER + usize::from(header.get_u16());
            records.push(octets.split_to(length.min(octets.len())));
        }
        debug_assert!(octets.is_empty(), "whole records are written");
        records
    }
}
