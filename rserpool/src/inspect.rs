//! What `pools`, `stats` and `health` share: inspectors from their settings, and the choice of a registrar.

use std::net::SocketAddr;
use std::time::Duration;

use rserpool_core::base::{ENRP_PORT, SctpAddress, SctpPort};
use rserpool_core::inspector::{InspectError, InspectorConfig, Snapshot};
use rserpool_driver::Builder;
use rserpool_tokio::{Inspector, Tokio};
use tokio::task::JoinSet;

use crate::discovery::Registrars;
use crate::exit::Failure;
use crate::runtime::said_valid;
use crate::settings::{Given, Host, InspectorSettings, Source, Time};
use crate::{logging, output};

/// How long a registrar that another one has named may take to answer by default: it may have died a moment
/// ago.
const NAMED_TIMEOUT: Time = Time(Duration::from_secs(3));

/// One inspector for each registrar; the configuration has been checked.
pub(crate) struct Inspectors {
    settings: InspectorSettings,
    registrars: Registrars<SctpAddress>,
}

impl Inspectors {
    /// Checks the settings, and starts the log; `None` if something else was asked for, which has been done then.
    pub(crate) fn prepare(
        given: &Given,
        source: &Source,
        settings: InspectorSettings,
        json: bool,
    ) -> Result<Option<Self>, Failure> {
        if source.print_config {
            output::line(given.file().trim_end())?;
            return Ok(None);
        }
        logging::filter(&settings.log, logging::TOOL)?;
        let mut registrars = Registrars::new(
            Host::resolve,
            settings.registrar.as_ref(),
            settings.enrp_port.map_or(ENRP_PORT, SctpPort),
            settings.bind,
            settings.announce,
            settings.announce_group,
        )?
        .for_tool()?;
        if !registrars.named.found.is_empty() {
            registrars.group = None;
        }
        let inspectors = Self { settings, registrars };
        if source.validate {
            for builder in inspectors.first_choices() {
                crate::runtime::run_async(async { Ok(builder.rehearse()?) })?;
            }
            said_valid(given, json)?;
            return Ok(None);
        }
        for builder in inspectors.first_choices() {
            builder.check()?;
        }
        given.strangers().iter().for_each(output::remark);
        logging::start(&inspectors.settings.log, logging::TOOL)?;
        Ok(Some(inspectors))
    }

    /// Asks all registrars at the same time. The first answer counts; those that are dead are not waited for.
    pub(crate) async fn ask<T: Send + 'static>(&self, question: Question<T>) -> Result<T, Failure> {
        let mut asked = JoinSet::new();
        for builder in self.first_choices() {
            let inspector = builder.start().await?;
            asked.spawn(async move {
                let answer = question(inspector.clone()).await;
                inspector.shutdown(crate::signals::LEAVE_WITHIN).await;
                answer
            });
        }
        let mut errors = Vec::new();
        while let Some(answer) = asked.join_next().await {
            match answer.map_err(|error| Failure::failed(error.to_string()))? {
                Ok(answer) => return Ok(answer),
                Err(error) => errors.push(error),
            }
        }
        let answered = |error: &InspectError| {
            !matches!(
                error,
                InspectError::Unannounced | InspectError::Unreachable(_) | InspectError::Unanswered(_)
            )
        };
        let is_answered = errors.iter().any(answered);
        let mut errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.sort();
        let problem = errors.join("; ");
        Err(if is_answered { Failure::Failed(problem) } else { Failure::Nobody(problem) })
    }

    /// Asks a registrar that another one has named for its copy of the handlespace, which may take as long as a
    /// timeout that was set, or else `within`.
    pub(crate) async fn copy_of(
        &self,
        registrar: SctpAddress,
        within: Option<Time>,
    ) -> Result<Snapshot, InspectError> {
        let mut settings = self.settings.clone();
        settings.timeout.get_or_insert_with(|| within.unwrap_or(NAMED_TIMEOUT));
        let builder = Self::with(&settings, Inspector::at(registrar.clone()), self.other_bind());
        let Ok(inspector) = builder.start().await else { return Err(InspectError::Unreachable(registrar)) };
        let copy = inspector.handlespace().await;
        inspector.shutdown(crate::signals::LEAVE_WITHIN).await;
        copy
    }

    /// Where to bind beside the first one: several are asked at the same time.
    fn other_bind(&self) -> Option<SocketAddr> {
        self.settings.bind.map(|bind| SocketAddr::new(bind.0.ip(), 0))
    }

    /// The registrars that are named, or whichever announces itself.
    fn first_choices(&self) -> impl Iterator<Item = Builder<Tokio, InspectorConfig>> {
        let named = self.registrars.named.found.iter().cloned().map(Inspector::at);
        let announced = self.registrars.group.map(Inspector::announced_in);
        let first = self.settings.bind.map(|bind| bind.0);
        let binds = std::iter::once(first).chain(std::iter::repeat(self.other_bind()));
        named.chain(announced).zip(binds).map(|(builder, bind)| Self::with(&self.settings, builder, bind))
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

/// What a registrar is asked.
pub(crate) type Question<T> = fn(Inspector) -> Pending<T>;
/// Its answer, when it comes.
pub(crate) type Pending<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, InspectError>> + Send>>;
