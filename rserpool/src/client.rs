//! What `connect` and `resolve` share: a pool user from its settings.

use rserpool_core::base::{ASAP_PORT, TransportAddress};
use rserpool_core::user::{UserConfig, UserError};
use rserpool_driver::Builder;
use rserpool_tokio::{PoolUser, Tokio};

use crate::discovery::Registrars;
use crate::exit::Failure;
use crate::settings::{Attempts, Host, Source, UserSettings};
use crate::{logging, output};

/// Rounds of the hunt before a user at a terminal is told that there is no registrar.
const DEFAULT_ATTEMPTS: Attempts = Attempts(3);

/// A builder with these settings, and the log as they want it; `None` if they were only to be checked,
/// which has been said then.
pub(crate) fn prepare(
    source: &Source,
    settings: &UserSettings,
) -> Result<Option<Builder<Tokio, UserConfig>>, Failure> {
    let settings = source.load(settings)?;
    let builder = builder(&settings)?;
    logging::filter(&settings.log, logging::TOOL)?;
    if source.validate {
        builder.check()?;
        output::line("configuration is valid")?;
        return Ok(None);
    }
    logging::start(&settings.log, logging::TOOL)?;
    Ok(Some(builder))
}

/// A builder with these settings.
pub(crate) fn builder(settings: &UserSettings) -> Result<Builder<Tokio, UserConfig>, Failure> {
    let registrars = Registrars::new(
        Host::resolve_for_user,
        settings.registrar.as_ref(),
        ASAP_PORT,
        settings.bind,
        settings.announce,
        settings.announce_group,
    )?;
    let mut builder = PoolUser::builder().preset(settings.preset.unwrap_or_default().into());
    if let Some(bind) = settings.bind {
        builder = builder.bind(bind.0);
    }
    if let Some(span) = settings.busy_poll {
        builder = builder.busy_poll(span.0);
    }
    if let Some(group) = registrars.group {
        builder = builder.announce_group(group);
    }
    let (role, mut hunt, sctp) = (settings.clone(), settings.hunt.clone(), settings.sctp.clone());
    hunt.rounds.get_or_insert(DEFAULT_ATTEMPTS);
    Ok(builder
        .configure(move |config| {
            config.hunt.registrars = registrars.named;
            role.apply(config);
            hunt.apply(&mut config.hunt);
        })
        .configure_sctp(move |config| sctp.apply(config)))
}

/// A clear line for a negative answer.
pub(crate) fn explain(pool: &str, error: &UserError) -> Failure {
    Failure::failed(match error {
        UserError::UnknownPool => {
            format!("unknown pool \"{pool}\": no element is registered in it (cause 0x9)")
        }
        UserError::NoRegistrar { tried } => no_registrar(tried),
        error => format!("pool \"{pool}\": {error}"),
    })
}

/// The error line when no registrar answers.
pub(crate) fn no_registrar(tried: &[TransportAddress]) -> String {
    if tried.is_empty() {
        return "no registrar announces itself: name one with --registrar".into();
    }
    let tried: Vec<String> = tried.iter().map(ToString::to_string).collect();
    format!("no registrar is reachable: tried {}", tried.join(", "))
}
