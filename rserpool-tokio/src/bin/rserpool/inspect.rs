//! What `pools` and `stats` share: an inspector from its settings, and the choice of a registrar.

use rserpool_core::inspector::InspectError;
use rserpool_tokio::Inspector;

use crate::exit::Failure;
use crate::logging;
use crate::settings::{InspectorSettings, UdpAddress};

/// One inspector for each registrar; the configuration has been checked.
pub(crate) struct Inspectors(InspectorSettings, Vec<UdpAddress>);

impl Inspectors {
    /// Checks the settings.
    pub(crate) fn new(settings: InspectorSettings) -> Result<Self, Failure> {
        let registrars = settings.registrar.clone().unwrap_or_default();
        if registrars.is_empty() {
            return Err(Failure::usage("registrar: name one with --registrar"));
        }
        logging::filter(&settings.log, logging::TOOL)?;
        let inspectors = Self(settings, registrars);
        for registrar in &inspectors.1 {
            inspectors.builder(*registrar).check()?;
        }
        Ok(inspectors)
    }

    /// Asks one registrar after the other until one answers.
    pub(crate) async fn ask<T>(
        &self,
        question: impl AsyncFn(&Inspector) -> Result<T, InspectError>,
    ) -> Result<T, Failure> {
        logging::start(&self.0.log, logging::TOOL)?;
        let mut errors = Vec::new();
        for registrar in &self.1 {
            let inspector = self.builder(*registrar).start().await?;
            let answer = question(&inspector).await;
            inspector.shutdown(crate::signals::LEAVE_WITHIN).await;
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => errors.push(error.to_string()),
            }
        }
        Err(Failure::failed(errors.join("; ")))
    }

    fn builder(
        &self,
        registrar: UdpAddress,
    ) -> rserpool_core::driver::Builder<rserpool_tokio::Tokio, rserpool_core::inspector::InspectorConfig>
    {
        let mut builder = Inspector::builder(registrar.0).preset(self.0.preset.unwrap_or_default().into());
        if let Some(bind) = self.0.bind {
            builder = builder.bind(bind.0);
        }
        let (role, sctp) = (self.0.clone(), self.0.sctp.clone());
        builder.configure(move |config| role.apply(config)).configure_sctp(move |config| sctp.apply(config))
    }
}
