//! `rserpool serve`: a pool element with a service.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use rserpool_core::base::{ASAP_PORT, AssociationId, ProtocolId, RegistrarId, SctpAddress, TransportAddress};
use rserpool_core::element::{ElementConfig, Notice, Refusal, RegistrationError};
use rserpool_core::wire::{CauseCode, OperationError, Policy};
use rserpool_driver::{AnnounceGroup, Builder};
use rserpool_tokio::{PoolElement, Tokio};
use serde_json::json;
use tokio::task::JoinSet;

use crate::daemon;
use crate::discovery::{Registrars, Watched};
use crate::exit::Failure;
use crate::runtime::{run_async, validated};
use crate::settings::{ElementSettings, Given, Host, LogFormat, Source, Time};
use crate::signals::{LEAVE_WITHIN, Termination, hangup};
use crate::{client, logging, output};

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
    service: Service,
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
enum Service {
    /// Every message goes back to its sender (pool EchoPool).
    Echo,
    /// Likewise, but a message that begins with a time, such as "300ms" or "1s", goes back after that time.
    Sleep,
}

/// Messages that are slept on at the same time; further ones go back at once.
const MAX_SLEEPING: usize = 10_000;

/// After how long an element that is not registered tries again; then twice as long, and so on.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long to look for a registrar before somebody at a terminal is told.
const SILENCE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const TRY_AGAIN_MAX: Duration = Duration::from_secs(30);
/// Octets of answers kept for a user that does not read them; then the session is closed.
const MAX_BACKLOG: usize = 4 << 20;
/// What an answer counts beside its content, so that many short ones are bounded too.
const ANSWER_OVERHEAD: usize = 64;

/// Answers for a user who does not take them at the moment.
#[derive(Default)]
struct Backlog {
    answers: VecDeque<(ProtocolId, Bytes)>,
    octets: usize,
}

impl Backlog {
    fn push(&mut self, protocol: ProtocolId, bytes: Bytes) {
        self.octets += bytes.len() + ANSWER_OVERHEAD;
        self.answers.push_back((protocol, bytes));
    }

    /// The first answer leaves, because it was taken.
    fn pop(&mut self) {
        if let Some((_, bytes)) = self.answers.pop_front() {
            self.octets -= bytes.len() + ANSWER_OVERHEAD;
        }
    }
}

impl ServeCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let sleeps = self.service == Service::Sleep;
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
            return validated(given, builder(&settings, registrars.group, registrars.named.found), self.json);
        }
        let reload = logging::start(&settings.log, logging::DAEMON)?;
        let json = self.json || settings.log.format == Some(LogFormat::Json);
        let policy = settings.policy.clone().map_or(Policy::RoundRobin, Policy::from);
        let pool = settings.pool.as_ref().map_or_else(|| "EchoPool".into(), ToString::to_string);
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
            let element = builder(&settings, group, found).start().await?;
            tokio::spawn(logging::tell_losses(async |_| {}));
            let mut echo = Echo {
                element: element.clone(),
                pool: pool.clone(),
                policy,
                patient,
                json,
                told: None,
                registrars,
                tried: Vec::new(),
                pause: TRY_AGAIN,
                waiting: BTreeMap::new(),
                sleeps,
                sleeping: JoinSet::new(),
            };
            daemon::warn_of_strangers(given);
            let result = {
                let mut serving = std::pin::pin!(echo.serve());
                loop {
                    tokio::select! {
                        result = &mut serving => break result,
                        () = termination.wait() => break Ok(()),
                        () = hangup.wait() => daemon::read_again(given, &reload),
                        found = names.changed() => drop(element.use_registrars(found).await),
                    }
                }
            };
            // Users are served until the end: it waits for their requests.
            let (served, ()) = tokio::join!(echo.serve(), element.shutdown(LEAVE_WITHIN));
            result.and(served)
        })
    }
}

fn builder(
    settings: &ElementSettings,
    group: Option<AnnounceGroup>,
    registrars: Vec<SctpAddress>,
) -> Builder<Tokio, ElementConfig> {
    let mut builder = PoolElement::builder("EchoPool").preset(settings.preset.unwrap_or_default().into());
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

/// The time with which a message begins, if it does.
fn time_of(message: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(message.get(..message.len().min(32))?).ok()?;
    let time: Time = text.split_whitespace().next()?.parse().ok()?;
    Some(time.0)
}

/// The echo service.
struct Echo {
    element: PoolElement,
    /// The pool, for the hint what to do next.
    pool: String,
    policy: Policy,
    /// Whether to go on when no registrar answers.
    patient: bool,
    json: bool,
    /// The registrar that was named last; renewals are not worth a line.
    told: Option<TransportAddress>,
    /// The registrars that were named at the start.
    registrars: Vec<SctpAddress>,
    /// The registrars of the last round of the hunt that found none.
    tried: Vec<TransportAddress>,
    /// How long to wait before the next try to register.
    pause: Duration,
    waiting: BTreeMap<AssociationId, Backlog>,
    /// Whether messages may ask for their answer to be late, and those that have asked.
    sleeps: bool,
    sleeping: JoinSet<(AssociationId, ProtocolId, Bytes)>,
}

impl Echo {
    async fn serve(&mut self) -> Result<(), Failure> {
        let mut silence = std::pin::pin!(tokio::time::sleep(SILENCE));
        let mut says_silent = !self.json && self.told.is_none();
        loop {
            tokio::select! {
                () = &mut silence, if says_silent => {
                    says_silent = false;
                    if self.told.is_none() {
                        self.say_silent();
                    }
                }
                event = self.element.next_event() => match event {
                    Some(event) => self.handle(event).await?,
                    None => return Ok(()),
                },
                Some(slept) = self.sleeping.join_next() => {
                    if let Ok((session, protocol, bytes)) = slept {
                        self.answer(session, protocol, bytes).await;
                    }
                }
            }
        }
    }

    async fn handle(&mut self, event: Notice) -> Result<(), Failure> {
        match event {
            Notice::Received { session, protocol, bytes, .. } => {
                let time = self.sleeps.then(|| time_of(&bytes)).flatten();
                match time.filter(|_| self.sleeping.len() < MAX_SLEEPING) {
                    Some(time) => {
                        self.sleeping.spawn(async move {
                            tokio::time::sleep(time).await;
                            (session, protocol, bytes)
                        });
                    }
                    None => self.answer(session, protocol, bytes).await,
                }
            }
            Notice::Writable { session, .. } => self.drain(session).await,
            Notice::SessionClosed { session, .. } => {
                self.waiting.remove(&session);
            }
            Notice::Registered { home, registrar, .. } => {
                self.pause = TRY_AGAIN;
                if self.told.as_ref() != Some(&registrar) {
                    self.say_registered(home, &registrar);
                    self.told = Some(registrar);
                }
            }
            Notice::Deregistered => self.told = None,
            Notice::NoRegistrar { tried, .. } => self.tried = tried,
            Notice::RegistrationFailed(error) => self.registration_failed(error)?,
            _ => {}
        }
        Ok(())
    }

    async fn answer(&mut self, session: AssociationId, protocol: ProtocolId, bytes: Bytes) {
        if let Some(backlog) = self.waiting.get_mut(&session) {
            if backlog.octets < MAX_BACKLOG {
                backlog.push(protocol, bytes);
            } else {
                tracing::warn!(session = session.number(), "user does not read its answers; session closed");
                self.waiting.remove(&session);
                let _ = self.element.close(session).await;
            }
        } else if self.element.send(session, protocol, bytes.clone()).await == Err(Refusal::Congested) {
            self.waiting.entry(session).or_default().push(protocol, bytes);
        }
    }

    async fn drain(&mut self, session: AssociationId) {
        let Some(backlog) = self.waiting.get_mut(&session) else { return };
        while let Some((protocol, bytes)) = backlog.answers.front().cloned() {
            if self.element.send(session, protocol, bytes).await == Err(Refusal::Congested) {
                return;
            }
            backlog.pop();
        }
        self.waiting.remove(&session);
    }

    /// Somebody at a terminal need not wait for the end of a round of the hunt to know that nobody answers.
    fn say_silent(&self) {
        output::event_at_terminal("no registrar has answered so far; Ctrl-C ends");
        let named = self.registrars.first().and_then(|registrar| registrar.sockets().next());
        match named {
            Some(at) => {
                output::event_hint(format_args!(
                    "in another terminal, rserpool registrar --bind {at}, if it is not running"
                ));
            }
            None => output::event_hint(
                "in another terminal, rserpool registrar; or name one here with --registrar",
            ),
        }
    }

    fn say_registered(&self, home: RegistrarId, registrar: &TransportAddress) {
        let (id, bind) = (self.element.id(), self.element.local_addr());
        if self.json {
            let mut event = json!({
                "event": "registered", "id": id.to_string(),
                "registrar": registrar.to_string(), "bind": bind.to_string(),
            });
            // The registrar is known by its address until its first keep-alive names it.
            if home != RegistrarId::NONE {
                event["home"] = home.to_string().into();
            }
            output::event(event);
        } else {
            output::event(format_args!("element {id} on UDP {bind} is registered at {registrar}"));
            if let (None, TransportAddress::Sctp(registrar)) = (&self.told, registrar)
                && let Some(at) = registrar.sockets().next()
            {
                let pool = &self.pool;
                output::event_hint(format_args!(
                    "in another terminal, rserpool connect {} --registrar {at}",
                    output::quoted(pool)
                ));
            }
        }
    }

    fn registration_failed(&mut self, error: RegistrationError) -> Result<(), Failure> {
        match error {
            // The other one may be an earlier process of ours that the registrar has not given up yet.
            RegistrationError::Rejected(ref causes)
                if first_cause(causes) == Some(CauseCode::NON_UNIQUE_IDENTIFIER) =>
            {
                let id = self.element.id();
                tracing::warn!(element = %id, again_in = ?self.pause, "another element with this identifier is alive");
                self.try_again();
                Ok(())
            }
            RegistrationError::Rejected(causes) => {
                let meaning = match first_cause(&causes) {
                    Some(CauseCode::INVALID_VALUES) => {
                        format!(": most likely it does not know the policy {}", self.policy)
                    }
                    Some(CauseCode::INCONSISTENT_POLICY) => {
                        let policy = &self.policy;
                        format!(", and this element {policy}: give all elements of a pool the same --policy")
                    }
                    _ => String::new(),
                };
                Err(Failure::failed(format!("{}{meaning}", RegistrationError::Rejected(causes))))
            }
            RegistrationError::Unanswered if self.patient => {
                self.pause = TRY_AGAIN;
                self.try_again();
                Ok(())
            }
            RegistrationError::Unanswered => Err(client::no_registrar(&self.tried)),
            other => Err(Failure::failed(other.to_string())),
        }
    }

    /// Registers again after a pause, beside this loop, because users are served all the same.
    fn try_again(&mut self) {
        let (element, policy, pause) = (self.element.clone(), self.policy.clone(), self.pause);
        self.pause = (pause * 2).min(TRY_AGAIN_MAX);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            // Refused only while the element is leaving; then there is nothing to repeat.
            let _ = element.update_policy(policy).await;
        });
    }
}

/// The first cause that a registrar has given.
fn first_cause(error: &Option<OperationError>) -> Option<CauseCode> {
    error.as_ref()?.causes.first().map(|cause| cause.code)
}
