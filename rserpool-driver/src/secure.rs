//! TLS for the endpoints of builders.

use std::time::SystemTime;

use rserpool_core::base::{ASAP_PORT, ENRP_PORT, SctpAddress, SctpPort, TransportAddress};
use rserpool_tls::{ASAP_TLS_PORT, Credentials, ENRP_TLS_PORT, Settings, Tls, TlsError};

use crate::builder::{Builder, Configuration};
use crate::runtime::Runtime;

impl<R: Runtime, C: Configuration> Builder<R, C> {
    /// TLS for this endpoint, to be given to [`Builder::secured_by`]. Keep it to replace the credentials while the
    /// endpoint runs ([`Tls::replace`]).
    ///
    /// # Errors
    /// What is wrong with the credentials or the names.
    pub fn tls(&self, settings: Settings, credentials: Credentials) -> Result<Tls, TlsError> {
        let now = self.runtime.now();
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let origin = since_1970.saturating_sub(now.since(rserpool_core::base::Instant::ORIGIN));
        Tls::new(settings, credentials, origin, now)
    }

    /// Secures all that the endpoint opens and accepts by TLS, except at the
    /// [plain ports](Settings::plain_ports). Where the SCTP ports of ASAP (3863) and ENRP (9901) were to be used, those
    /// of ASAP and ENRP over TLS (3864 and 9902) are; TCP ports are as they are given. A registrar
    /// [checks addresses](rserpool_core::registrar::RegistrarConfig::check_addresses) then. It has no effect on a
    /// transport of your own.
    pub fn secured_by(mut self, tls: &Tls) -> Self {
        self.tls = Some(tls.clone());
        secure_port(&mut self.names.port);
        self
    }
}

/// The port of TLS in the place of the one without.
pub(super) fn secure_port(port: &mut SctpPort) {
    match *port {
        ASAP_PORT => *port = SctpPort(ASAP_TLS_PORT),
        ENRP_PORT => *port = SctpPort(ENRP_TLS_PORT),
        _ => {}
    }
}

pub(super) fn secure_sctp(addresses: &mut [SctpAddress]) {
    addresses.iter_mut().for_each(|address| secure_port(&mut address.port));
}

pub(super) fn secure_all(addresses: &mut [TransportAddress]) {
    for address in addresses {
        if let TransportAddress::Sctp(address) = address {
            secure_port(&mut address.port);
        }
    }
}
