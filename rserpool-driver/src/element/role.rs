//! The element as an endpoint that the event loop drives: its configuration, where its notices go, and its log.

use std::net::{IpAddr, SocketAddr};

use rserpool_core::base::{
    ElementId, Instant, PoolHandle, Random, RegistrarId, SctpPort, TransportAddress, UdpPort,
};
use rserpool_core::element::{self, Answer, Command, ElementConfig, Notice, RegistrationError};
use rserpool_core::endpoint::ConfigError;

use crate::announce::Announcing;
use crate::builder::{Configure, Preset, own_addresses};
use crate::error::StartError;
use crate::families;
use crate::handle::Local;
use crate::log::{Line, Log, brief, cut, listed};
use crate::role::{Recipient, Remark, Role};

impl Configure for ElementConfig {
    type Endpoint = element::Element;

    fn preset(preset: Preset, seed: u64) -> Self {
        // `PoolElement::builder` replaces the handle, `complete` the addresses.
        let handle = PoolHandle::from("");
        let mut config = match preset {
            Preset::Rfc => Self::rfc(handle, seed),
            // An element gives its registrar as much time in a rack.
            Preset::Fast | Preset::Rack => Self::fast(handle, seed),
        };
        config.id = Some(ElementId(Random::new(!seed).identifier()));
        config
    }

    #[cfg(feature = "tls")]
    fn secure(&mut self) {
        crate::secure::secure_sctp(&mut self.hunt.registrars);
    }

    fn peers(&self) -> Vec<TransportAddress> {
        self.hunt.registrars.iter().cloned().map(Into::into).collect()
    }

    fn check_local(&self, local: SocketAddr) -> Result<(), StartError> {
        families::check_peers(local, &self.peers())?;
        let foreign = |address: &&IpAddr| !families::is_bound_to(local.ip(), **address);
        match self.addresses.iter().find(foreign).filter(|_| !self.foreign_addresses) {
            Some(address) => Err(StartError::ForeignAddress { address: *address, local }),
            None => Ok(()),
        }
    }

    fn complete(&mut self, local: Local, announcing: &Announcing) -> Result<(), StartError> {
        self.udp_port = UdpPort(local.udp.port());
        if self.hunt.registrars.is_empty() && announcing.asap.is_none() {
            return Err(StartError::NoRegistrar);
        }
        if self.addresses.is_empty() {
            self.addresses = own_addresses(local.udp, &self.peers())?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ConfigError> {
        Self::check(self)
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.clone()
    }

    fn ports(&self) -> Vec<SctpPort> {
        vec![self.port]
    }

    fn span(&self) -> tracing::Span {
        let id = self.id.map(|id| id.to_string()).unwrap_or_default();
        let pool = cut(&self.handle.to_string());
        tracing::error_span!("element", id, pool)
    }

    fn endpoint(self, now: Instant) -> Self::Endpoint {
        element::Element::new(self, now)
    }
}

impl Role for element::Element {
    fn note(remark: Remark) -> Option<Command> {
        match remark {
            Remark::Visitor(session) => Some(Command::Close { session }),
            _ => None,
        }
    }

    fn recipient(_notice: &Notice) -> Recipient {
        Recipient::Application
    }

    fn makes_room(notice: &Notice) -> bool {
        // The last two for those who wait for the registration.
        matches!(
            notice,
            Notice::Writable { .. }
                | Notice::SessionClosed { .. }
                | Notice::Stopped
                | Notice::Registered { .. }
                | Notice::RegistrationFailed(_)
        )
    }

    fn repeats(notice: &Notice) -> bool {
        matches!(notice, Notice::NoRegistrar { .. })
    }

    fn tells_silence(notice: &Notice) -> bool {
        matches!(notice, Notice::NoRegistrar { .. })
    }

    fn octets(notice: &Notice) -> usize {
        match notice {
            Notice::Received { bytes, .. } | Notice::CookieEcho { cookie: bytes, .. } => bytes.len(),
            _ => 0,
        }
    }

    fn log(notice: &Notice, log: &mut Log) {
        match notice {
            Notice::Registered { home, registrar, .. } => {
                // A renewal is no news, and neither is the home that an element learns a moment later.
                if log.is_news("registered", registrar.to_string())
                    && let Some(Line { suppressed }) = log.allow("registered")
                {
                    // Its first keep-alive names it.
                    let home = (*home != RegistrarId::NONE).then(|| tracing::field::display(home));
                    tracing::info!(home, %registrar, suppressed, "registered");
                }
            }
            Notice::PolicyRefused(error) => {
                if let Some(Line { suppressed }) = log.allow("policy refused") {
                    let error = RegistrationError::Rejected(error.clone());
                    tracing::warn!(%error, suppressed, "the policy before stays registered");
                }
            }
            Notice::ErrorReported { registrar, error, .. } => {
                if log.is_first(format!("{registrar}: {error}"))
                    && let Some(Line { suppressed }) = log.allow("error reported")
                {
                    tracing::warn!(%registrar, causes = brief(&error.to_string()), suppressed, "the registrar reports an error");
                }
            }
            Notice::DeregistrationFailed(error) => {
                if let Some(Line { suppressed }) = log.allow("deregistration failed") {
                    tracing::warn!(%error, suppressed, "deregistration failed");
                }
            }
            Notice::RegistrationFailed(error) => {
                log.forget("registered");
                if let Some(Line { suppressed }) = log.allow("registration failed") {
                    tracing::warn!(%error, suppressed, "registration failed");
                }
            }
            Notice::HomeChanged { home, .. } => {
                if let Some(Line { suppressed }) = log.allow("home changed") {
                    tracing::info!(%home, suppressed, "another registrar is the home now");
                }
            }
            Notice::RegistrarLost { registrar, .. } => {
                log.forget("registered");
                if let Some(Line { suppressed }) = log.allow("registrar lost") {
                    tracing::info!(%registrar, suppressed, "registrar lost; another is looked for");
                }
            }
            Notice::NoRegistrar { tried, .. } => {
                log.forget("registered");
                if let Some(Line { suppressed }) = log.allow("no registrar") {
                    tracing::warn!(tried = listed(tried), suppressed, "no registrar answers");
                }
            }
            Notice::SessionOpened { session, peer, .. } => {
                tracing::debug!(session = session.number(), %peer, "session opened");
            }
            Notice::CookieRefused { session, error, .. } => {
                if let Some(Line { suppressed }) = log.allow("cookie refused") {
                    tracing::warn!(session = session.number(), %error, suppressed, "cookie refused");
                }
            }
            Notice::SessionClosed { session, reason, .. } => {
                tracing::debug!(session = session.number(), %reason, "session closed");
            }
            Notice::Deregistered => {
                log.forget("registered");
                tracing::info!("deregistered");
            }
            Notice::Stopped => tracing::info!("element stopped"),
            _ => {}
        }
    }

    fn log_answer(answer: &Answer, log: &mut Log) {
        match answer {
            Answer::Deregistered(Ok(())) => tracing::info!("deregistered"),
            Answer::Deregistered(Err(error)) => {
                if let Some(Line { suppressed }) = log.allow("deregistration failed") {
                    tracing::warn!(%error, suppressed, "deregistration failed");
                }
            }
            _ => {}
        }
    }
}
