//! What we prove ourselves with, and whom we believe.

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::error::TlsError;

/// Certificates, a key, and lists of revoked certificates.
#[derive(Debug)]
pub struct Credentials {
    /// Our certificate, and those that lead from it to the authority. None: we prove nothing, as users may.
    pub(crate) own: Option<Own>,
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    pub(crate) revocations: Vec<CertificateRevocationListDer<'static>>,
}

#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Credentials {
    /// Believes these authorities and has no certificate itself: enough for users. `authorities` is PEM.
    ///
    /// # Errors
    /// [`TlsError::Authority`] if there is no certificate in it.
    pub fn of_user(authorities: &[u8]) -> Result<Self, TlsError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authorities).collect();
        let authorities = read.map_err(|error| TlsError::Authority(error.to_string()))?;
        if authorities.is_empty() {
            return Err(TlsError::Authority(pem::Error::NoItemsFound.to_string()));
        }
        Ok(Self { own: None, authorities, revocations: Vec::new() })
    }

    /// Proves itself with this certificate, which others may follow that lead to the authority, and this private key
    /// (PKCS #8, PKCS #1 or SEC1). Both are PEM.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] or [`TlsError::Key`] if there is none in it.
    pub fn with_certificate(self, certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = read.map_err(|error| TlsError::Certificate(error.to_string()))?;
        if chain.is_empty() {
            return Err(TlsError::Certificate(pem::Error::NoItemsFound.to_string()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
        Ok(Self { own: Some(Own { chain, key }), ..self })
    }

    /// Does not believe the certificates in these lists, which are PEM, each signed by its authority. Every authority
    /// then needs one: of whom nothing is known nothing is believed.
    ///
    /// # Errors
    /// [`TlsError::Revocations`] if there is none in it.
    pub fn with_revocations(mut self, lists: &[u8]) -> Result<Self, TlsError> {
        let read: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(lists).collect();
        let lists = read.map_err(|error| TlsError::Revocations(error.to_string()))?;
        if lists.is_empty() {
            return Err(TlsError::Revocations(pem::Error::NoItemsFound.to_string()));
        }
        self.revocations.extend(lists);
        Ok(self)
    }
}
