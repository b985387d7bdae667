//! Whether the certificate of a server is that of the one to whom we have connected.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Verifies the chain, the dates and whether it was revoked; then the names.
#[derive(Debug)]
pub(crate) struct Verifier {
    pub(crate) chain: Arc<WebPkiServerVerifier>,
    pub(crate) names: Accepted,
}

/// Which names a server may prove beside the address to which we have connected.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// One of these.
    Named(Vec<ServerName<'static>>),
    /// Any: somebody else judges them.
    Any,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |name: &ServerName<'_>| {
            self.chain.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
        };
        // The names are looked at last: everything else is in order if only they are wrong.
        match (verify(server_name), &self.names) {
            (Err(error), Accepted::Any) if is_about_names(&error) => Ok(ServerCertVerified::assertion()),
            (Err(error), Accepted::Named(names)) if is_about_names(&error) => {
                names.iter().find_map(|name| verify(name).ok()).ok_or(error)
            }
            (outcome, _) => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

const fn is_about_names(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}
