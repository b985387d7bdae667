//! What `pools` and `stats` share: inspectors from their settings, and the choice of a registrar.

use std::net::SocketAddr;
use std::time::Duration;

use rserpool_core::base::{ENRP_PORT, SctpAddress, SctpPort};
use rserpool_core::inspector::{InspectError, InspectorConfig, Snapshot};
use rserpool_driver::Builder;
use rserpool_tokio::{Inspector, Tokio};

use crate::discovery::Registrars;
use crate::exit::Failure;
use crate::logging;
use crate::settings::{Host, InspectorSettings, Time};

/// How long a registrar that another one has named may take to answer by default: it may have died a moment
/// ago.
const NAMED_TIMEOUT: Time = Time(Duration::from_secs(3));

/// One inspector for each registrar; the configuration has been checked.
pub(crate) struct Inspectors {
    settings: InspectorSettings,
    registrars: Registrars<SctpAddress>,
}

impl Inspectors {
    /// Checks the settings.
    pub(crate) fn new(settings: InspectorSettings) -> Result<Self, Failure> {
        logging::filter(&settings.log, logging::TOOL)?;
        let mut registrars = Registrars::new(
            Host::resolve,
            settings.registrar.as_ref(),
            settings.enrp_port.map_or(ENRP_PORT, SctpPort),
            settings.bind,
            settings.announce,
            settings.announce_group,
        )?;
        if !registrars.named.is_empty() {
            registrars.group = None;
        }
        let inspectors = Self { settings, registrars };
        for builder in inspectors.first_choices() {
            builder.check()?;
        }
        Ok(inspectors)
    }

    /// Asks one registrar after the other until one answers.
    pub(crate) async fn ask<T>(
        &self,
        question: impl AsyncFn(&Inspector) -> Result<T, InspectError>,
    ) -> Result<T, Failure> {
        let mut errors = Vec::new();
        for builder in self.first_choices() {
            let inspector = builder.start().await?;
            let answer = question(&inspector).await;
            inspector.shutdown(crate::signals::LEAVE_WITHIN).await;
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => errors.push(error.to_string()),
            }
        }
        Err(Failure::failed(errors.join("; ")))
    }

    /// Asks a registrar that another one has named for its copy of the handlespace.
    pub(crate) async fn copy_of(&self, registrar: SctpAddress) -> Result<Snapshot, InspectError> {
        let mut settings = self.settings.clone();
        settings.timeout.get_or_insert(NAMED_TIMEOUT);
        // Several are asked at the same time.
        let bind = settings.bind.map(|bind| SocketAddr::new(bind.0.ip(), 0));
        let builder = Self::with(&settings, Inspector::at(registrar.clone()), bind);
        let Ok(inspector) = builder.start().await else { return Err(InspectError::Unreachable(registrar)) };
        let copy = inspector.handlespace().await;
        inspector.shutdown(crate::signals::LEAVE_WITHIN).await;
        copy
    }

    /// Starts the log.
    pub(crate) fn start_log(&self) -> Result<(), Failure> {
        logging::start(&self.settings.log, logging::TOOL).map(|_| ())
    }

    /// The registrars that are named, or whichever announces itself.
    fn first_choices(&self) -> impl Iterator<Item = Builder<Tokio, InspectorConfig>> {
        let named = self.registrars.named.iter().cloned().map(Inspector::at);
        let announced = self.registrars.group.map(Inspector::announced_in);
        let bind = self.settings.bind.map(|bind| bind.0);
        named.chain(announced).map(move |builder| Self::with(&self.settings, builder, bind))
    }

    fn with(
        settings: &InspectorSettings,
        builder: Builder<Tokio, InspectorConfig>,
        bind: Option<SocketAddr>,
    ) -> Builder<Tokio, InspectorConfig> {
        let mut builder = builder.preset(settings.preset.unwrap_or_default().into());
        if let Some(bind) = bind {
            builder = builder.bind(bind);
        }
        let (role, sctp) = (settings.clone(), settings.sctp.clone());
        builder.configure(move |config| role.apply(config)).configure_sctp(move |config| sctp.apply(config))
    }
}
