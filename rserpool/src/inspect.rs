//! What `pools`, `stats` and `health` share: inspectors from their settings, and the choice of a registrar.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

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

/// How long the others may take, once one has answered, before they are said not to have answered: as long as that one,
/// and at least this.
const MOMENT: Duration = Duration::from_millis(100);

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
            for (_, builder) in inspectors.first_choices() {
                crate::runtime::run_async(async { Ok(builder.rehearse()?) })?;
            }
            said_valid(given, json)?;
            return Ok(None);
        }
        for (_, builder) in inspectors.first_choices() {
            builder.check()?;
        }
        inspectors.registrars.named.lost.iter().for_each(output::remark);
        given.strangers().iter().for_each(output::remark);
        logging::start(&inspectors.settings.log, logging::TOOL)?;
        Ok(Some(inspectors))
    }

    /// Asks all registrars at the same time. The first answer that will do ends it; if there is none, the first answer
    /// counts. Those that are dead are not waited for, but named.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: Question<T>,
        will_do: fn(&T) -> bool,
    ) -> Result<T, Failure> {
        let begin = Instant::now();
        let mut asked = Asked { tasks: JoinSet::new(), open: BTreeSet::new(), errors: Vec::new() };
        for (name, builder) in self.first_choices() {
            let inspector = builder.start().await?;
            asked.open.insert(name.clone());
            asked.tasks.spawn(async move {
                let answer = question(inspector.clone()).await;
                inspector.shutdown(crate::signals::LEAVE_WITHIN).await;
                (name, answer)
            });
        }
        let mut first = None;
        while let Some(answer) = asked.next().await? {
            if will_do(&answer) {
                asked.name_the_silent(begin.elapsed().max(MOMENT)).await;
                return Ok(answer);
            }
            first.get_or_insert(answer);
        }
        first.map_or_else(|| Err(asked.failure()), Ok)
    }

    /// Asks a registrar that another one has named for its copy of the handlespace, which may take as long as a
    /// timeout that was set, or else `within`.
    pub(crate) async fn copy_of(
        &self,
        registrar: SctpAddress,
        within: Duration,
    ) -> Result<Snapshot, InspectError> {
        let mut settings = self.settings.clone();
        settings.timeout.get_or_insert(Time(within));
        let builder = Self::with(&settings, Inspector::at(registrar.clone()), self.other_bind());
        let Ok(inspector) = builder.start().await else { return Err(InspectError::Unreachable(registrar)) };
        let copy = inspector.handlespace().await;
        inspector.shutdown(crate::signals::LEAVE_WITHIN).await;
        copy
    }

    /// Whether this is one of those that [`ask`](Self::ask) has asked, and named if it was silent.
    pub(crate) fn is_named(&self, registrar: &SctpAddress) -> bool {
        self.registrars.named.found.contains(registrar)
    }

    /// Where to bind beside the first one: several are asked at the same time.
    fn other_bind(&self) -> Option<SocketAddr> {
        self.settings.bind.map(|bind| SocketAddr::new(bind.0.ip(), 0))
    }

    /// The registrars that are named, or whichever announces itself; each with what it is called.
    fn first_choices(&self) -> impl Iterator<Item = (String, Builder<Tokio, InspectorConfig>)> {
        let named = self.registrars.named.found.iter().cloned();
        let named = named.map(|at| (format!("registrar {at}"), Inspector::at(at)));
        let announced = self.registrars.group.map(Inspector::announced_in);
        let announced = announced.map(|builder| ("a registrar that announces itself".into(), builder));
        let first = self.settings.bind.map(|bind| bind.0);
        let binds = std::iter::once(first).chain(std::iter::repeat(self.other_bind()));
        let with = |((name, builder), bind)| (name, Self::with(&self.settings, builder, bind));
        named.chain(announced).zip(binds).map(with)
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

/// The questions under way.
struct Asked<T> {
    tasks: JoinSet<(String, Result<T, InspectError>)>,
    /// What those are called that have not answered so far.
    open: BTreeSet<String>,
    errors: Vec<InspectError>,
}

impl<T: 'static> Asked<T> {
    /// The next answer; `None` if none will come.
    async fn next(&mut self) -> Result<Option<T>, Failure> {
        while let Some(ended) = self.tasks.join_next().await {
            let (name, answer) = ended.map_err(|error| Failure::failed(error.to_string()))?;
            self.open.remove(&name);
            match answer {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => self.errors.push(error),
            }
        }
        Ok(None)
    }

    /// Says who has not answered within this time.
    async fn name_the_silent(mut self, within: Duration) {
        let _ = tokio::time::timeout(within, async { while let Ok(Some(_)) = self.next().await {} }).await;
        self.errors.iter().for_each(output::remark);
        self.open.iter().for_each(|name| output::remark(format_args!("{name} has not answered")));
    }

    /// Why there is no answer.
    fn failure(self) -> Failure {
        let answered = |error: &InspectError| {
            !matches!(
                error,
                InspectError::Unannounced | InspectError::Unreachable(_) | InspectError::Unanswered(_)
            )
        };
        let is_answered = self.errors.iter().any(answered);
        let mut errors: Vec<String> = self.errors.iter().map(ToString::to_string).collect();
        errors.sort();
        let problem = errors.join("; ");
        if is_answered { Failure::Failed(problem) } else { Failure::Nobody(problem) }
    }
}
