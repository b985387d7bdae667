//! SCTP over UDP (RFC 6951) with sctp-proto.
