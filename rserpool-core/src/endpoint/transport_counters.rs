//! What a transport counts: endpoints hand it on to those who ask for counters.

mod named {
    crate::endpoint::counters::counters! {
        /// Datagrams that arrived.
        sctp_datagrams_received,
        /// Datagrams that were made.
        sctp_datagrams_sent,
        /// Datagrams that are no SCTP packet, or whose checksum is wrong.
        sctp_malformed,
        /// Packets that belong to no association, or carry a wrong tag.
        sctp_strays,
        /// Those among them that got no answer because too many came.
        sctp_strays_ignored,
        /// Associations that came up.
        sctp_connected,
        /// Associations that were given up because the peer was silent.
        sctp_silent,
        /// Associations that were given up because nobody listened at the peer any more.
        sctp_unreachable,
        /// Datagrams that the network has returned, and that were ours.
        sctp_reports_believed,
        /// The same that were not ours, or of which too little came back to tell.
        sctp_reports_ignored,
        /// Associations that were aborted because the peer broke the protocol.
        sctp_violations,
        /// Associations that were aborted because too much waited to be sent.
        sctp_queue_full,
        /// Associations that were aborted because all together kept too much, and these most.
        sctp_memory_full,
        /// DATA that was not taken, because the receive window was full or it was too far ahead.
        sctp_data_refused,
        /// Peers that got no association because there was no place for another.
        sctp_refused,
        /// Associations that were aborted to make room: their peers had said nothing, or their source had most.
        sctp_displaced,
        /// INITs without an answer because too many came from one source.
        sctp_inits_ignored,
        /// Times that a message had to wait because its sender had to take answers first.
        sctp_paused,
    }
}

pub use named::Counters as TransportCounters;
