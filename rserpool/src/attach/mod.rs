//! `rserpool attach`: keeps servers in pools that know nothing of them.

mod child;
mod told;

use std::sync::Arc;

use rserpool_core::base::{ASAP_PORT, SctpAddress};
use rserpool_core::element::ElementConfig;
use rserpool_driver::{AnnounceGroup, Builder};
use rserpool_proxy::attach::{Attachment, Wish};
use rserpool_tokio::{PoolElement, Tokio};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::child::{Child, ChildCommand};
use self::told::Told;
use crate::daemon;
use crate::discovery::{Registrars, Watched};
use crate::exit::Failure;
use crate::runtime::{run_async, said_valid};
use crate::settings::{AttachSettings, Attached, Given, Host, LogFormat, Source};
use crate::signals::{Termination, hangup};
use crate::{logging, output};

/// Keep servers in pools that know nothing of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool attach --pool Web --backend 127.0.0.1:8000 --check http:/health
  rserpool attach --pool Web --backend 127.0.0.1:8000 -- python3 -m http.server 8000 --bind 127.0.0.1
  rserpool attach --pool Web --backend 127.0.0.1:8000 --backend '127.0.0.1:5432 pool=Db check=tcp'

Users connect to the backend itself, at the address that is named here: no data pass through this program. A backend that
fails its checks leaves its pool, and comes back with the same identifier. A command behind -- is started, and started
again when it ends. SIGTERM and Ctrl-C take the backends out of their pools, wait until their TCP
connections have ended, for as long as --drain says, and then end the command; a second signal waits for nothing.
SIGHUP reads the file again: the log filter changes at once, for everything else a line says that a restart is needed.")]
pub(crate) struct AttachCommand {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: AttachSettings,
    /// Print events as JSON
    #[arg(long)]
    json: bool,
    /// The server to start and to watch
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<std::ffi::OsString>,
}

impl AttachCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let settings = self.settings;
        if self.source.print_config {
            return output::line(given.file().trim_end());
        }
        logging::filter(&settings.log, logging::DAEMON)?;
        let backends = settings.backends()?;
        let registrars = Registrars::new(
            Host::resolve,
            settings.registrar.as_ref(),
            ASAP_PORT,
            settings.bind,
            settings.announce,
            settings.announce_group,
        )?;
        if self.source.validate {
            let registrars = registrars.for_tool()?;
            registrars.named.lost.iter().for_each(output::remark);
            let named = registrars.named.found;
            let builder = builder(&settings, registrars.group);
            let builder = builder.configure(move |config| {
                config.handle = backends[0].pool.clone().into();
                config.hunt.registrars = named;
            });
            run_async(async { Ok(builder.rehearse()?) })?;
            return said_valid(given, self.json);
        }
        let reload = logging::start(&settings.log, logging::DAEMON)?;
        let json = self.json || settings.log.format == Some(LogFormat::Json);
        let Registrars { named, group, names } = registrars;
        let listens = group.is_some();
        let mut names = Watched::new(names, named, daemon::warn_of_name);
        run_async(async move {
            let (mut termination, mut hangup) = (Termination::new()?, hangup()?);
            let found = tokio::select! {
                // Without any address there is nothing to begin with, unless a registrar announces itself.
                found = names.first(listens) => found,
                () = termination.wait() => return Ok(()),
            };
            tokio::spawn(logging::tell_losses(async |_| {}));
            daemon::warn_of_strangers(given);
            let (wish, wished) = watch::channel(Wish::Serve);
            let (found_now, found) = watch::channel(found);
            let command = ChildCommand::new(self.command, settings.stop_timeout(), json);
            let mut child = command.map(Child::start).transpose()?;
            let mut attached = start(&settings, backends, group, found, &wished, json);
            let mut leaving = false;
            loop {
                tokio::select! {
                    ended = attached.join_next() => match ended {
                        Some(ended) => ended.map_err(|error| Failure::failed(error.to_string()))??,
                        None => break,
                    },
                    () = termination.wait() => {
                        let _ = wish.send(if leaving { Wish::LeaveNow } else { Wish::Leave });
                        leaving = true;
                    }
                    () = hangup.wait() => daemon::read_again(given, &reload),
                    found = names.changed() => drop(found_now.send(found)),
                    serves = child::changed(&mut child), if !leaving => {
                        let _ = wish.send(if serves { Wish::Serve } else { Wish::Suspend });
                    }
                }
            }
            if let Some(child) = child {
                child.stop(termination.wait()).await;
            }
            Ok(())
        })
    }
}

/// A task for each backend.
fn start(
    settings: &AttachSettings,
    backends: Vec<Attached>,
    group: Option<AnnounceGroup>,
    found: watch::Receiver<Vec<SctpAddress>>,
    wished: &watch::Receiver<Wish>,
    json: bool,
) -> JoinSet<Result<(), Failure>> {
    let (connections, drain) = (Arc::default(), settings.drain());
    let mut attached = JoinSet::new();
    for Attached { pool, policy, id, backend } in backends {
        let told = Told::new(pool.clone(), backend.address, json);
        let settings = settings.clone();
        let prepare = move || builder(&settings, group);
        let mut attachment = Attachment::new(pool.into(), backend, found.clone(), prepare);
        (attachment.policy, attachment.id) = (policy, id.and_then(Into::into));
        (attachment.drain, attachment.connections) = (drain, Arc::clone(&connections));
        let wished = wished.clone();
        attached.spawn(async move { Ok(attachment.run(wished, move |event| told.tell(event)).await?) });
    }
    attached
}

fn builder(settings: &AttachSettings, group: Option<AnnounceGroup>) -> Builder<Tokio, ElementConfig> {
    let mut builder = PoolElement::builder("").preset(settings.preset.unwrap_or_default().into());
    if let Some(bind) = settings.bind {
        builder = builder.bind(bind.0);
    }
    if let Some(group) = group {
        builder = builder.announce_group(group);
    }
    let (role, hunt, sctp) = (settings.clone(), settings.hunt.clone(), settings.sctp.clone());
    builder
        .configure(move |config| {
            role.apply(config);
            hunt.apply(&mut config.hunt);
        })
        .configure_sctp(move |config| sctp.apply(config))
}
