//! `rserpool connect`: lines from the input go to a pool, answers come back.

use std::collections::VecDeque;
use std::future::Future;
use std::io::IsTerminal;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{ElementId, ProtocolId};
use rserpool_core::user::{Notice, RequestId};
use rserpool_driver::SessionEvent;
use rserpool_tokio::{PoolUser, Session};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Stdin};
use tokio::time::Instant;

use crate::client::{self, Client};
use crate::exit::Failure;
use crate::output;
use crate::runtime::run_async;
use crate::settings::{Given, Named, PoolName, Source, UserSettings};
use crate::signals::{Termination, hangup};
use crate::view::hex;

/// Send lines to a pool and show the answers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool connect EchoPool --registrar 127.0.0.1:20001
  rserpool connect EchoPool --registrar tcp:127.0.0.1:3863
  seq 1000 | rserpool connect EchoPool --registrar 127.0.0.1:20001 --json

Each line is a request. Requests that are unanswered when an element fails go to the next one, within
--max-deliveries and --answer-deadline, so an element may do the same work twice. When the input ends
(Ctrl-D on a terminal), the command waits for the last answer; it exits with 1 if a request was given up.")]
pub(crate) struct ConnectCommand {
    /// The pool
    #[arg(value_parser = PoolName::parser())]
    pool: PoolName,
    /// Print events as JSON
    #[arg(long)]
    json: bool,
    /// Print answers as they are on a terminal, too, control characters included
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: UserSettings,
}

/// The payload protocol identifier of the echo service: none in particular.
pub(crate) const ECHO: ProtocolId = ProtocolId(0);
/// Lines that wait for an answer; then no more is read.
const MAX_UNANSWERED: usize = 256;
/// Answers remembered, to know one that comes twice because its request was resent.
const REMEMBERED: usize = 256;
/// Characters shown of a request that is given up.
const SHOWN: usize = 40;
/// Octets of the longest line; SCTP here carries no longer message.
const MAX_LINE: usize = rserpool_core::endpoint::MAX_MESSAGE;

/// How long an answer may take before somebody at a terminal is told what is waited for.
const SILENCE: Duration = Duration::from_secs(1);

impl ConnectCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let prepared = Client::prepare(given, &self.source, &self.settings, self.json)?;
        let Some(client) = prepared else { return Ok(()) };
        run_async(async {
            // A conversation ends with its input, not with the terminal that it was begun on.
            let (termination, _hangup) = (Termination::new()?, hangup()?);
            let running = client.start().await?;
            let user = running.user.clone();
            running.finish(termination, self.converse(&user)).await
        })
    }

    /// Opens the session, and says what it waits for if that takes long.
    async fn open(&self, user: &PoolUser) -> Result<Session, Failure> {
        let mut opening = pin!(user.connect(self.pool.clone()));
        let opened = loop {
            tokio::select! {
                opened = &mut opening => break opened,
                Some(notice) = user.next_event() => if let Notice::Opening { awaited, .. } = notice {
                    output::remark(format_args!("{awaited}; Ctrl-C ends"));
                },
            }
        };
        opened.map_err(|error| client::explain(&self.pool, &error))
    }

    async fn converse(&self, user: &PoolUser) -> Result<(), Failure> {
        let session = self.open(user).await?;
        self.say_opened(session.element())?;
        let prompt = Prompt::new(self.json);
        prompt.explain();
        let mut input = Some(BufReader::new(tokio::io::stdin()).split(b'\n'));
        let mut unanswered = Unanswered::default();
        // When to say that answers are missing, and whether that was said.
        let (mut say_at, mut said) = (None, false);
        // A session that is full takes a line only after answers were taken, so both go on at once.
        let mut sending = None;
        while input.is_some() || sending.is_some() || !unanswered.waiting.is_empty() {
            let reading = unanswered.waiting.len() < MAX_UNANSWERED && sending.is_none();
            if reading && input.is_some() && unanswered.waiting.is_empty() {
                prompt.show();
                (say_at, said) = (None, false);
            }
            tokio::select! {
                biased;
                sent = finish(&mut sending), if sending.is_some() => {
                    sending = None;
                    unanswered.waiting.push_back(sent?);
                    if prompt.0 && !said {
                        say_at.get_or_insert_with(|| Instant::now() + SILENCE);
                    }
                }
                () = until(say_at) => {
                    (say_at, said) = (None, true);
                    let element = session.element();
                    output::remark(format_args!("waiting for an answer of {element}, or for it to fail"));
                }
                event = session.next_event() => match event {
                    Some(event) => self.handle(&session, &mut unanswered, event).await?,
                    None => return Err(Failure::failed("the session has ended")),
                },
                line = next_line(&mut input), if reading && input.is_some() => match line? {
                    // SCTP has no empty messages.
                    Some(line) if line.is_empty() => output::prompt_answered(),
                    Some(line) => {
                        output::prompt_answered();
                        sending = Some(Box::pin(send(&session, line)));
                    }
                    None => {
                        output::prompt_left();
                        input = None;
                    }
                },
            }
        }
        match unanswered.given_up {
            0 => prompt.say_next(),
            1 => return Err(Failure::failed("one request was given up")),
            many => return Err(Failure::failed(format!("{many} requests were given up"))),
        }
        Ok(())
    }

    async fn handle(
        &self,
        session: &Session,
        unanswered: &mut Unanswered,
        event: SessionEvent,
    ) -> Result<(), Failure> {
        match event {
            SessionEvent::Received { element, bytes, .. } => {
                match unanswered.settle(&bytes) {
                    Answer::To(request) => drop(session.answered(request).await),
                    Answer::Unasked => {}
                    Answer::Again => return Ok(()),
                }
                self.say_answer(element, &bytes)
            }
            SessionEvent::ElementFailed { element, reason, .. } => {
                let (element, reason) = (element.to_string(), reason.to_string());
                self.say(
                    &json!({ "event": "element_failed", "element": element, "reason": reason }),
                    &format!("element {element} failed: {reason}; looking for another one"),
                )
            }
            SessionEvent::FailedOver { from, to, resent, .. } => self.say(
                &json!({
                    "event": "failover", "from": from.to_string(), "to": to.to_string(),
                    "resent": resent.len(),
                }),
                &format!("moved from {from} to {to}, {} sent again", output::count(resent.len(), "request")),
            ),
            SessionEvent::Unanswered { request, reason, .. } => {
                let Some(line) = unanswered.give_up(request) else { return Ok(()) };
                let (text, reason) = (String::from_utf8_lossy(&line), reason.to_string());
                let start: String = text.chars().take(SHOWN).flat_map(char::escape_default).collect();
                self.say(
                    &json!({ "event": "given_up", "text": text, "reason": reason }),
                    &format!("request \"{start}\" is given up: {reason}"),
                )
            }
            SessionEvent::Closed { error: Some(error), .. } => Err(client::explain(&self.pool, &error)),
            // Closed at our own wish.
            _ => Ok(()),
        }
    }

    /// An element may say anything, and a terminal obeys control characters: there they are shown, not sent.
    fn say_answer(&self, element: ElementId, bytes: &Bytes) -> Result<(), Failure> {
        if self.json {
            let mut event = json!({ "event": "answer", "element": element.to_string() });
            match std::str::from_utf8(bytes) {
                Ok(text) => event["text"] = text.into(),
                Err(_) => event["hex"] = hex(bytes).into(),
            }
            return output::json(&event);
        }
        if self.raw || !std::io::stdout().is_terminal() {
            return output::octets(&[format!("{element}: ").as_bytes(), bytes, b"\n"].concat());
        }
        output::line(format_args!("{element}: {}", without_controls(&String::from_utf8_lossy(bytes))))
    }

    fn say_opened(&self, element: ElementId) -> Result<(), Failure> {
        let element = element.to_string();
        self.say(&json!({ "event": "opened", "element": element }), &format!("connected to {element}"))
    }

    /// JSON on the standard output, or a remark beside the answers.
    fn say(&self, event: &serde_json::Value, text: &str) -> Result<(), Failure> {
        if self.json {
            return output::json(event);
        }
        output::remark(text);
        Ok(())
    }
}

/// A text whose control characters are visible.
fn without_controls(text: &str) -> String {
    let mut visible = String::new();
    for letter in text.chars() {
        if letter.is_control() { visible.extend(letter.escape_default()) } else { visible.push(letter) }
    }
    visible
}

/// What a person at a terminal is asked for. There is none if lines or answers come from or go to elsewhere.
struct Prompt(bool);

impl Prompt {
    fn new(json: bool) -> Self {
        Self(!json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal())
    }

    fn explain(&self) {
        if self.0 {
            output::remark(
                "type a line to send it; Ctrl-D ends. Kill that element (Ctrl-\\ in its terminal), and type on",
            );
        }
    }

    fn show(&self) {
        if self.0 {
            output::prompt();
        }
    }

    fn say_next(&self) {
        if self.0 {
            output::hint("rserpool pools, with the same --registrar, lists the elements that are left");
        }
    }
}

/// The next line without its end; `None` at the end of the input. Cancel safe.
async fn next_line(
    input: &mut Option<tokio::io::Split<BufReader<Stdin>>>,
) -> Result<Option<Vec<u8>>, Failure> {
    let Some(lines) = input else { return Ok(None) };
    let line = lines.next_segment().await?;
    Ok(line.map(|line| line.strip_suffix(b"\r").map(<[u8]>::to_vec).unwrap_or(line)))
}

/// Waits for this moment, or for ever.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits for the line that is being sent.
async fn finish<T>(sending: &mut Option<Pin<Box<impl Future<Output = T>>>>) -> T {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

async fn send(session: &Session, line: Vec<u8>) -> Result<(RequestId, Bytes), Failure> {
    if line.len() > MAX_LINE {
        return Err(Failure::failed(format!("a line is longer than {MAX_LINE} octets")));
    }
    let line = Bytes::from(line);
    let refused = |refusal| Failure::failed(format!("not sent: {refusal}"));
    let request = session.request(ECHO, line.clone()).await.map_err(refused)?;
    Ok((request, line))
}

/// Lines that were sent and not answered, in their order.
///
/// An echo names its request by its content. Any other service answers in order. An answer that
/// was settled already comes again if its request was resent while it was on its way.
#[derive(Debug, Default)]
struct Unanswered {
    waiting: VecDeque<(RequestId, Bytes)>,
    settled: VecDeque<Bytes>,
    given_up: usize,
}

/// What an answer belongs to.
#[derive(Debug, PartialEq)]
enum Answer {
    To(RequestId),
    Again,
    Unasked,
}

impl Unanswered {
    fn settle(&mut self, answer: &Bytes) -> Answer {
        let same = self.waiting.iter().position(|(_, line)| line == answer);
        if same.is_none() && self.settled.contains(answer) {
            return Answer::Again;
        }
        let Some((request, _)) = self.waiting.remove(same.unwrap_or(0)) else { return Answer::Unasked };
        self.remember(answer.clone());
        Answer::To(request)
    }

    /// A request was given up; its answer is not expected any more. Returns its line.
    fn give_up(&mut self, request: RequestId) -> Option<Bytes> {
        let place = self.waiting.iter().position(|(waiting, _)| *waiting == request)?;
        let (_, line) = self.waiting.remove(place)?;
        self.given_up += 1;
        self.remember(line.clone());
        Some(line)
    }

    fn remember(&mut self, answer: Bytes) {
        self.settled.push_back(answer);
        if self.settled.len() > REMEMBERED {
            self.settled.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(without_controls("\u{1b}[2Jüber\t\u{9b}"), "\\u{1b}[2Jüber\\t\\u{9b}");
    }

    #[test]
    fn answers_find_their_requests() {
        let mut unanswered = Unanswered::default();
        for (id, line) in [(1, "a"), (2, "b"), (3, "a"), (4, "c")] {
            unanswered.waiting.push_back((RequestId(id), Bytes::from(line)));
        }
        let mut settle = |text: &'static str| unanswered.settle(&Bytes::from(text));
        assert_eq!(settle("b"), Answer::To(RequestId(2)));
        assert_eq!(settle("b"), Answer::Again, "resent while its answer was on the way");
        assert_eq!(settle("a"), Answer::To(RequestId(1)));
        assert_eq!(settle("a"), Answer::To(RequestId(3)));
        assert_eq!(settle("sunny"), Answer::To(RequestId(4)), "another service answers in order");
        assert_eq!(settle("and warm"), Answer::Unasked);
        unanswered.waiting.push_back((RequestId(5), "d".into()));
        assert_eq!(unanswered.give_up(RequestId(5)), Some("d".into()));
        assert_eq!((unanswered.give_up(RequestId(5)), unanswered.given_up), (None, 1));
        assert_eq!(unanswered.settle(&"d".into()), Answer::Again, "too late");
    }
}
