//! `rserpool calcapp`: has jobs done by a pool, one after the other.

use std::ops::ControlFlow;
use std::time::Duration;

use rserpool_core::base::PoolHandle;
use rserpool_driver::Runtime;
use rserpool_services::calc_app::{CalcAppClient, CalcAppClientConfig, POOL, Report};
use rserpool_services::{Told, play};
use rserpool_tokio::{PoolUser, Tokio};
use serde_json::json;

use crate::client::{self, Client};
use crate::exit::Failure;
use crate::live::Live;
use crate::output;
use crate::runtime::run_async;
use crate::settings::{Given, Named, PoolName, Source, UserSettings};
use crate::signals::Termination;

/// Have jobs done by a pool, one after the other: a job goes on where its element died.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool calcapp --registrar 127.0.0.1:20001
  rserpool calcapp --registrar 127.0.0.1:20001 --jobs 3 --size 5000000 --json

Elements are started by rserpool serve calcapp, for example with --policy LeastUsed. Each does a
million calculations a second, which its jobs share. How far a job has come moves to the next
element in a cookie (RFC 5352 section 3.8). Ctrl-C ends.")]
pub(crate) struct CalcAppCommand {
    /// The pool
    #[arg(value_parser = PoolName::parser(), default_value = POOL)]
    pool: PoolName,
    /// How many jobs, one after the other [default: until Ctrl-C]
    #[arg(long, value_name = "N")]
    jobs: Option<u64>,
    /// Calculations of a job
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    size: u64,
    /// Print events as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: UserSettings,
}

/// How it went so far.
#[derive(Default)]
struct Sum {
    completed: u64,
    rejected: u64,
    time: Duration,
}

impl CalcAppCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        if self.jobs == Some(0) {
            return Err(Failure::usage("--jobs must be at least 1"));
        }
        let prepared = Client::prepare(given, &self.source, &self.settings, self.json)?;
        let Some(client) = prepared else { return Ok(()) };
        run_async(async {
            let termination = Termination::new()?;
            let running = client.start().await?;
            let user = running.user.clone();
            let mut sum = Sum::default();
            running.finish(termination, self.play(&user, &mut sum)).await?;
            self.sum_up(&sum)
        })
    }

    async fn play(&self, user: &PoolUser, sum: &mut Sum) -> Result<(), Failure> {
        let pool = PoolHandle::from(self.pool.clone());
        let session = user.connect(pool).await.map_err(|error| client::explain(&self.pool, &error))?;
        let (runtime, live) = (Tokio::default(), Live::new(self.json));
        let mut player = CalcAppClient::new(CalcAppClientConfig::default());
        player.begin(runtime.now(), self.size);
        let broken = play(&runtime, &session, &mut player, |player, told| {
            let said = match told {
                Told::Report(report) => {
                    sum.count(&report);
                    let said = self.say(&live, &report);
                    if !player.is_busy() {
                        if self.jobs.is_some_and(|jobs| sum.completed >= jobs) {
                            player.finish();
                        } else {
                            player.begin(runtime.now(), self.size);
                        }
                    }
                    said
                }
                Told::Session(event) => live.say_event(event, self.json),
            };
            let Ok(()) = said else { return ControlFlow::Break(said) };
            let (element, completed, rejected) = (session.element(), sum.completed, sum.rejected);
            live.show(format_args!("{element}: {completed} jobs completed, {rejected} times rejected"));
            ControlFlow::Continue(())
        });
        broken.await.unwrap_or(Ok(()))
    }

    fn say(&self, live: &Live, report: &Report) -> Result<(), Failure> {
        match *report {
            Report::Accepted { element, job } if self.json => output::json(&json!({
                "event": "accepted", "element": element.to_string(), "job": job,
            })),
            Report::Rejected { element, job } if self.json => output::json(&json!({
                "event": "rejected", "element": element.to_string(), "job": job,
            })),
            Report::Completed { element, job, size, took } if self.json => output::json(&json!({
                "event": "completed", "element": element.to_string(), "job": job, "calculations": size,
                "took_ms": took.as_secs_f64() * 1e3,
            })),
            Report::Accepted { element, job } => live.line(format_args!("job {job}: {element} does it")),
            Report::Rejected { element, job } => {
                live.line(format_args!("job {job}: {element} has enough to do"))
            }
            Report::Completed { element, job, took, .. } => {
                live.line(format_args!("job {job}: {element} has completed it after {took:.1?}"))
            }
            _ => Ok(()),
        }
    }

    fn sum_up(&self, sum: &Sum) -> Result<(), Failure> {
        let mean = sum.time.as_secs_f64() * 1e3 / sum.completed.max(1) as f64;
        if self.json {
            return output::json(&json!({
                "event": "summary", "completed": sum.completed, "rejected": sum.rejected, "mean_ms": mean,
            }));
        }
        output::line(format_args!(
            "{} jobs completed, {mean:.0} ms each on average; {} times rejected",
            sum.completed, sum.rejected
        ))
    }
}

impl Sum {
    fn count(&mut self, report: &Report) {
        match report {
            Report::Rejected { .. } => self.rejected += 1,
            Report::Completed { took, .. } => {
                self.completed += 1;
                self.time += *took;
            }
            _ => {}
        }
    }
}
