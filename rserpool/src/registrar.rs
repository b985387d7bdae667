//! `rserpool registrar`: keeps the handlespace and answers elements and users.

use rserpool_core::base::ENRP_PORT;
use rserpool_core::registrar::RegistrarConfig;
use rserpool_driver::Builder;
use rserpool_tokio::{Registrar, Tokio};
use serde_json::json;
use toml::Table;

use crate::exit::Failure;
use crate::logging::{self, Reload};
use crate::output;
use crate::runtime::run_async;
use crate::settings::{RegistrarSettings, Source};
use crate::signals::{HAND_OVER_WITHIN, Termination, hangup};

/// Run a registrar.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool registrar --bind 127.0.0.1:20001 --id 0x1
  rserpool registrar --bind 127.0.0.1:20002 --id 0x2 --peer 127.0.0.1:20001
  rserpool registrar --bind 127.0.0.1:20001 --tcp 127.0.0.1:3863
  rserpool registrar --config registrar.toml --validate

The first peer that answers is the mentor: the registrar downloads the handlespace from it before it
serves.

SIGTERM and Ctrl-C hand the elements over to the peers, close all associations and end within 5 s.
SIGHUP reads the file again: the log filter changes at once; for everything else, peers included, a
line says that a restart is needed. If another registrar has the same identifier, this one exits
with 1.")]
pub(crate) struct RegistrarCommand {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: RegistrarSettings,
    /// Print events as JSON
    #[arg(long)]
    json: bool,
}

impl RegistrarCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let settings = self.source.load(&self.settings)?;
        let builder = builder(&settings)?;
        logging::filter(&settings.log, logging::DAEMON)?;
        if self.source.validate {
            builder.check()?;
            return output::line("configuration is valid");
        }
        let reload = logging::start(&settings.log, logging::DAEMON)?;
        run_async(self.serve(builder, settings, reload))
    }

    async fn serve(
        self,
        builder: Builder<Tokio, RegistrarConfig>,
        settings: RegistrarSettings,
        reload: Reload,
    ) -> Result<(), Failure> {
        let mut termination = Termination::new()?;
        let mut hangup = hangup()?;
        let registrar = builder.start().await?;
        tokio::spawn(logging::tell_losses());
        self.announce(&registrar);
        loop {
            tokio::select! {
                () = termination.wait() => break,
                ended = registrar.ended() => {
                    return ended.map_err(|taken| Failure::failed(format!("id: {taken}")));
                }
                () = hangup.wait() => match self.source.load(&self.settings) {
                    Ok(new) => take_over(&settings, &new, &reload),
                    Err(error) => tracing::error!(%error, "configuration not read again; nothing changed"),
                },
            }
        }
        registrar.shutdown(HAND_OVER_WITHIN).await;
        Ok(())
    }

    fn announce(&self, registrar: &Registrar) {
        let (id, bind) = (registrar.id().to_string(), registrar.local_addr().to_string());
        let tcp = registrar.tcp_addr().map(|tcp| tcp.to_string());
        if self.json {
            return output::event(json!({ "event": "listening", "id": id, "bind": bind, "tcp": tcp }));
        }
        let tcp = tcp.map(|tcp| format!(" and TCP {tcp}")).unwrap_or_default();
        output::event(format_args!("registrar {id} listens on UDP {bind}{tcp}"));
    }
}

fn builder(settings: &RegistrarSettings) -> Result<Builder<Tokio, RegistrarConfig>, Failure> {
    let mut builder = Registrar::builder().preset(settings.preset.unwrap_or_default().into());
    if let Some(bind) = settings.bind {
        builder = builder.bind(bind.0);
    }
    if let Some(span) = settings.busy_poll {
        builder = builder.busy_poll(span.0);
    }
    if let Some(listen) = settings.tcp.listen {
        builder = builder.tcp(listen.0);
    }
    if settings.announce.is_none_or(|announce| announce.0) {
        builder = builder.announce_group(settings.announce_group.map(|group| group.0).unwrap_or_default());
    }
    if settings.enrp_announce.is_some_and(|announce| announce.0) {
        let group = settings.enrp_announce_group.map(|group| group.0).unwrap_or_default();
        builder = builder.enrp_announce_group(group);
    }
    if let Some(ttl) = settings.announce_ttl {
        builder = builder.announce_ttl(ttl);
    }
    let peers = settings.peer.iter().flatten().map(|peer| peer.resolve(ENRP_PORT, settings.bind));
    let peers = peers.collect::<Result<Vec<_>, _>>()?;
    let (role, sctp, tcp) = (settings.clone(), settings.sctp.clone(), settings.tcp.clone());
    Ok(builder
        .configure(move |config| {
            config.enrp.peers = peers;
            role.apply(config);
        })
        .configure_sctp(move |config| sctp.apply(config))
        .configure_tcp(move |config| tcp.apply(config)))
}

/// Takes over the log filter, and says which other keys wait for a restart.
fn take_over(old: &RegistrarSettings, new: &RegistrarSettings, reload: &Reload) {
    let filter = logging::filter(&new.log, logging::DAEMON).map_err(|error| error.to_string());
    match filter.and_then(|filter| reload.reload(filter).map_err(|error| error.to_string())) {
        Ok(()) => tracing::info!("configuration read again"),
        Err(error) => tracing::error!(%error, "log filter not changed"),
    }
    for key in changed_keys(old, new) {
        tracing::warn!(key, "changed in the file, but only a restart applies the change");
    }
}

/// The keys, apart from the log filter, that differ.
fn changed_keys(old: &RegistrarSettings, new: &RegistrarSettings) -> Vec<String> {
    let table = |settings: &RegistrarSettings| {
        let mut settings = settings.clone();
        settings.log.filter = None;
        Table::try_from(settings).unwrap_or_default()
    };
    let (old, new) = (table(old), table(new));
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_log_filter_changes_while_running() {
        let old = RegistrarSettings::default();
        let mut new = old.clone();
        new.log.filter = Some("debug".into());
        assert!(changed_keys(&old, &new).is_empty());
        new.max_pools = Some(5);
        assert_eq!(changed_keys(&old, &new), ["max-pools"]);
    }
}
