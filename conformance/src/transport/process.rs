//! A foreign peer: one of the programs in `peers/`, which takes orders as lines and reports as lines.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::bench::Failure;
use super::content::Message;
use super::end::{Order, What, Why};

/// The environment variable that names the program of the foreign peer, with words in front of it
/// if it has to be run by another.
pub(super) const PROGRAM: &str = "CONFORMANCE_PEER";

/// A running peer; killed when it is dropped.
pub(super) struct Process {
    child: Child,
    reports: Receiver<String>,
}

impl Process {
    /// Starts a peer at this address (or `any`), with these ports.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(super) fn start(address: &str, port: u16, udp_port: u16) -> Result<Self, Failure> {
        let program = std::env::var(PROGRAM).map_err(|_| format!("{PROGRAM} is not set"))?;
        let mut words = program.split(' ');
        let mut child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .args([address.to_string(), port.to_string(), udp_port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let (sender, reports) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines();
                lines
                    .map_while(Result::ok)
                    .take_while(|line| sender.send(line.clone()).is_ok())
                    .for_each(drop);
            });
        }
        let peer = Self { child, reports };
        match peer.reports.recv_timeout(Duration::from_secs(20)) {
            Ok(line) if line == "ready" => Ok(peer),
            other => Err(format!("the peer does not start: {other:?}").into()),
        }
    }

    /// Hands an order over.
    ///
    /// # Errors
    ///
    /// The peer has ended.
    pub(super) fn order(&mut self, order: &Order) -> Result<(), Failure> {
        let line = match order {
            Order::Connect { to, .. } => {
                let address = to.addresses.first().map_or_else(String::new, ToString::to_string);
                format!("connect {address} {} {}", to.port, to.udp_port)
            }
            Order::Send { protocol, stream, length, first, count } => {
                format!("send {protocol} {stream} {length} {first} {count}")
            }
            Order::Shutdown => "shutdown".into(),
            Order::Abort => "abort".into(),
            Order::Pause => "pause".into(),
            Order::Resume => "resume".into(),
        };
        let input = self.child.stdin.as_mut().ok_or_else(|| Failure::Failed("no input".into()))?;
        writeln!(input, "{line}").map_err(|error| Failure::Failed(format!("the peer has ended: {error}")))
    }

    /// The next thing that it has seen.
    ///
    /// # Errors
    ///
    /// The peer reports a problem, or has ended.
    pub(super) fn report(&mut self) -> Result<Option<What>, Failure> {
        match self.reports.recv_timeout(Duration::ZERO) {
            Ok(line) => what(&line).map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("the peer has ended".to_string().into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a line of a peer says.
fn what(line: &str) -> Result<What, Failure> {
    let words: Vec<_> = line.split(' ').collect();
    Ok(match words[..] {
        ["up"] => What::Up,
        ["failed", ..] => What::Failed(line["failed ".len()..].into()),
        ["down", "closed"] => What::Down(Why::Closed),
        ["down", "aborted", cause] => What::Down(Why::Aborted(cause.parse().ok())),
        ["down", "silent"] => What::Down(Why::Silent),
        ["down", "restarted"] => What::Down(Why::Restarted),
        ["message", protocol, stream, length, digest] => What::Message(Message {
            protocol: number(protocol)?,
            stream: number(stream)?,
            length: number(length)?,
            digest: number(digest)?,
        }),
        _ => return Err(format!("the peer says: {line}").into()),
    })
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, Failure> {
    word.parse().map_err(|_| Failure::Failed(format!("the peer says {word} instead of a number")))
}
