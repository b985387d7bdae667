//! How TLS is done, and with which credentials at present.

use core::time::Duration;
use std::sync::{Arc, PoisonError, RwLock};

use rserpool_core::base::{Instant, SctpPort};
use rserpool_core::endpoint::Identity;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, Error, RootCertStore, ServerConfig};

use crate::ENRP_TLS_PORT;
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::error::TlsError;
use crate::identity::{self, Described};
use crate::verifier::{Accepted, Verifier};

/// How many sessions of peers may be resumed that have connected to us: the last ones. Each takes some 2 KiB.
const MAX_RESUMABLE: usize = 1024;

/// How TLS is done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How long a handshake may take (default 5 s). An attempt to connect ends at its own deadline if that is earlier.
    pub handshake_timeout: Duration,
    /// The SCTP ports of ENRP over TLS (default 9902): what comes to them is ENRP, and to all others ASAP.
    pub enrp_ports: Vec<SctpPort>,
    /// Local SCTP ports where peers come without TLS, and SCTP ports of peers to whom we connect without TLS (default
    /// none). Everything else is secured, or not at all.
    pub plain_ports: Vec<SctpPort>,
    /// Which names servers have to prove to whom we connect.
    pub server_names: ServerNames,
}

/// Which names a server has to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerNames {
    /// The address to which we have connected, or one of these: the names by which the servers are configured (RFC 5352
    /// section 9.2). Without any, the address.
    Addressed(Vec<String>),
    /// Any that an authority of ours has certified: the endpoint judges them, as a registrar does.
    Any,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            enrp_ports: vec![SctpPort(ENRP_TLS_PORT)],
            plain_ports: Vec::new(),
            server_names: ServerNames::Addressed(Vec::new()),
        }
    }
}

impl Settings {
    /// Whether there is TLS at an SCTP port.
    pub(crate) fn secures(&self, port: SctpPort) -> bool {
        !self.plain_ports.contains(&port)
    }
}

impl ServerNames {
    fn accepted(&self) -> Result<Accepted, TlsError> {
        let name =
            |name: &String| ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name.clone()));
        match self {
            Self::Addressed(names) => names.iter().map(name).collect::<Result<_, _>>().map(Accepted::Named),
            Self::Any => Ok(Accepted::Any),
        }
    }
}

/// TLS as one or several stacks use it. Clones share the credentials, which can be [replaced](Tls::replace) at any time.
#[derive(Clone, Debug)]
pub struct Tls {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    clock: Arc<Clock>,
    current: RwLock<Arc<Current>>,
}

/// What the next handshakes use.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) client: Arc<ClientConfig>,
    /// `None` without a certificate: nobody can connect to us.
    pub(crate) server: Option<Arc<ServerConfig>>,
    own: Option<Described>,
}

impl Tls {
    /// TLS with these credentials. `origin` is the time since 1970 at [`Instant::ORIGIN`], by which the dates of
    /// certificates are judged; `now` is the present time.
    ///
    /// # Errors
    /// What is wrong with the credentials or the names.
    pub fn new(
        settings: Settings,
        credentials: Credentials,
        origin: Duration,
        now: Instant,
    ) -> Result<Self, TlsError> {
        let clock = Arc::new(Clock::new(origin));
        clock.advance(now);
        let current = RwLock::new(Arc::new(Current::new(&settings, credentials, &clock)?));
        Ok(Self { shared: Arc::new(Shared { settings, clock, current }) })
    }

    /// Uses other credentials in all handshakes from now on. Associations that are up go on. Sessions that were begun
    /// with the credentials before cannot be resumed, so that nobody comes in whom these do not let in.
    ///
    /// # Errors
    /// What is wrong with them; those before are kept then.
    pub fn replace(&self, credentials: Credentials) -> Result<(), TlsError> {
        let current = Current::new(&self.shared.settings, credentials, &self.shared.clock)?;
        *self.shared.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
        Ok(())
    }

    /// Whom our certificate says that we are, and for how long it is still valid. `None` without a certificate.
    pub fn own(&self) -> Option<(Identity, Duration)> {
        let current = self.current();
        let Described { identity, valid: (_, end) } = current.own.as_ref()?;
        let left = end.saturating_sub(self.shared.clock.now().as_secs());
        Some((identity.clone(), Duration::from_secs(left)))
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Current {
    fn new(settings: &Settings, credentials: Credentials, clock: &Arc<Clock>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let Credentials { own, authorities, revocations } = credentials;
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(|error| TlsError::Authority(error.to_string()))?;
        }
        let roots = Arc::new(roots);
        let refused = |error: &dyn core::fmt::Display| TlsError::Revocations(error.to_string());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .with_crls(revocations.iter().cloned())
            .build()
            .map_err(|error| refused(&error))?;
        let verifier = Arc::new(Verifier { chain, names: settings.server_names.accepted()? });
        let client = Self::client(&provider, clock, verifier)?;
        let Some(own) = own else {
            return Ok(Self { client: Arc::new(client.with_no_client_auth()), server: None, own: None });
        };
        let described = own.chain.first().and_then(identity::describe);
        let described =
            described.ok_or_else(|| TlsError::Certificate("it is no X.509 certificate".into()))?;
        let (now, (from, until)) = (clock.now().as_secs(), described.valid);
        if now > until {
            return Err(TlsError::Expired(now - until));
        }
        if now < from {
            return Err(TlsError::NotYetValid(from - now));
        }
        // Users may come without a certificate. What they may do is judged by what they have proved.
        let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .with_crls(revocations)
            .allow_unauthenticated()
            .build()
            .map_err(|error| refused(&error))?;
        let time = Arc::clone(clock);
        let mut server = ServerConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| own_error(&error))?
            .with_client_cert_verifier(clients)
            .with_single_cert(own.chain.clone(), own.key.clone_key())
            .map_err(|error| own_error(&error))?;
        server.session_storage = ServerSessionMemoryCache::new(MAX_RESUMABLE);
        // One association, one session to resume.
        server.send_tls13_tickets = 1;
        let client = client.with_client_auth_cert(own.chain, own.key).map_err(|error| own_error(&error))?;
        Ok(Self { client: Arc::new(client), server: Some(Arc::new(server)), own: Some(described) })
    }

    fn client(
        provider: &Arc<CryptoProvider>,
        clock: &Arc<Clock>,
        verifier: Arc<Verifier>,
    ) -> Result<ClientBuilder, TlsError> {
        let time = Arc::clone(clock);
        let builder = ClientConfig::builder_with_details(Arc::clone(provider), time)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| own_error(&error))?;
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
    }
}

type ClientBuilder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn own_error(error: &Error) -> TlsError {
    match error {
        Error::InconsistentKeys(_) => TlsError::Mismatch,
        Error::InvalidCertificate(error) => TlsError::Certificate(error.to_string()),
        other => TlsError::Key(other.to_string()),
    }
}
