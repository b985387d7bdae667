//! The words of the private question for counters and peers
//! ([`ProtocolId::MANAGEMENT`](crate::base::ProtocolId::MANAGEMENT)): the inspector asks, the registrar
//! answers.

/// The question for counters.
pub(crate) const COUNTERS_REQUEST: &[u8] = b"counters";

/// The question for peers.
pub(crate) const PEERS_REQUEST: &[u8] = b"peers";

/// The first line of the answer to [`PEERS_REQUEST`], so that an answer is never empty: SCTP has no empty
/// messages.
pub(crate) const PEERS_HEADER: &str = "id\tstate\tconnected\telements\tchecksum\tannounced_checksum\taddress";
