//! `rserpool registrar`: keeps the handlespace and answers elements and users.

use std::net::{Ipv4Addr, Ipv6Addr};

use rserpool_core::base::{ENRP_PORT, SctpAddress};
use rserpool_core::registrar::RegistrarConfig;
use rserpool_driver::Builder;
use rserpool_tokio::{Registrar, Tokio};
use serde_json::json;

use crate::daemon;
use crate::discovery::{Names, Watched};
use crate::exit::Failure;
#[cfg(feature = "http")]
use crate::http::{Listener, Observed};
use crate::logging::{self, Reload};
use crate::output;
use crate::runtime::{run_async, validated};
use crate::settings::{Given, Host, LogFormat, RegistrarSettings, Source};
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
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        if self.source.print_config {
            return output::line(given.file().trim_end());
        }
        logging::filter(&self.settings.log, logging::DAEMON)?;
        let bind = self.settings.bind;
        let names = Names::new(Host::resolve, self.settings.peer.as_ref(), ENRP_PORT, bind);
        let peers = names.look_up()?;
        let builder = builder(&self.settings, peers.found.clone());
        if self.source.validate {
            peers.lost.iter().for_each(output::remark);
            return validated(given, builder, self.json);
        }
        let reload = logging::start(&self.settings.log, logging::DAEMON)?;
        run_async(self.serve(given, builder, Watched::new(names, peers, daemon::warn_of_name), reload))
    }

    async fn serve(
        self,
        given: &Given,
        builder: Builder<Tokio, RegistrarConfig>,
        mut names: Watched<SctpAddress>,
        reload: Reload,
    ) -> Result<(), Failure> {
        let (mut termination, mut hangup) = (Termination::new()?, hangup()?);
        #[cfg(feature = "http")]
        let listener = Listener::bind(self.settings.http).await?;
        let registrar = builder.start().await?;
        let counted = registrar.clone();
        tokio::spawn(logging::tell_losses(async move |lines| drop(counted.note_lines_lost(lines).await)));
        self.announce(&registrar);
        #[cfg(feature = "http")]
        if let Some(listener) = listener {
            listener.start(Observed::Registrar(registrar.clone()), self.wants_json());
        }
        daemon::warn_of_strangers(given);
        // A registrar has work without peers; those that are not found now are met later.
        names.first(true).await;
        loop {
            tokio::select! {
                () = termination.wait() => break,
                ended = registrar.ended() => {
                    return ended.map_err(|taken| Failure::failed(format!("id: {taken}")));
                }
                () = hangup.wait() => daemon::read_again(given, &reload),
                peers = names.changed() => registrar.use_peers(peers).await.unwrap_or(()),
            }
        }
        registrar.shutdown(HAND_OVER_WITHIN).await;
        Ok(())
    }

    fn wants_json(&self) -> bool {
        self.json || self.settings.log.format == Some(LogFormat::Json)
    }

    fn announce(&self, registrar: &Registrar) {
        let (id, bind) = (registrar.id().to_string(), registrar.local_addr().to_string());
        let tcp = registrar.tcp_addr().map(|tcp| tcp.to_string());
        if self.wants_json() {
            return output::event(json!({ "event": "listening", "id": id, "bind": bind, "tcp": tcp }));
        }
        let tcp = tcp.map(|tcp| format!(" and TCP {tcp}")).unwrap_or_default();
        output::event(format_args!("registrar {id} listens on UDP {bind}{tcp}"));
        let mut reachable = registrar.local_addr();
        if reachable.ip().is_unspecified() {
            reachable.set_ip(if reachable.is_ipv6() {
                Ipv6Addr::LOCALHOST.into()
            } else {
                Ipv4Addr::LOCALHOST.into()
            });
        }
        output::event_hint(format_args!(
            "in another terminal, rserpool serve echo --registrar {reachable}\n      \
             (another registrar: rserpool registrar --bind IP:PORT --peer {reachable})"
        ));
    }
}

fn builder(settings: &RegistrarSettings, peers: Vec<SctpAddress>) -> Builder<Tokio, RegistrarConfig> {
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
    let (role, sctp, tcp) = (settings.clone(), settings.sctp.clone(), settings.tcp.clone());
    builder
        .configure(move |config| {
            config.enrp.peers = peers;
            role.apply(config);
        })
        .configure_sctp(move |config| sctp.apply(config))
        .configure_tcp(move |config| tcp.apply(config))
}
