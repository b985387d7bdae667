//! The play: processes, acts, and what must be so before the next act.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use nix::sys::signal::Signal;
use rserpool_core::driver::Preset;
use rserpool_tokio::Inspector;
use serde_json::Value;

use super::children::Process;
use super::judge::Judge;
use super::timeline::Timeline;
use crate::exit::Failure;
use crate::settings::PresetName;

const POOL: &str = "EchoPool";
/// The elements from the start, and the one that joins.
const ELEMENTS: [&str; 3] = ["0x2001", "0x2002", "0x2003"];
const NEWCOMER: &str = "0x2004";
/// How long a process may take to be ready, and the pool to be as an act needs it. Generous: this
/// only ends a play that is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the pool is looked at, and the timeline drawn.
const LOOK: Duration = Duration::from_millis(100);

/// Everything that is on stage.
pub(super) struct Stage {
    preset: PresetName,
    timeline: Timeline,
    judge: Judge,
    registrar: Option<Process>,
    inspector: Option<Inspector>,
    elements: BTreeMap<String, Process>,
    user: Option<Process>,
}

impl Stage {
    pub(super) fn new(json: bool, preset: PresetName) -> Result<Self, Failure> {
        Ok(Self {
            preset,
            timeline: Timeline::new(json),
            judge: Judge::default(),
            registrar: None,
            inspector: None,
            elements: BTreeMap::new(),
            user: None,
        })
    }

    /// Plays from beginning to end.
    pub(super) async fn play(&mut self) -> Result<(), Failure> {
        let registrar = self.start_registrar().await?;
        for element in ELEMENTS {
            self.start_element(element, registrar).await?;
        }
        self.await_pool(&ELEMENTS).await?;
        self.start_user(registrar).await?;

        self.play_until(3.0).await?;
        let killed = self.in_use()?;
        self.timeline.act("kill", &killed, '✗', &format!("{killed} is killed (SIGKILL)"))?;
        self.element(&killed)?.signal(Signal::SIGKILL)?;
        self.await_failover().await?;
        self.elements.remove(&killed);
        self.await_pool(&self.running()).await?;

        self.play_until(6.0).await?;
        let frozen = self.in_use()?;
        self.timeline.act("freeze", &frozen, '‖', &format!("{frozen} is frozen (SIGSTOP)"))?;
        self.element(&frozen)?.signal(Signal::SIGSTOP)?;
        self.await_failover().await?;

        self.play_until(9.0).await?;
        self.timeline.act("thaw", &frozen, '▸', &format!("{frozen} is thawed (SIGCONT)"))?;
        self.element(&frozen)?.signal(Signal::SIGCONT)?;
        self.await_pool(&self.running()).await?;

        self.play_until(11.5).await?;
        let stopped = self.in_use()?;
        self.timeline.act("stop", &stopped, '■', &format!("{stopped} is stopped cleanly (SIGTERM)"))?;
        self.element(&stopped)?.signal(Signal::SIGTERM)?;
        self.await_failover().await?;
        if let Some(mut process) = self.elements.remove(&stopped) {
            let status = process.ended().await?;
            if !status.success() {
                return Err(Failure::failed(format!("element {stopped}: {status}")));
            }
        }

        self.play_until(13.5).await?;
        self.timeline.act("join", NEWCOMER, '+', &format!("{NEWCOMER} joins"))?;
        self.start_element(NEWCOMER, registrar).await?;
        self.await_pool(&self.running()).await?;
        self.play_until(15.5).await?;
        self.finish().await
    }

    /// Ends whatever is still running.
    pub(super) async fn clear(&mut self) {
        self.inspector = None;
        let elements = std::mem::take(&mut self.elements).into_values();
        for mut process in self.user.take().into_iter().chain(elements).chain(self.registrar.take()) {
            process.kill().await;
        }
    }

    async fn start_registrar(&mut self) -> Result<SocketAddr, Failure> {
        let arguments = ["registrar", "--bind", "127.0.0.1:0", "--id", "0x1", "--json"];
        let process = self.registrar.insert(start("the registrar", &arguments, self.preset)?);
        let listening = process.expect("listening", PATIENCE).await?;
        let address = listening["bind"].as_str().and_then(|text| text.parse().ok());
        let address: SocketAddr =
            address.ok_or_else(|| Failure::failed(format!("the registrar says {listening}")))?;
        self.inspector = Some(Inspector::builder(address).preset(Preset::Fast).start().await?);
        Ok(address)
    }

    async fn start_element(&mut self, id: &str, registrar: SocketAddr) -> Result<(), Failure> {
        let registrar = registrar.to_string();
        let arguments = [
            "serve",
            "echo",
            "--pool",
            POOL,
            "--registrar",
            &registrar,
            "--bind",
            "127.0.0.1:0",
            "--id",
            id,
            "--json",
        ];
        let process = start(&format!("element {id}"), &arguments, self.preset)?;
        self.elements.insert(id.into(), process);
        Ok(())
    }

    async fn start_user(&mut self, registrar: SocketAddr) -> Result<(), Failure> {
        let registrar = registrar.to_string();
        let arguments = ["demo-user", POOL, "--registrar", &registrar, "--bind", "127.0.0.1:0"];
        let process = self.user.insert(start("the user", &arguments, self.preset)?);
        let opened = process.expect("opened", PATIENCE).await?;
        self.timeline.start();
        let element = opened["element"].as_str().unwrap_or_default();
        let text = format!("{} elements in the pool, the user talks to {element}", ELEMENTS.len());
        self.timeline.act("use", element, '▸', &text)
    }

    /// Lets the user talk until so many seconds after the start.
    async fn play_until(&mut self, seconds: f64) -> Result<(), Failure> {
        while self.timeline.elapsed().as_secs_f64() < seconds {
            self.listen().await?;
        }
        Ok(())
    }

    /// Lets the user talk until it has moved to another element.
    async fn await_failover(&mut self) -> Result<(), Failure> {
        let (begin, before) = (self.timeline.elapsed(), self.judge.failovers());
        while self.judge.failovers() == before {
            if self.timeline.elapsed() > begin + PATIENCE {
                return Err(Failure::failed(format!("no failover within {PATIENCE:?}")));
            }
            self.listen().await?;
        }
        Ok(())
    }

    /// Lets the user talk until the registrar lists exactly these elements.
    async fn await_pool(&mut self, expected: &[impl AsRef<str>]) -> Result<(), Failure> {
        let inspector = self.inspector.clone().ok_or_else(|| Failure::failed("no inspector"))?;
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        let begin = self.timeline.elapsed();
        let mut listed = Vec::new();
        while self.timeline.elapsed() <= begin + PATIENCE {
            self.listen().await?;
            if let Ok(snapshot) = inspector.handlespace().await {
                let elements = snapshot.pools.iter().flat_map(|pool| &pool.elements);
                listed = elements.map(|element| element.id.to_string()).collect();
                listed.sort();
                if listed == expected {
                    return Ok(());
                }
            }
        }
        Err(Failure::failed(format!("the registrar lists {listed:?} instead of {expected:?}")))
    }

    /// Takes what the user says, for a moment.
    async fn listen(&mut self) -> Result<(), Failure> {
        let moment = tokio::time::sleep(LOOK);
        tokio::pin!(moment);
        loop {
            let Some(user) = &mut self.user else {
                moment.await;
                return Ok(());
            };
            tokio::select! {
                event = user.next_event() => self.hear(&event?)?,
                () = &mut moment => return self.timeline.draw(),
            }
        }
    }

    fn hear(&mut self, event: &Value) -> Result<(), Failure> {
        let failover = self.judge.hear(event);
        if event["event"] == "answer" {
            self.timeline.answered(event["element"].as_str().unwrap_or_default());
        }
        if let Some(failover) = failover {
            self.timeline.failover(&failover)?;
        }
        Ok(())
    }

    /// Ends everybody cleanly and judges.
    async fn finish(&mut self) -> Result<(), Failure> {
        if let Some(mut user) = self.user.take() {
            user.close_input();
            loop {
                let event = user.next_event().await?;
                self.hear(&event)?;
                if event["event"] == "done" {
                    break;
                }
            }
            let status = user.ended().await?;
            if !status.success() {
                return Err(Failure::failed(format!("the user: {status}")));
            }
        }
        for process in self.elements.values_mut() {
            process.stop().await?;
        }
        if let Some(inspector) = self.inspector.take() {
            inspector.shutdown(LOOK).await;
        }
        if let Some(mut registrar) = self.registrar.take() {
            registrar.stop().await?;
        }
        self.elements.clear();
        let (summary, wrong) = self.judge.verdict();
        self.timeline.summary(&summary, &wrong)?;
        if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(wrong.join("; "))) }
    }

    fn in_use(&self) -> Result<String, Failure> {
        self.judge.in_use().map(Into::into).ok_or_else(|| Failure::failed("no request was ever answered"))
    }

    fn element(&self, id: &str) -> Result<&Process, Failure> {
        self.elements.get(id).ok_or_else(|| Failure::failed(format!("{id} answers, but was never started")))
    }

    fn running(&self) -> Vec<String> {
        self.elements.keys().cloned().collect()
    }
}

fn start(name: &str, arguments: &[&str], preset: PresetName) -> Result<Process, Failure> {
    let preset = preset.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default();
    let mut all = arguments.to_vec();
    all.extend(["--preset", &preset]);
    Process::start(name, &all)
}
