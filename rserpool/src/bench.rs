//! `rserpool bench`: loads a registrar with elements and questions, and tells how fast it answers.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use rserpool_core::base::{ASAP_PORT, SctpAddress};
use rserpool_tokio::{ElementEvent, PoolElement, PoolUser, UserError};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::exit::Failure;
use crate::runtime::run_async;
use crate::settings::{Host, LifeUnitName, Named, PolicyText, PoolName, Time};
use crate::{client, output};

/// Measure a registrar: register elements, ask for them, and report rates and latencies.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool bench --registrar 127.0.0.1:20001
  rserpool bench --registrar 127.0.0.1:20001 --elements 1000 --users 100 --seconds 30 --json
  rserpool bench --registrar 127.0.0.1:20001 --elements 10000 --users 0 --seconds 60

Every element and every user has a UDP port and an association of its own, and answers keep-alives.
A user asks its next question when the last one is answered.

Exits with 1 if an element cannot be registered or a question fails.")]
pub(crate) struct BenchCommand {
    /// The registrar's address or name and its UDP port [default port: 9899]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = Host::parser())]
    registrar: Host,
    /// The pool
    #[arg(long, value_name = "NAME", default_value = "bench", value_parser = PoolName::parser())]
    pool: PoolName,
    /// Policy of the pool with the values of each element [default: RoundRobin]
    #[arg(long, value_name = "POLICY", value_parser = PolicyText::parser())]
    policy: Option<PolicyText>,
    /// How many elements to register
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    elements: usize,
    /// How many users ask at the same time; 0 only keeps the elements registered
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    users: usize,
    /// How long to ask
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many elements each question asks for
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    items: u32,
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

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    elements: usize,
    /// From the start of the first to the registration of the last.
    registrations_per_second: f64,
    /// From its start to its registration, of each element.
    registration: Latency,
    /// Elements that lost their place while the registrar was loaded, and came back.
    registered_again: u64,
    users: usize,
    duration_s: f64,
    resolutions: u64,
    resolutions_per_second: f64,
    resolution: Latency,
    failed: u64,
}

/// Microseconds that half of the times, and so on, do not exceed.
#[derive(Debug, Serialize)]
struct Latency {
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    p999_us: u64,
    max_us: u64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        let micros = |quantile| histogram.value_at_quantile(quantile) / 1_000;
        Self {
            p50_us: micros(0.5),
            p90_us: micros(0.9),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            max_us: histogram.max() / 1_000,
        }
    }
}

/// How many elements may be on their way into the pool at the same time: a load, but no flood.
const AT_ONCE: usize = 64;

/// How long an element or a user may take to leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

impl BenchCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let registrar = self.registrar.resolve(ASAP_PORT, None)?;
        allow_sockets(self.elements + self.users + 64)?;
        run_async(async {
            let mut elements = Elements::register(&self, &registrar).await?;
            let asked = self.ask(&registrar).await;
            let registered_again = elements.leave().await;
            let asked = asked?;
            let report = Report {
                elements: self.elements,
                registrations_per_second: elements.rate,
                registration: Latency::of(&elements.latencies),
                registered_again,
                users: self.users,
                duration_s: asked.time.as_secs_f64(),
                resolutions: asked.latencies.len(),
                resolutions_per_second: asked.latencies.len() as f64 / asked.time.as_secs_f64(),
                resolution: Latency::of(&asked.latencies),
                failed: asked.failed,
            };
            if self.json {
                output::pretty_json(&report)?;
            } else {
                report.print()?;
                output::hint(format_args!("rserpool stats --explain --registrar {}", self.registrar));
            }
            if asked.failed > 0 {
                return Err(Failure::failed(format!("{} questions failed", asked.failed)));
            }
            Ok(())
        })
    }

    /// Lets all users ask for as long as the measurement lasts.
    async fn ask(&self, registrar: &SctpAddress) -> Result<Asked, Failure> {
        let mut users = Vec::with_capacity(self.users);
        for _ in 0..self.users {
            let registrar = registrar.clone();
            let builder = PoolUser::builder()
                .busy_poll(self.busy_poll.map_or(Duration::ZERO, Duration::from))
                .configure(|config| config.hunt.registrars = vec![registrar.into()]);
            let user = builder.start().await?;
            // The first question finds the registrar; it is not measured.
            user.resolve_items(self.pool.clone(), Some(self.items))
                .await
                .map_err(|error| client::explain(&self.pool, &error))?;
            users.push(user);
        }
        let span = Duration::from_secs(self.seconds);
        let begin = Instant::now();
        let mut tasks = JoinSet::new();
        for user in &users {
            tasks.spawn(questions(user.clone(), self.pool.clone(), self.items, begin + span));
        }
        let progress = bar("resolving", self.seconds);
        while begin.elapsed() < span {
            tokio::time::sleep(Duration::from_millis(200).min(span - begin.elapsed().min(span))).await;
            progress.set_position(begin.elapsed().as_secs());
        }
        let mut asked = Asked { latencies: histogram(), failed: 0, time: Duration::ZERO };
        while let Some(result) = tasks.join_next().await {
            let (latencies, failed) = result.map_err(|error| Failure::failed(error.to_string()))?;
            asked.failed += failed;
            asked.latencies.add(latencies).map_err(|error| Failure::failed(error.to_string()))?;
        }
        asked.time = begin.elapsed();
        progress.finish_and_clear();
        for user in &users {
            user.shutdown(LEAVE_WITHIN).await;
        }
        Ok(asked)
    }
}

/// What all users together have seen. Latencies are in nanoseconds.
struct Asked {
    latencies: Histogram<u64>,
    failed: u64,
    time: Duration,
}

/// One user: asks, waits, asks again.
async fn questions(user: PoolUser, pool: PoolName, items: u32, until: Instant) -> (Histogram<u64>, u64) {
    let (mut latencies, mut failed) = (histogram(), 0);
    let mut begin = Instant::now();
    while begin < until {
        let answer = user.resolve_items(pool.clone(), Some(items)).await;
        let end = Instant::now();
        match answer {
            Ok(resolution) if !resolution.elements.is_empty() => note(&mut latencies, end - begin),
            Err(UserError::ShuttingDown) => break,
            _ => failed += 1,
        }
        begin = end;
    }
    (latencies, failed)
}

/// The elements, each answering keep-alives in a task of its own.
struct Elements {
    tasks: JoinSet<Result<u64, Failure>>,
    all: Vec<PoolElement>,
    latencies: Histogram<u64>,
    rate: f64,
}

impl Elements {
    async fn register(command: &BenchCommand, registrar: &SctpAddress) -> Result<Self, Failure> {
        let mut elements = Self { tasks: JoinSet::new(), all: Vec::new(), latencies: histogram(), rate: 0.0 };
        let progress = bar("registering", command.elements as u64);
        let begin = Instant::now();
        let mut entering = JoinSet::new();
        for _ in 0..command.elements {
            if entering.len() >= AT_ONCE {
                elements.entered(&mut entering, &progress).await?;
            }
            let registrar = registrar.clone();
            let life_unit = command.life_unit.unwrap_or_default().into();
            let mut builder = PoolElement::builder(command.pool.clone()).configure(move |config| {
                config.hunt.registrars = vec![registrar];
                config.life_unit = life_unit;
            });
            if let Some(policy) = command.policy.clone() {
                builder = builder.policy(policy.into());
            }
            entering.spawn(async move {
                let begin = Instant::now();
                let element = builder.start().await?;
                while let Some(event) = element.next_event().await {
                    match event {
                        ElementEvent::Registered { .. } => return Ok((element, begin.elapsed())),
                        ElementEvent::RegistrationFailed(error) => {
                            return Err(Failure::failed(format!("registration refused: {error}")));
                        }
                        ElementEvent::NoRegistrar { tried, .. } => {
                            return Err(client::no_registrar(&tried));
                        }
                        _ => {}
                    }
                }
                Err(Failure::failed("an element has stopped"))
            });
        }
        while !entering.is_empty() {
            elements.entered(&mut entering, &progress).await?;
        }
        elements.rate = command.elements as f64 / begin.elapsed().as_secs_f64();
        progress.finish_and_clear();
        Ok(elements)
    }

    /// Waits until an element is in the pool, or could not get there.
    async fn entered(
        &mut self,
        entering: &mut JoinSet<Result<(PoolElement, Duration), Failure>>,
        progress: &ProgressBar,
    ) -> Result<(), Failure> {
        let Some(entered) = entering.join_next().await else { return Ok(()) };
        let (element, time) = entered.map_err(|error| Failure::failed(error.to_string()))??;
        note(&mut self.latencies, time);
        progress.inc(1);
        self.all.push(element.clone());
        self.tasks.spawn(async move {
            let mut again = 0;
            while let Some(event) = element.next_event().await {
                again += u64::from(matches!(event, ElementEvent::Registered { .. }));
            }
            Ok(again)
        });
        Ok(())
    }

    /// Deregisters all; returns how many had to register again meanwhile.
    async fn leave(&mut self) -> u64 {
        let mut leaving = JoinSet::new();
        for element in self.all.drain(..) {
            if leaving.len() >= AT_ONCE {
                leaving.join_next().await;
            }
            leaving.spawn(async move { element.shutdown(LEAVE_WITHIN).await });
        }
        while leaving.join_next().await.is_some() {}
        let mut again = 0;
        while let Some(result) = self.tasks.join_next().await {
            again += result.ok().and_then(Result::ok).unwrap_or(0);
        }
        again
    }
}

impl Report {
    fn print(&self) -> Result<(), Failure> {
        let latency = |name: &str, latency: &Latency| {
            let Latency { p50_us, p90_us, p99_us, p999_us, max_us } = latency;
            output::line(format!(
                "{name} in us: 50 % {p50_us}, 90 % {p90_us}, 99 % {p99_us}, 99.9 % {p999_us}, max {max_us}"
            ))
        };
        output::line(format!(
            "{} elements registered, {:.0} per second, {} had to register again",
            self.elements, self.registrations_per_second, self.registered_again
        ))?;
        if self.elements > 0 {
            latency("  registration", &self.registration)?;
        }
        if self.users > 0 {
            output::line(format!(
                "{} users: {} resolutions in {:.1} s, {:.0} per second, {} failed",
                self.users, self.resolutions, self.duration_s, self.resolutions_per_second, self.failed
            ))?;
            latency("  resolution", &self.resolution)?;
        }
        Ok(())
    }
}

/// Nanoseconds with three digits; what lasts longer than an hour counts as one.
fn histogram() -> Histogram<u64> {
    const HOUR: u64 = 3_600_000_000_000;
    #[expect(clippy::expect_used, reason = "bounds and precision are constants that work")]
    Histogram::new_with_bounds(1, HOUR, 3).expect("valid bounds")
}

fn note(latencies: &mut Histogram<u64>, time: Duration) {
    latencies.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
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
