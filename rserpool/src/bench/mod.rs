//! `rserpool bench`: loads a registrar with elements, questions, registrations or sessions, and tells how fast all are
//! served.

mod elements;
mod killed;
mod latency;
mod report;
mod users;

use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use rserpool_core::base::{ASAP_PORT, SctpAddress};
use serde::Serialize;

use crate::exit::Failure;
use crate::output;
use crate::runtime::run_async;
use crate::settings::{Host, LifeUnitName, Named, PolicyText, PoolName, PresetName, Time};

use elements::Elements;
use killed::Killed;
use latency::{Latency, Times};
use report::{Measured, Report};
use users::{Tally, Users};

/// Measure a registrar, or a pool: rates and latencies of resolutions, registrations, calls and failovers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool bench --registrar 127.0.0.1:20001
  rserpool bench --registrar 127.0.0.1:20001 --elements 1000 --users 100 --seconds 30 --json
  rserpool bench --registrar 127.0.0.1:20001 --elements 10000 --users 0 --seconds 60
  rserpool bench --registrar 127.0.0.1:20001 --users 100 --rate 20000
  rserpool bench --registrar 127.0.0.1:20001 --mode failover --preset fast

Every element and every user has a UDP port and an association of its own, and answers keep-alives.
A user asks its next question when the last one is answered, or with --rate at a time that was fixed before:
then what had to wait for the last answer is as late as it was kept waiting.

Modes:
  resolve    users ask for elements of the pool
  register   elements come into the pool, all at once, and leave it, again and again
  session    each user has a session, and makes calls of 32 octets in it
  failover   the same, with elements in processes of their own, of which one is killed (SIGKILL) every second

Exits with 1 if an element cannot be registered, or a question or a call fails.")]
pub(crate) struct BenchCommand {
    /// The registrar's address or name and its UDP port [default port: 9899]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = Host::parser())]
    registrar: Host,
    /// What to measure
    #[arg(long, value_name = "MODE", default_value = "resolve", hide_possible_values = true)]
    mode: Mode,
    /// The pool
    #[arg(long, value_name = "NAME", default_value = "bench", value_parser = PoolName::parser())]
    pool: PoolName,
    /// Policy of the pool with the values of each element [default: RoundRobin]
    #[arg(long, value_name = "POLICY", value_parser = PolicyText::parser())]
    policy: Option<PolicyText>,
    /// How many elements to register [default: 100, in mode failover 3]
    #[arg(long, value_name = "NUMBER")]
    elements: Option<usize>,
    /// How many elements may be on their way into the pool at the same time [default: 64, in mode register all]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: Option<u32>,
    /// How many users ask at the same time; 0 only keeps the elements registered [default: 1, in mode failover 10]
    #[arg(long, value_name = "NUMBER")]
    users: Option<usize>,
    /// How many questions or calls all users together make a second [default: as many as are answered, in mode failover 50
    /// for each user]
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    rate: Option<f64>,
    /// How long to ask
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many elements each question asks for
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    items: u32,
    /// The timers of elements and users: rfc, fast or rack
    #[arg(long, value_name = "PRESET", default_value = "rfc", hide_possible_values = true)]
    preset: PresetName,
    /// How long after each datagram a user polls for the next one instead of sleeping; the registrar has
    /// this setting, too [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = Time::parser())]
    busy_poll: Option<Time>,
    /// The unit of registration lives in this scope: milliseconds with an RSPLIB registrar [default: seconds]
    #[arg(long, value_name = "UNIT")]
    life_unit: Option<LifeUnitName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Resolve,
    Register,
    Session,
    Failover,
}

/// How many elements come into the pool, or leave it, at the same time: a load, but no flood.
const AT_ONCE: usize = 64;

/// Calls a second of each user while elements are killed: one every 20 ms.
const CALLS_BESIDE_KILLS: f64 = 50.0;

/// How long an element or a user may take to leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

impl BenchCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.mode == Mode::Register && (self.users.is_some() || self.rate.is_some()) {
            return Err(Failure::usage("--mode register has no users: leave --users and --rate out"));
        }
        let registrar = self.registrar.resolve(ASAP_PORT, None)?;
        allow_sockets(self.elements() + self.users() + 64)?;
        run_async(async {
            let report = match self.mode {
                Mode::Resolve | Mode::Session => self.beside_elements(&registrar).await,
                Mode::Register => self.registrations(&registrar).await,
                Mode::Failover => self.failovers(&registrar).await,
            }?;
            if self.json {
                output::pretty_json(&report)?;
            } else {
                report.print()?;
                output::hint(format_args!("rserpool stats --explain --registrar {}", self.registrar));
            }
            report.verdict()
        })
    }

    /// Users ask a registrar, or call elements, that stay.
    async fn beside_elements(&self, registrar: &SctpAddress) -> Result<Report, Failure> {
        let mut elements = Elements::register(self, registrar, None).await?;
        let asked = self.ask(registrar).await;
        let registered_again = elements.leave().await;
        let (tally, time) = asked?;
        let registered = (elements.rate, &elements.latencies, registered_again);
        let measured = match self.mode {
            Mode::Session => Measured::session(&tally, time),
            _ => Measured::resolve(&tally, time),
        };
        Ok(Report::new(self, time, registered, measured))
    }

    /// Elements come and go for as long as the measurement lasts.
    async fn registrations(&self, registrar: &SctpAddress) -> Result<Report, Failure> {
        let (begin, span) = (Instant::now(), Duration::from_secs(self.seconds));
        let progress = bar("registering", self.seconds);
        let (mut times, mut again, mut rounds, mut busy) = (Times::new(), 0, 0, Duration::ZERO);
        while rounds == 0 || begin.elapsed() < span {
            let mut elements = Elements::register(self, registrar, Some(&progress)).await?;
            again += elements.leave().await;
            times.add(&elements.latencies)?;
            busy += elements.entering;
            rounds += 1;
            progress.set_position(begin.elapsed().as_secs());
        }
        progress.finish_and_clear();
        let rate = times.count() as f64 / busy.as_secs_f64();
        Ok(Report::new(self, begin.elapsed(), (rate, &times, again), Measured::Register { rounds }))
    }

    /// Users call elements that are killed.
    async fn failovers(&self, registrar: &SctpAddress) -> Result<Report, Failure> {
        let begin = Instant::now();
        let elements = Killed::start(self, registrar).await?;
        let rate = elements.len() as f64 / begin.elapsed().as_secs_f64();
        let times = elements.registrations();
        let killing = elements.kill_in_turns();
        let asked = self.ask(registrar).await;
        let kills = killing.end().await;
        let (tally, time) = asked?;
        Ok(Report::new(self, time, (rate, &times, 0), Measured::failover(&tally, time, kills?)))
    }

    /// Lets all users ask for as long as the measurement lasts; returns what they saw, and how long it was.
    async fn ask(&self, registrar: &SctpAddress) -> Result<(Tally, Duration), Failure> {
        let mut users = Users::start(self, registrar).await?;
        let span = Duration::from_secs(self.seconds);
        let begin = Instant::now();
        users.begin(self.rate(), (begin, begin + span));
        let progress = bar(if self.mode == Mode::Resolve { "resolving" } else { "calling" }, self.seconds);
        while begin.elapsed() < span {
            tokio::time::sleep(Duration::from_millis(200).min(span - begin.elapsed().min(span))).await;
            progress.set_position(begin.elapsed().as_secs());
        }
        let tally = users.end().await?;
        let time = begin.elapsed();
        progress.finish_and_clear();
        users.leave().await;
        Ok((tally, time))
    }

    fn elements(&self) -> usize {
        self.elements.unwrap_or(if self.mode == Mode::Failover { 3 } else { 100 })
    }

    fn users(&self) -> usize {
        match self.mode {
            Mode::Register => 0,
            Mode::Failover => self.users.unwrap_or(10),
            Mode::Resolve | Mode::Session => self.users.unwrap_or(1),
        }
    }

    fn rate(&self) -> Option<f64> {
        let beside_kills = || (self.mode == Mode::Failover).then(|| CALLS_BESIDE_KILLS * self.users() as f64);
        self.rate.or_else(beside_kills)
    }

    fn at_once(&self) -> usize {
        match self.at_once {
            Some(number) => number as usize,
            None if self.mode == Mode::Register => usize::MAX,
            None => AT_ONCE,
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    // Below, the next question is further away than anybody waits; above, than a clock can tell.
    if (0.001..=1e9).contains(&rate) { Ok(rate) } else { Err("not between 0.001 and 1,000,000,000".into()) }
}

/// A progress bar on the standard error output; none if that is not a terminal.
fn bar(what: &'static str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what);
    match ProgressStyle::with_template("{msg:>12} [{bar:40}] {pos}/{len} {eta}") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Raises the number of sockets that this process may have, if it must be and may be.
fn allow_sockets(needed: usize) -> Result<(), Failure> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let needed = needed as u64;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(std::io::Error::from)?;
    if soft >= needed {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard).map_err(std::io::Error::from)?;
    if hard < needed {
        return Err(Failure::failed(format!(
            "{needed} sockets are needed and {hard} allowed: raise the limit (ulimit -n)"
        )));
    }
    Ok(())
}
