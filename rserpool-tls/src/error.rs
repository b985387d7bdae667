//! What is wrong with certificates and keys of our own.

/// Why TLS cannot be set up. Each text says which of the inputs it concerns, and none of them shows a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// What should be a certificate is none.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    /// What should be a private key is none, or of a kind that we do not know.
    #[error("the private key cannot be read: {0}")]
    Key(String),
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    /// What should be the certificate of an authority is none.
    #[error("the certificate of the authority cannot be read: {0}")]
    Authority(String),
    /// What should be a list of revoked certificates is none.
    #[error("the list of revoked certificates cannot be read: {0}")]
    Revocations(String),
    /// The certificate was valid once.
    #[error("the certificate has expired {0} s ago")]
    Expired(u64),
    /// The certificate will be valid.
    #[error("the certificate will be valid only in {0} s")]
    NotYetValid(u64),
    /// A name by which servers are to be known is neither the name of a host nor an address.
    #[error("\"{0}\" is neither the name of a host nor an address")]
    Name(String),
}
