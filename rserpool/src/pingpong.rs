//! `rserpool pingpong`: a session whose numbers count up, whichever element answers.

use std::ops::ControlFlow;
use std::time::Duration;

use rserpool_core::base::PoolHandle;
use rserpool_services::ping_pong::{POOL, PingPongClient, PingPongConfig, Pong};
use rserpool_services::{Told, play};
use rserpool_tokio::{PoolUser, Tokio};
use serde_json::json;

use crate::client::{self, Client};
use crate::exit::Failure;
use crate::live::Live;
use crate::output;
use crate::runtime::run_async;
use crate::settings::{Given, Named, PoolName, Source, Time, UserSettings};
use crate::signals::Termination;

/// Play ping pong with a pool: the answers are numbered, whichever element gives them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool pingpong --registrar 127.0.0.1:20001
  rserpool pingpong --registrar 127.0.0.1:20001 --interval 10ms --seconds 5 --json

Elements are started by rserpool serve pingpong. The number of the last answer is the state of the
session: it moves to the next element in a cookie (RFC 5352 section 3.8). Ctrl-C ends.
Exits with 1 if a ping was lost or the numbers went back, 2 if no registrar answers.")]
pub(crate) struct PingPongCommand {
    /// The pool
    #[arg(value_parser = PoolName::parser(), default_value = POOL)]
    pool: PoolName,
    /// Time between two pings
    #[arg(long, value_name = "TIME", default_value = "500ms")]
    interval: Time,
    /// End after so many seconds [default: with Ctrl-C]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Print events as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: UserSettings,
}

impl PingPongCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        if self.interval.0.is_zero() {
            return Err(Failure::usage("--interval must be longer than zero"));
        }
        let prepared = Client::prepare(given, &self.source, &self.settings, self.json)?;
        let Some(client) = prepared else { return Ok(()) };
        run_async(async {
            let termination = Termination::new()?;
            let running = client.start().await?;
            let user = running.user.clone();
            let mut config = PingPongConfig::default();
            config.interval = self.interval.0;
            config.limit = self.seconds.map(Duration::from_secs);
            let mut player = PingPongClient::new(config);
            running.finish(termination, self.play(&user, &mut player)).await?;
            self.sum_up(&player)
        })
    }

    async fn play(&self, user: &PoolUser, player: &mut PingPongClient) -> Result<(), Failure> {
        let pool = PoolHandle::from(self.pool.clone());
        let session = user.connect(pool).await.map_err(|error| client::explain(&self.pool, &error))?;
        let live = Live::new(self.json);
        let runtime = Tokio::default();
        let broken = play(&runtime, &session, player, |player, told| {
            let said = match told {
                Told::Report(pong) => self.say_pong(&pong),
                Told::Session(event) => live.say_event(event, self.json),
            };
            let Ok(()) = said else { return ControlFlow::Break(said) };
            let summary = player.summary();
            live.show(format_args!(
                "{}: {} sent, {} answered, {} lost, {} failovers",
                session.element(),
                summary.sent,
                summary.answered,
                summary.lost,
                summary.failovers
            ));
            ControlFlow::Continue(())
        });
        broken.await.unwrap_or(Ok(()))
    }

    fn say_pong(&self, pong: &Pong) -> Result<(), Failure> {
        if self.json {
            let Pong { element, message, reply, .. } = pong;
            let element = element.to_string();
            output::json(
                &json!({ "event": "pong", "element": element, "message": message, "reply": reply }),
            )?;
        }
        Ok(())
    }

    fn sum_up(&self, player: &PingPongClient) -> Result<(), Failure> {
        let sum = player.summary();
        if self.json {
            output::json(&json!({
                "event": "summary", "sent": sum.sent, "answered": sum.answered, "lost": sum.lost,
                "duplicates": sum.duplicates, "went_back": sum.went_back, "failovers": sum.failovers,
            }))?;
        } else {
            output::line(format_args!(
                "{} pings, {} answered, {} lost; {} failovers; the numbers went back {} times",
                sum.sent, sum.answered, sum.lost, sum.failovers, sum.went_back
            ))?;
        }
        match sum.lost + sum.went_back {
            0 => Ok(()),
            _ => Err(Failure::failed("pings were lost, or the numbers went back")),
        }
    }
}
