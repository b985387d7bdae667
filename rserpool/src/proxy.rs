//! `rserpool proxy`: takes connections of clients that know nothing of pools.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use rserpool_core::base::PoolHandle;
use rserpool_proxy::proxy::{Access, Event, Outcome, Proxy};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::Client;
use crate::daemon;
use crate::exit::Failure;
use crate::runtime::{run_threads, said_valid};
use crate::settings::{Given, LogFormat, ProxySettings, Source};
use crate::signals::{LEAVE_WITHIN, Termination, hangup};
use crate::{logging, output};

/// Connect clients that know nothing of pools to the elements of one, over TCP.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool proxy --listen 127.0.0.1:8080 --pool Web
  rserpool proxy --listen 127.0.0.1:8080,[::1]:8080 --pool Web --registrar 127.0.0.1:20001 --preset fast --json

Each connection goes to an element that the policy of the pool selects, and to the next one at once if that cannot be
reached. Elements serve by plain TCP: see rserpool attach. A registrar that is gone is no reason to stop: the last list of
elements serves on. With --json, each connection is a line when it has ended.
SIGTERM and Ctrl-C stop taking connections and wait until those that are there have ended, for as long as --drain
says; a second signal waits for nothing. SIGHUP reads the file again: the log filter changes at once, for everything
else a line says that a restart is needed.")]
pub(crate) struct ProxyCommand {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: ProxySettings,
    /// Print events as JSON, and each connection
    #[arg(long)]
    json: bool,
}

impl ProxyCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let settings = self.settings;
        if self.source.print_config {
            return output::line(given.file().trim_end());
        }
        logging::filter(&settings.user.log, logging::DAEMON)?;
        // Two proxies are not to begin with the same choices.
        let seed = RandomState::new().build_hasher().finish();
        let (listen, config) = settings.proxy(seed)?;
        let client = Client::new(&settings.user)?;
        if self.source.validate {
            run_threads(1, async move { bind(&listen).await.map(drop) })?;
            return said_valid(given, self.json);
        }
        let reload = logging::start(&settings.user.log, logging::DAEMON)?;
        let json = self.json || settings.user.log.format == Some(LogFormat::Json);
        let pool = config.pool.clone();
        let threads =
            settings.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        run_threads(threads, async move {
            let (mut termination, mut hangup) = (Termination::new()?, hangup()?);
            let listeners = bind(&listen).await?;
            let mut running = client.start().await?;
            let user = running.user.clone();
            tokio::spawn(logging::tell_losses(async |_| {}));
            daemon::warn_of_strangers(given);
            let told = Told { pool, json };
            for listener in &listeners {
                told.listens(listener.local_addr()?);
            }
            let proxy = Proxy::new(user.clone(), config, move |event| told.tell(event));
            let (stop, stopped) = watch::channel(false);
            let mut accepting = JoinSet::new();
            for listener in listeners {
                let (proxy, stopped) = (proxy.clone(), stopped.clone());
                accepting.spawn(async move {
                    let mut connections = JoinSet::new();
                    proxy.accept(listener, stopped, &mut connections).await;
                    connections
                });
            }
            let serve = async {
                let mut following = std::pin::pin!(proxy.follow());
                loop {
                    tokio::select! {
                        ended = &mut following => return match ended {
                            Ok(()) => Err(Failure::failed("the user has ended")),
                            Err(error) => Err(Failure::failed(error.to_string())),
                        },
                        () = termination.wait() => return Ok(()),
                        () = hangup.wait() => daemon::read_again(given, &reload),
                    }
                }
            };
            let served = running.during(serve).await;
            let _ = stop.send(true);
            if served.is_ok() {
                drain(&mut accepting, settings.drain(), &mut termination).await;
            }
            user.shutdown(LEAVE_WITHIN).await;
            served
        })
    }
}

/// Waits for the connections of all listeners, for this time at the longest, or until a second signal.
async fn drain(accepting: &mut JoinSet<JoinSet<()>>, limit: Duration, termination: &mut Termination) {
    let all = async {
        while let Some(connections) = accepting.join_next().await {
            if let Ok(mut connections) = connections {
                while connections.join_next().await.is_some() {}
            }
        }
    };
    tokio::select! {
        () = all => {}
        () = tokio::time::sleep_until(Instant::now() + limit) => {}
        () = termination.wait() => {}
    }
}

async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await;
        listeners
            .push(listener.map_err(|error| Failure::failed(format!("cannot listen at {address}: {error}")))?);
    }
    Ok(listeners)
}

/// Says what happens.
struct Told {
    pool: PoolHandle,
    json: bool,
}

impl Told {
    fn listens(&self, at: SocketAddr) {
        if self.json {
            output::event(
                json!({ "event": "listening", "pool": self.pool.to_string(), "listen": at.to_string() }),
            );
        } else {
            output::event(format_args!("clients of the pool {} are served at TCP {at}", self.pool));
        }
    }

    fn tell(&self, event: Event) {
        match event {
            // A line for each connection is for programs.
            Event::Ended(access) if self.json => output::event(line(&access)),
            Event::Ended(_) => {}
            event if self.json => output::event(self.json(event)),
            event => self.say(event),
        }
    }

    fn json(&self, event: Event) -> Value {
        match event {
            Event::Pool { elements, left_out, .. } => {
                json!({ "event": "pool", "elements": elements, "left_out": left_out })
            }
            Event::Stale { tried } => {
                let tried: Vec<String> = tried.iter().map(ToString::to_string).collect();
                json!({ "event": "stale", "tried": tried })
            }
            Event::ElementFailed { target, reason } => json!({
                "event": "element_failed", "element": target.element.to_string(),
                "address": target.address.to_string(), "reason": reason,
            }),
            _ => json!({ "event": "fresh" }),
        }
    }

    fn say(&self, event: Event) {
        let pool = &self.pool;
        output::event(match event {
            Event::Pool { elements, left_out: 0, .. } => {
                format!("the pool {pool} has {}", output::count(elements, "element"))
            }
            Event::Pool { elements, left_out, .. } => format!(
                "the pool {pool} has {} that serve by TCP, and {left_out} that do not",
                output::count(elements, "element")
            ),
            Event::Stale { .. } => "no registrar is reachable; the last list of elements serves on".into(),
            Event::Fresh => "a registrar is reachable again".into(),
            Event::ElementFailed { target, reason } => {
                format!("element {} at {} cannot be reached: {reason}", target.element, target.address)
            }
            _ => return,
        });
    }
}

/// A connection, in the access log.
fn line(access: &Access) -> Value {
    let outcome = match access.outcome {
        Outcome::Closed => "closed",
        Outcome::Reset => "reset",
        Outcome::Idle => "idle",
        Outcome::EmptyPool => "empty_pool",
        Outcome::Unreachable => "unreachable",
        Outcome::TooMany => "too_many",
        _ => "other",
    };
    let mut line = json!({
        "event": "connection", "time": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        "client": access.client.to_string(), "outcome": outcome, "failed_attempts": access.failed,
        "connected_seconds": access.connected.as_secs_f64(), "lasted_seconds": access.lasted.as_secs_f64(),
        "sent_octets": access.sent, "received_octets": access.received,
    });
    if let Some(target) = access.target {
        line["element"] = target.element.to_string().into();
        line["address"] = target.address.to_string().into();
    }
    line
}
