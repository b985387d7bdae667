//! Elements in processes of their own, which are killed in turns and started again.

use std::time::{Duration, Instant};

use rserpool_core::base::SctpAddress;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::BenchCommand;
use super::latency::Times;
use crate::children::Process;
use crate::exit::Failure;

/// How often one of them is killed.
const INTERVAL: Duration = Duration::from_secs(1);
/// After how long one that was killed is started again.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// How long one may take into its pool.
const PATIENCE: Duration = Duration::from_secs(30);

/// Elements of the echo service.
pub(super) struct Killed {
    all: Vec<Element>,
    registrations: Times,
}

struct Element {
    kill: mpsc::Sender<()>,
    task: JoinHandle<Result<(), Failure>>,
}

impl Killed {
    /// Starts the processes, and waits until all are in the pool.
    pub(super) async fn start(command: &BenchCommand, registrar: &SctpAddress) -> Result<Self, Failure> {
        let mut elements = Self { all: Vec::new(), registrations: Times::new() };
        let place = registrar.sockets().map(|place| place.to_string()).next().unwrap_or_default();
        let mut arguments =
            ["serve", "echo", "--json", "--pool", &command.pool.to_string(), "--registrar", &place]
                .map(String::from)
                .to_vec();
        arguments.extend(["--preset".into(), command.preset.to_string()]);
        if let Some(policy) = &command.policy {
            arguments.extend(["--policy".into(), policy.to_string()]);
        }
        for _ in 0..command.elements() {
            let begin = Instant::now();
            let (ready, is_ready) = oneshot::channel();
            // One order to be killed waits at most: an element that is not back yet is not killed again.
            let (kill, orders) = mpsc::channel(1);
            let task = tokio::spawn(live_and_die(arguments.clone(), ready, orders));
            elements.all.push(Element { kill, task });
            if is_ready.await.is_err() {
                return Err(elements
                    .stop()
                    .await
                    .err()
                    .unwrap_or_else(|| Failure::failed("an element has ended")));
            }
            elements.registrations.note(begin.elapsed());
        }
        Ok(elements)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn registrations(&self) -> Times {
        self.registrations.clone()
    }

    /// Kills one after the other until it is told to stop.
    pub(super) fn kill_in_turns(self) -> Killing {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let (mut kills, mut ticks) = (0, tokio::time::interval(INTERVAL));
            ticks.tick().await;
            for element in self.all.iter().cycle() {
                tokio::select! {
                    _ = ticks.tick() => kills += u64::from(element.kill.try_send(()).is_ok()),
                    _ = &mut stopped => break,
                }
            }
            self.stop().await.map(|()| kills)
        });
        Killing { stop, task }
    }

    async fn stop(self) -> Result<(), Failure> {
        for Element { kill, task } in self.all {
            drop(kill);
            task.await.map_err(|error| Failure::failed(error.to_string()))??;
        }
        Ok(())
    }
}

/// The work of killing.
pub(super) struct Killing {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<u64, Failure>>,
}

impl Killing {
    /// Ends it, and all elements; returns how many were killed.
    pub(super) async fn end(self) -> Result<u64, Failure> {
        let _ = self.stop.send(());
        self.task.await.map_err(|error| Failure::failed(error.to_string()))?
    }
}

/// One element: starts a process, tells when it is in the pool, kills it at each order, and stops it when there are no more.
async fn live_and_die(
    arguments: Vec<String>,
    ready: oneshot::Sender<()>,
    mut orders: mpsc::Receiver<()>,
) -> Result<(), Failure> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut ready = Some(ready);
    loop {
        let mut process = Process::start("an element", &arguments)?;
        process.expect("registered", PATIENCE).await?;
        if let Some(ready) = ready.take() {
            let _ = ready.send(());
        }
        let order = loop {
            tokio::select! {
                order = orders.recv() => break order,
                // Taken, so that it does not stop at a full pipe.
                event = process.next_event() => drop(event?),
            }
        };
        if order.is_none() {
            return process.stop().await;
        }
        process.kill().await;
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}
