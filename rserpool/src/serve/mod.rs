//! `rserpool serve`: a pool element with a service.

mod demo_count;
mod member;
mod sleep;

use std::cell::RefCell;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use rserpool_core::base::{ASAP_PORT, SctpAddress};
use rserpool_core::element::ElementConfig;
use rserpool_core::wire::Policy;
use rserpool_driver::{AnnounceGroup, Builder};
use rserpool_services::calc_app::{self, CalcApp, CalcAppConfig};
use rserpool_services::ping_pong::{self, PingPong};
use rserpool_services::{CharGen, Daytime, Discard, Echo, Service};
use rserpool_tokio::{PoolElement, Tokio};

use self::demo_count::DemoCount;
use self::member::Member;
use self::sleep::Sleep;
use crate::daemon;
use crate::discovery::{Registrars, Watched};
use crate::exit::Failure;
#[cfg(feature = "http")]
use crate::http::{Listener, Observed};
use crate::runtime::{run_async, validated};
use crate::settings::{ElementSettings, Given, Host, LogFormat, Source};
use crate::signals::{LEAVE_WITHIN, Termination, hangup};
use crate::{logging, output};

/// Run a pool element with a service.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool serve echo
  rserpool serve echo --pool EchoPool --registrar 127.0.0.1:20001
  rserpool serve echo --registrar 127.0.0.1:20001 --bind 127.0.0.1:0 --id 0x2001 --policy RoundRobin

Without --registrar it uses one that announces itself by multicast.
SIGTERM and Ctrl-C deregister the element and end within 2 s. SIGHUP reads the file
again: the log filter changes at once, for everything else a line says that a restart is needed.")]
pub(crate) struct ServeCommand {
    /// The service
    service: ServiceName,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: ElementSettings,
    /// Print events as JSON
    #[arg(long)]
    json: bool,
}

/// The services there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ServiceName {
    /// Every message goes back to its sender (pool EchoPool).
    Echo,
    /// Likewise, but a message that begins with a time, such as "300ms" or "1s", goes back after that time.
    Sleep,
    /// Messages are swallowed (pool DiscardPool).
    Discard,
    /// Sends the time as text and ends the session (pool DaytimePool).
    Daytime,
    /// Sends lines of characters without end (pool CharGenPool).
    Chargen,
    /// Answers with numbers that count up, whichever element answers (pool PingPongPool); see rserpool pingpong.
    Pingpong,
    /// Does jobs that share its capacity (pool CalcAppPool); see rserpool calcapp.
    Calcapp,
    /// What the demonstration asks (pool EchoPool).
    #[value(hide = true)]
    DemoCount,
}

/// How long to look for a registrar before somebody at a terminal is told.
const SILENCE: Duration = Duration::from_secs(1);

impl ServiceName {
    const fn pool(self) -> &'static str {
        match self {
            Self::Echo | Self::Sleep | Self::DemoCount => Echo::POOL,
            Self::Discard => Discard::POOL,
            Self::Daytime => Daytime::POOL,
            Self::Chargen => CharGen::POOL,
            Self::Pingpong => ping_pong::POOL,
            Self::Calcapp => calc_app::POOL,
        }
    }

    fn service(self) -> Box<dyn Service> {
        match self {
            Self::Echo => Box::new(Echo::default()),
            Self::Sleep => Box::new(Sleep::default()),
            Self::Discard => Box::new(Discard),
            Self::Daytime => {
                Box::new(Daytime::new(|| humantime::format_rfc3339_seconds(SystemTime::now()).to_string()))
            }
            Self::Chargen => Box::new(CharGen::default()),
            Self::Pingpong => Box::new(PingPong::default()),
            Self::Calcapp => Box::new(CalcApp::new(CalcAppConfig::default())),
            Self::DemoCount => Box::new(DemoCount::default()),
        }
    }

    /// What to type to use the pool.
    fn next(self, pool: &str) -> String {
        let pool = output::quoted(pool);
        match self {
            Self::Pingpong => format!("rserpool pingpong {pool}"),
            Self::Calcapp => format!("rserpool calcapp {pool}"),
            _ => format!("rserpool connect {pool}"),
        }
    }
}

impl ServeCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let service = self.service;
        let settings = self.settings;
        if self.source.print_config {
            return output::line(given.file().trim_end());
        }
        logging::filter(&settings.log, logging::DAEMON)?;
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
            let builder = builder(service, &settings, registrars.group, registrars.named.found);
            return validated(given, builder, self.json);
        }
        let reload = logging::start(&settings.log, logging::DAEMON)?;
        let json = self.json || settings.log.format == Some(LogFormat::Json);
        let policy = settings.policy.clone().map_or(Policy::RoundRobin, Policy::from);
        let pool = settings.pool.as_ref().map_or_else(|| service.pool().into(), ToString::to_string);
        let patient = settings.hunt.rounds.is_none_or(|rounds| rounds.0 == 0);
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
            let registrars = found.clone();
            #[cfg(feature = "http")]
            let listener = Listener::bind(settings.http).await?;
            let element = builder(service, &settings, group, found).start().await?;
            tokio::spawn(logging::tell_losses(async |_| {}));
            #[cfg(feature = "http")]
            if let Some(listener) = listener {
                listener.start(Observed::Element(element.clone()), json);
            }
            let next = service.next(&pool);
            let member = Member::new(element.clone(), next, policy, patient, json, registrars);
            // Both who serves and who watches the time look at it, one after the other.
            let member = RefCell::new(member);
            daemon::warn_of_strangers(given);
            let (runtime, mut service) = (Tokio::default(), service.service());
            let mut serving = pin!(rserpool_services::serve(&runtime, &element, &mut *service, |event| {
                member.borrow_mut().handle(event)
            }));
            let mut silence = pin!(tokio::time::sleep(SILENCE));
            let mut says_silent = !json;
            loop {
                tokio::select! {
                    failure = &mut serving => return failure.map_or(Ok(()), Err),
                    () = termination.wait() => break,
                    () = hangup.wait() => daemon::read_again(given, &reload),
                    found = names.changed() => drop(element.use_registrars(found).await),
                    () = &mut silence, if says_silent => {
                        says_silent = false;
                        if !member.borrow().is_told() {
                            member.borrow().say_silent();
                        }
                    }
                }
            }
            // Users are served until the end: it waits for their requests.
            let (failure, ()) = tokio::join!(serving, element.shutdown(LEAVE_WITHIN));
            failure.map_or(Ok(()), Err)
        })
    }
}

fn builder(
    service: ServiceName,
    settings: &ElementSettings,
    group: Option<AnnounceGroup>,
    registrars: Vec<SctpAddress>,
) -> Builder<Tokio, ElementConfig> {
    let mut builder = PoolElement::builder(service.pool()).preset(settings.preset.unwrap_or_default().into());
    if let Some(bind) = settings.bind {
        builder = builder.bind(bind.0);
    }
    if let Some(span) = settings.busy_poll {
        builder = builder.busy_poll(span.0);
    }
    if let Some(group) = group {
        builder = builder.announce_group(group);
    }
    let (role, hunt, sctp) = (settings.clone(), settings.hunt.clone(), settings.sctp.clone());
    builder
        .configure(move |config| {
            config.hunt.registrars = registrars;
            role.apply(config);
            hunt.apply(&mut config.hunt);
        })
        .configure_sctp(move |config| sctp.apply(config))
}
