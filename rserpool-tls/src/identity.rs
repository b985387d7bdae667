//! The names and dates in a certificate.

use core::net::{Ipv4Addr, Ipv6Addr};

use rserpool_core::endpoint::Identity;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// The most names of one certificate that are kept: a hostile one may have thousands.
const MAX_NAMES: usize = 32;

/// The longest name that is kept, in octets: the longest pattern of a rule has fewer.
const MAX_NAME: usize = 255;

/// A certificate as far as it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) identity: Identity,
    /// Seconds since 1970 between which it is valid.
    pub(crate) valid: (u64, u64),
}

/// Reads a certificate; `None` if it cannot be read.
pub(crate) fn describe(certificate: &CertificateDer<'_>) -> Option<Described> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    let seconds = |timestamp: i64| u64::try_from(timestamp).unwrap_or_default();
    let valid = (seconds(validity.not_before.timestamp()), seconds(validity.not_after.timestamp()));
    let alternative = certificate.subject_alternative_name().ok()?;
    let names = alternative.into_iter().flat_map(|extension| &extension.value.general_names);
    let names = names.filter_map(name).filter(|name| name.len() <= MAX_NAME).take(MAX_NAMES).collect();
    Some(Described { identity: Identity::new(names), valid })
}

/// A name as rules name it. Case does not matter in the names of hosts.
fn name(general: &GeneralName<'_>) -> Option<String> {
    match general {
        GeneralName::DNSName(name) => Some(format!("dns:{}", name.to_ascii_lowercase())),
        GeneralName::URI(uri) => Some(format!("uri:{uri}")),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|ip| format!("ip:{}", Ipv4Addr::from(ip))),
            16 => <[u8; 16]>::try_from(*octets).ok().map(|ip| format!("ip:{}", Ipv6Addr::from(ip))),
            _ => None,
        },
        _ => None,
    }
}
