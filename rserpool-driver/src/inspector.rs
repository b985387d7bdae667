//! The handle of an inspector.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use rserpool_core::base::{ENRP_PORT, Instant, SctpAddress, TransportAddress, UdpPort};
use rserpool_core::endpoint::{ConfigError, PeerStatus, RegistrarStatus};
use rserpool_core::inspector::{self, Answer, Command, InspectError, InspectorConfig, Notice, Snapshot};

use crate::announce::AnnounceGroup;
use crate::builder::{Builder, Configure, Preset};
use crate::error::StartError;
use crate::handle::{Handle, variant};
use crate::log::Log;
use crate::role::{Recipient, Role};
use crate::runtime::Runtime;

/// Asks one registrar for its handlespace, its peers and its counters; clones share it.
pub struct Inspector<R> {
    handle: Handle<inspector::Inspector>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime + Default> Inspector<R> {
    /// Prepares an inspector of the registrar at this IP address and UDP port.
    pub fn builder(registrar: SocketAddr) -> Builder<R, InspectorConfig> {
        Self::at(SctpAddress::new(registrar.ip(), ENRP_PORT, UdpPort(registrar.port())))
    }

    /// Prepares an inspector of the registrar with these addresses and this ENRP port.
    pub fn at(registrar: SctpAddress) -> Builder<R, InspectorConfig> {
        Builder::new().configure(move |config: &mut InspectorConfig| config.registrar = Some(registrar))
    }

    /// Prepares an inspector of the first registrar that announces itself in this group.
    pub fn announced_in(group: impl Into<AnnounceGroup>) -> Builder<R, InspectorConfig> {
        Builder::new().announce_group(group)
    }
}

impl<R: Runtime> Builder<R, InspectorConfig> {
    /// Starts the inspector; it asks when it is asked.
    ///
    /// # Errors
    ///
    /// If a value cannot work or the address cannot be bound.
    pub async fn start(self) -> Result<Inspector<R>, StartError> {
        Ok(Inspector { handle: self.launch()?.handle, runtime: PhantomData })
    }
}

impl<R> Inspector<R> {
    /// The whole handlespace of the registrar with its peers, by ENRP.
    ///
    /// # Errors
    ///
    /// If the registrar does not answer, or refuses.
    pub async fn handlespace(&self) -> Result<Snapshot, InspectError> {
        self.handle
            .ask(Command::Handlespace, variant!(Answer::Handlespace))
            .await
            .unwrap_or(Err(InspectError::Busy))
    }

    /// The counters of the registrar by name, if it is one of this project.
    ///
    /// # Errors
    ///
    /// If the registrar does not answer.
    pub async fn counters(&self) -> Result<Vec<(String, u64)>, InspectError> {
        self.handle
            .ask(Command::Counters, variant!(Answer::Counters))
            .await
            .unwrap_or(Err(InspectError::Busy))
    }

    /// How the registrar takes its peers to be, if it is one of this project.
    ///
    /// # Errors
    ///
    /// If the registrar does not answer.
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, InspectError> {
        self.handle.ask(Command::Peers, variant!(Answer::Peers)).await.unwrap_or(Err(InspectError::Busy))
    }

    /// Who the registrar is and how it is, if it is one of this project.
    ///
    /// # Errors
    ///
    /// If the registrar does not answer.
    pub async fn status(&self) -> Result<RegistrarStatus, InspectError> {
        self.handle.ask(Command::Status, variant!(Answer::Status)).await.unwrap_or(Err(InspectError::Busy))
    }

    /// Closes its association and ends, after `within` at the latest.
    pub async fn shutdown(&self, within: Duration) {
        self.handle.shutdown(within).await;
    }
}

impl<R> Clone for Inspector<R> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), runtime: PhantomData }
    }
}

impl<R> fmt::Debug for Inspector<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("local", &self.handle.local.udp).finish()
    }
}

impl Configure for InspectorConfig {
    type Endpoint = inspector::Inspector;

    fn preset(preset: Preset, _seed: u64) -> Self {
        match preset {
            Preset::Rfc => Self::rfc(),
            Preset::Fast | Preset::Rack => Self::fast(),
        }
    }

    #[cfg(feature = "tls")]
    fn secure(&mut self) {
        crate::secure::secure_port(&mut self.enrp_port);
        if let Some(registrar) = &mut self.registrar {
            crate::secure::secure_port(&mut registrar.port);
        }
    }

    fn peers(&self) -> Vec<TransportAddress> {
        self.registrar.iter().cloned().map(Into::into).collect()
    }

    fn check(&self) -> Result<(), ConfigError> {
        Self::check(self)
    }

    fn span(&self) -> tracing::Span {
        tracing::error_span!("inspector")
    }

    fn endpoint(self, now: Instant) -> Self::Endpoint {
        inspector::Inspector::new(self, now)
    }
}

impl Role for inspector::Inspector {
    fn recipient(_notice: &Notice) -> Recipient {
        Recipient::None
    }

    fn log(_notice: &Notice, _log: &mut Log) {}

    fn log_answer(answer: &Answer, _log: &mut Log) {
        let failed = match answer {
            Answer::Handlespace(answer) => answer.as_ref().err(),
            Answer::Counters(answer) => answer.as_ref().err(),
            Answer::Peers(answer) => answer.as_ref().err(),
            Answer::Status(answer) => answer.as_ref().err(),
            _ => None,
        };
        if let Some(error) = failed {
            tracing::debug!(%error, "inspection failed");
        }
    }
}
