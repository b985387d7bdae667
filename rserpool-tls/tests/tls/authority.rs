//! An authority of certificates for tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use rserpool_tls::Credentials;

/// The seconds since 1970 on the first day of June 2026, when all tests happen.
pub(crate) const NOW: u64 = 1_780_272_000;

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, as PEM.
pub(crate) struct Certified {
    chain: String,
    key: String,
    serial: SerialNumber,
}

impl Certified {
    pub(crate) fn chain(&self) -> &[u8] {
        self.chain.as_bytes()
    }

    pub(crate) fn key(&self) -> &[u8] {
        self.key.as_bytes()
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // No two have the same name: it is by the name that the issuer of a certificate is looked for.
        let key = KeyPair::generate().unwrap();
        let name = format!("authority {:?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A certificate with these names, valid all the year.
    pub(crate) fn certify(&self, names: &[&str]) -> Certified {
        self.certify_for(names, -151, 200)
    }

    /// Days before and after [`NOW`].
    fn certify_for(&self, names: &[&str], from: i64, until: i64) -> Certified {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
        let today = date_time_ymd(2026, 6, 1);
        let day = today - date_time_ymd(2026, 5, 31);
        params.not_before = today + day * i32::try_from(from).unwrap();
        params.not_after = today + day * i32::try_from(until).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let serial = SerialNumber::from_slice(&key.public_key_raw()[1..9]);
        params.serial_number = Some(serial.clone());
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certified { chain: certificate.pem(), key: key.serialize_pem(), serial }
    }

    /// Believes this authority, and has a certificate with these names.
    pub(crate) fn credentials(&self, names: &[&str]) -> Credentials {
        self.with(&self.certify(names))
    }

    pub(crate) fn valid_for(&self, names: &[&str], days: i64) -> Credentials {
        self.with(&self.certify_for(names, -10, days))
    }

    pub(crate) fn valid_from(&self, names: &[&str], days: i64) -> Credentials {
        self.with(&self.certify_for(names, days, 10))
    }

    fn with(&self, certified: &Certified) -> Credentials {
        self.user_of_this().with_certificate(certified.chain(), certified.key()).unwrap()
    }

    /// Believes this authority, and has no certificate.
    pub(crate) fn user_of_this(&self) -> Credentials {
        Credentials::of_user(self.0.pem().as_bytes()).unwrap()
    }

    /// The same as a function.
    pub(crate) fn user(authority: &Self) -> Credentials {
        authority.user_of_this()
    }

    /// A list of revoked certificates.
    pub(crate) fn revoke(&self, certified: &[&Certified]) -> Vec<u8> {
        let revoked = certified.iter().map(|certified| RevokedCertParams {
            serial_number: certified.serial.clone(),
            revocation_time: date_time_ymd(2026, 5, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 5, 1),
            next_update: date_time_ymd(2027, 5, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap().into_bytes()
    }
}

fn alternative(name: &str) -> SanType {
    if let Ok(address) = name.parse() {
        return SanType::IpAddress(address);
    }
    let text = name.try_into().unwrap();
    if name.contains("://") { SanType::URI(text) } else { SanType::DnsName(text) }
}
