//! The user of the demonstration, as a process of its own: a numbered request every 20 ms, and
//! every event as a line of JSON. The word `slow` on its input is for a request that takes a second, `stall` for
//! taking no event for as long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rserpool_core::user::RequestId;
use rserpool_driver::SessionEvent;
use rserpool_tokio::Session;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::MissedTickBehavior;

use super::judge::round;
use crate::connect::ECHO;
use crate::exit::Failure;
use crate::runtime::run_async;
use crate::settings::{Named, PoolName, Time, UserSettings};
use crate::{client, logging, output};

/// Send a numbered request at an interval until the input ends.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoUserCommand {
    /// The pool
    #[arg(value_parser = PoolName::parser())]
    pool: PoolName,
    /// Time between two requests
    #[arg(long, default_value = "20ms", value_parser = Time::parser())]
    interval: Time,
    #[command(flatten)]
    settings: UserSettings,
}

/// How long the element takes for a slow request, and how long the user takes nothing when it stalls: longer than
/// anything that decides about life and death with the fast preset.
pub(super) const LONG: Duration = Duration::from_secs(1);

/// How long the last answers may take.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

impl DemoUserCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let settings = self.settings;
        let client = client::Client::new(&settings)?;
        logging::start(&settings.log, logging::TOOL)?;
        run_async(async {
            let user = client.start().await?.user;
            let session =
                user.connect(self.pool.clone()).await.map_err(|error| client::explain(&self.pool, &error))?;
            let mut talk = Talk { session, begin: Instant::now(), sent: 0, unanswered: BTreeMap::new() };
            output::json(&json!({ "event": "opened", "element": talk.session.element().to_string() }))?;
            talk.until_input_ends(self.interval.0).await?;
            // What is still unanswered then is lost, and the summary counts it.
            let _ = tokio::time::timeout(LAST_ANSWERS, talk.until_all_answered()).await;
            output::json(&json!({ "event": "done", "sent": talk.sent }))?;
            user.shutdown(crate::signals::LEAVE_WITHIN).await;
            Ok(())
        })
    }
}

struct Talk {
    session: Session,
    begin: Instant,
    sent: u64,
    unanswered: BTreeMap<RequestId, Request>,
}

struct Request {
    number: u64,
    sent_ms: f64,
    resent: bool,
    slow: bool,
}

impl Talk {
    async fn until_input_ends(&mut self, interval: Duration) -> Result<(), Failure> {
        let mut input = BufReader::new(tokio::io::stdin()).lines();
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                line = input.next_line() => match line?.as_deref() {
                    None => return Ok(()),
                    Some("slow") => self.send(Some(LONG)).await?,
                    Some("stall") => self.stall(interval).await?,
                    Some(word) => return Err(Failure::failed(format!("cannot \"{word}\""))),
                },
                _ = ticks.tick() => self.send(None).await?,
                event = self.session.next_event() => self.handle(event).await?,
            }
        }
    }

    async fn until_all_answered(&mut self) -> Result<(), Failure> {
        while !self.unanswered.is_empty() {
            let event = self.session.next_event().await;
            self.handle(event).await?;
        }
        Ok(())
    }

    /// Goes on sending, and takes nothing of what comes back.
    async fn stall(&mut self, interval: Duration) -> Result<(), Failure> {
        let (begin, since_ms) = (Instant::now(), self.now_ms());
        while begin.elapsed() < LONG {
            self.send(None).await?;
            tokio::time::sleep(interval).await;
        }
        output::json(&json!({ "event": "stalled", "since_ms": since_ms, "at_ms": self.now_ms() }))
    }

    /// Sends a request, for which the element is to take so long.
    async fn send(&mut self, time: Option<Duration>) -> Result<(), Failure> {
        let number = self.sent + 1;
        let sent_ms = self.now_ms();
        let time = time.map(|time| format!("{} ", Time(time))).unwrap_or_default();
        let request = self
            .session
            .request(ECHO, format!("{time}request {number:05}"))
            .await
            .map_err(|refusal| Failure::failed(format!("request {number}: {refusal}")))?;
        self.sent = number;
        self.unanswered.insert(request, Request { number, sent_ms, resent: false, slow: !time.is_empty() });
        Ok(())
    }

    async fn handle(&mut self, event: Option<SessionEvent>) -> Result<(), Failure> {
        let at_ms = self.now_ms();
        match event {
            Some(SessionEvent::Received { element, bytes, .. }) => {
                let text = String::from_utf8_lossy(&bytes);
                let (text, count) = text.rsplit_once(" count ").unwrap_or((&text, ""));
                let number = text.rsplit_once("request ").and_then(|(_, number)| number.parse::<u64>().ok());
                let found = self.unanswered.iter().find(|(_, request)| Some(request.number) == number);
                let Some(id) = found.map(|(id, _)| *id) else {
                    return output::json(&json!({ "event": "answered_again", "number": number }));
                };
                let Some(request) = self.unanswered.remove(&id) else { return Ok(()) };
                self.session.forget(id);
                output::json(&json!({
                    "event": "answer", "number": request.number, "element": element.to_string(),
                    "sent_ms": request.sent_ms, "at_ms": at_ms, "resent": request.resent, "slow": request.slow,
                    "count": count.parse::<u64>().ok(),
                }))
            }
            Some(SessionEvent::ElementFailed { element, reason, .. }) => output::json(&json!({
                "event": "element_failed", "element": element.to_string(), "reason": reason.to_string(),
                "at_ms": at_ms,
            })),
            Some(SessionEvent::FailedOver { from, to, resent, .. }) => {
                let mut numbers = Vec::new();
                for id in &resent {
                    if let Some(request) = self.unanswered.get_mut(id) {
                        request.resent = true;
                        numbers.push(request.number);
                    }
                }
                output::json(&json!({
                    "event": "failed_over", "from": from.to_string(), "to": to.to_string(),
                    "resent": numbers, "at_ms": at_ms,
                }))
            }
            Some(SessionEvent::Closed { error: Some(error), .. }) => Err(Failure::failed(error.to_string())),
            Some(_) => Ok(()),
            None => Err(Failure::failed("the session has ended")),
        }
    }

    fn now_ms(&self) -> f64 {
        round(self.begin.elapsed().as_secs_f64() * 1e3)
    }
}
