//! The elements of a measurement, all in this process.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use rserpool_core::base::SctpAddress;
use rserpool_driver::Incoming;
use rserpool_tokio::{ElementEvent, PoolElement};
use tokio::task::JoinSet;

use super::latency::Times;
use super::{AT_ONCE, BenchCommand, LEAVE_WITHIN, bar};
use crate::client;
use crate::exit::Failure;

/// The elements, each answering keep-alives in a task of its own.
pub(super) struct Elements {
    tasks: JoinSet<Result<u64, Failure>>,
    all: Vec<PoolElement>,
    /// From its start to its registration, of each.
    pub(super) latencies: Times,
    /// From the start of the first to the registration of the last.
    pub(super) entering: Duration,
    /// Registrations a second meanwhile.
    pub(super) rate: f64,
}

impl Elements {
    /// Lets all come into the pool. If no progress is shown for more than that, it is shown for them.
    pub(super) async fn register(
        command: &BenchCommand,
        registrar: &SctpAddress,
        shown: Option<&ProgressBar>,
    ) -> Result<Self, Failure> {
        let (latencies, entering) = (Times::new(), Duration::ZERO);
        let mut elements = Self { tasks: JoinSet::new(), all: Vec::new(), latencies, entering, rate: 0.0 };
        let progress = shown.is_none().then(|| bar("registering", command.elements() as u64));
        let begin = Instant::now();
        let mut entering = JoinSet::new();
        for _ in 0..command.elements() {
            if entering.len() >= command.at_once() {
                elements.entered(&mut entering, progress.as_ref()).await?;
            }
            let registrar = registrar.clone();
            let life_unit = command.life_unit.unwrap_or_default().into();
            let mut builder = PoolElement::builder(command.pool.clone())
                .preset(command.preset.into())
                .configure(move |config| {
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
            elements.entered(&mut entering, progress.as_ref()).await?;
        }
        elements.entering = begin.elapsed();
        elements.rate = command.elements() as f64 / elements.entering.as_secs_f64();
        if let Some(progress) = progress {
            progress.finish_and_clear();
        }
        Ok(elements)
    }

    /// Waits until an element is in the pool, or could not get there.
    async fn entered(
        &mut self,
        entering: &mut JoinSet<Result<(PoolElement, Duration), Failure>>,
        progress: Option<&ProgressBar>,
    ) -> Result<(), Failure> {
        let Some(entered) = entering.join_next().await else { return Ok(()) };
        let (element, time) = entered.map_err(|error| Failure::failed(error.to_string()))??;
        self.latencies.note(time);
        if let Some(progress) = progress {
            progress.inc(1);
        }
        self.all.push(element.clone());
        self.tasks.spawn(async move {
            let mut again = 0;
            while let Some(event) = element.next_event().await {
                match Incoming::from_event(event) {
                    // A user that has gone wants no answer.
                    Ok(call) => drop(element.reply(&call, call.bytes.clone()).await),
                    Err(event) => again += u64::from(matches!(event, ElementEvent::Registered { .. })),
                }
            }
            Ok(again)
        });
        Ok(())
    }

    /// Deregisters all; returns how many had to register again meanwhile.
    pub(super) async fn leave(&mut self) -> u64 {
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
