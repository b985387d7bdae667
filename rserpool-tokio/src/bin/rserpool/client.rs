//! What `connect` and `resolve` share: a pool user from its settings.

use rserpool_core::base::TransportAddress;
use rserpool_core::driver::{ASAP_ANNOUNCE_GROUP, Builder};
use rserpool_core::user::{UserConfig, UserError};
use rserpool_tokio::{PoolUser, Tokio};

use crate::exit::Failure;
use crate::settings::{Attempts, Source, UserSettings};
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
    let announce = settings.announce.is_some_and(|announce| announce.0);
    if settings.registrar.is_none() && !announce {
        return Err(Failure::usage(
            "registrar: name one with --registrar, or listen for one with --announce",
        ));
    }
    let mut builder = PoolUser::builder().preset(settings.preset.unwrap_or_default().into());
    if let Some(bind) = settings.bind {
        builder = builder.bind(bind.0);
    }
    for registrar in settings.registrar.iter().flatten() {
        builder = builder.registrar(registrar.0);
    }
    if announce {
        builder = builder.announce_group(settings.announce_group.unwrap_or(ASAP_ANNOUNCE_GROUP));
    }
    let (role, mut hunt, sctp) = (settings.clone(), settings.hunt.clone(), settings.sctp.clone());
    hunt.rounds.get_or_insert(DEFAULT_ATTEMPTS);
    Ok(builder
        .configure(move |config| {
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

/// The clear line when nobody answers.
pub(crate) fn no_registrar(tried: &[TransportAddress]) -> String {
    let tried: Vec<String> = tried.iter().map(ToString::to_string).collect();
    format!("no registrar is reachable; tried {}", tried.join(", "))
}
