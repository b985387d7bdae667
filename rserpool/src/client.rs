//! What `connect` and `resolve` share: a pool user from its settings.

use rserpool_core::base::{ASAP_PORT, TransportAddress};
use rserpool_core::user::{UserConfig, UserError};
use rserpool_driver::Builder;
use rserpool_tokio::{PoolUser, Tokio};

use crate::discovery::{Registrars, Watched};
use crate::exit::Failure;
use crate::runtime::validated;
use crate::settings::{DEFAULT_ATTEMPTS, Given, Host, PoolName, Source, UserSettings};
use crate::signals::{LEAVE_WITHIN, Termination};
use crate::{logging, output};

/// A pool user that can be started, and the names of its registrars.
pub(crate) struct Client {
    builder: Builder<Tokio, UserConfig>,
    names: Watched<TransportAddress>,
}

impl Client {
    /// The settings, checked, and the log as they want it; `None` if something else was asked for, which has been done
    /// then.
    pub(crate) fn prepare(
        given: &Given,
        source: &Source,
        settings: &UserSettings,
        json: bool,
    ) -> Result<Option<Self>, Failure> {
        if source.print_config {
            output::line(given.file().trim_end())?;
            return Ok(None);
        }
        logging::filter(&settings.log, logging::TOOL)?;
        let client = Self::new(settings)?;
        if source.validate {
            validated(given, client.builder, json)?;
            return Ok(None);
        }
        given.strangers().iter().for_each(output::remark);
        logging::start(&settings.log, logging::TOOL)?;
        Ok(Some(client))
    }

    /// One with these settings.
    pub(crate) fn new(settings: &UserSettings) -> Result<Self, Failure> {
        let Registrars { named, group, names } = Registrars::new(
            Host::resolve_for_user,
            settings.registrar.as_ref(),
            ASAP_PORT,
            settings.bind,
            settings.announce,
            settings.announce_group,
        )?
        .for_tool()?;
        let mut builder = PoolUser::builder().preset(settings.preset.unwrap_or_default().into());
        if let Some(bind) = settings.bind {
            builder = builder.bind(bind.0);
        }
        if let Some(span) = settings.busy_poll {
            builder = builder.busy_poll(span.0);
        }
        if let Some(group) = group {
            builder = builder.announce_group(group);
        }
        let (role, mut hunt, sctp) = (settings.clone(), settings.hunt.clone(), settings.sctp.clone());
        hunt.rounds.get_or_insert(DEFAULT_ATTEMPTS);
        let registrars = named.found.clone();
        let builder = builder
            .configure(move |config| {
                config.hunt.registrars = registrars;
                role.apply(config);
                hunt.apply(&mut config.hunt);
            })
            .configure_sctp(move |config| sctp.apply(config));
        Ok(Self { builder, names: Watched::new(names, named, |problem| output::remark(problem)) })
    }

    /// Starts it.
    pub(crate) async fn start(mut self) -> Result<Running, Failure> {
        self.names.first(true).await;
        Ok(Running { user: self.builder.start().await?, names: self.names })
    }
}

/// A pool user at work.
pub(crate) struct Running {
    pub(crate) user: PoolUser,
    names: Watched<TransportAddress>,
}

impl Running {
    /// Carries some work out; meanwhile the user is told where its registrars are, if their names lead elsewhere.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                found = self.names.changed() => drop(self.user.use_registrars(found).await),
            }
        }
    }

    /// Carries some work out until it is done or the process is told to end; then the user leaves.
    pub(crate) async fn finish(
        mut self,
        mut termination: Termination,
        work: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let result = tokio::select! {
            result = self.during(work) => result,
            () = termination.wait() => Ok(()),
        };
        self.user.shutdown(LEAVE_WITHIN).await;
        result
    }
}

/// A clear line for a negative answer, or for none.
pub(crate) fn explain(pool: &PoolName, error: &UserError) -> Failure {
    match error {
        UserError::UnknownPool => Failure::failed(format!(
            "unknown pool \"{pool}\": no element is registered in it (cause 0x9); see rserpool pools"
        )),
        UserError::NoRegistrar { tried } => no_registrar(tried),
        error => Failure::failed(format!("pool \"{pool}\": {error}")),
    }
}

/// The failure when no registrar answers.
pub(crate) fn no_registrar(tried: &[TransportAddress]) -> Failure {
    if tried.is_empty() {
        return Failure::Nobody("no registrar announces itself: name one with --registrar".into());
    }
    let tried: Vec<String> = tried.iter().map(ToString::to_string).collect();
    Failure::Nobody(format!("no registrar is reachable: tried {}", tried.join(", ")))
}
