//! The play: processes, acts, and what must be so before the next act.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::judge::{Judge, round};
use super::registrars::Registrars;
use super::timeline::Timeline;
use crate::children::Process;
use crate::exit::Failure;
use crate::settings::PresetName;

const POOL: &str = "EchoPool";
const REGISTRARS: [&str; 3] = ["0x1", "0x2", "0x3"];
/// The elements from the start, and the one that joins.
const ELEMENTS: [&str; 3] = ["0x2001", "0x2002", "0x2003"];
const NEWCOMER: &str = "0x2004";
/// How long a process may take to be ready, and the pool to be as an act needs it. Generous: this
/// only ends a play that is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the pool is looked at, and the timeline drawn.
const LOOK: Duration = Duration::from_millis(100);
/// The same while a time is measured.
const SHORT_LOOK: Duration = Duration::from_millis(10);

/// Everything that is on stage.
pub(super) struct Stage {
    preset: PresetName,
    timeline: Timeline,
    judge: Judge,
    registrars: Registrars,
    elements: BTreeMap<String, Process>,
    user: Option<Process>,
}

impl Stage {
    pub(super) fn new(json: bool, preset: PresetName) -> Result<Self, Failure> {
        Ok(Self {
            preset,
            timeline: Timeline::new(json),
            judge: Judge::default(),
            registrars: Registrars::default(),
            elements: BTreeMap::new(),
            user: None,
        })
    }

    /// Plays from beginning to end.
    pub(super) async fn play(&mut self) -> Result<(), Failure> {
        for (place, registrar) in REGISTRARS.iter().enumerate() {
            self.start_registrar(registrar, &REGISTRARS[..place]).await?;
        }
        for element in ELEMENTS {
            self.start_element(element).await?;
        }
        self.await_pool(LOOK).await?;
        self.start_user().await?;
        self.elements_die().await?;
        self.slow_is_not_dead().await?;
        self.registrars_die().await?;
        self.finish().await
    }

    /// The acts in which elements die, hang, leave and join.
    async fn elements_die(&mut self) -> Result<(), Failure> {
        self.play_until(3.0).await?;
        let killed = self.in_use()?;
        self.timeline.act("kill", &killed, '✗', &format!("{killed} is killed (SIGKILL)"))?;
        self.element(&killed)?.signal(Signal::SIGKILL)?;
        self.await_failover().await?;
        self.elements.remove(&killed);
        self.await_pool(LOOK).await?;

        self.play_until(6.0).await?;
        let frozen = self.in_use()?;
        self.timeline.act("freeze", &frozen, '‖', &format!("{frozen} is frozen (SIGSTOP)"))?;
        self.element(&frozen)?.signal(Signal::SIGSTOP)?;
        self.await_failover().await?;

        self.play_until(9.0).await?;
        self.timeline.act("thaw", &frozen, '▸', &format!("{frozen} is thawed (SIGCONT)"))?;
        self.element(&frozen)?.signal(Signal::SIGCONT)?;
        self.await_pool(LOOK).await?;

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
        self.start_element(NEWCOMER).await?;
        self.await_pool(LOOK).await?;
        self.play_until(15.5).await
    }

    /// The acts in which an element takes long for a request, and the user takes no answers: nobody fails.
    async fn slow_is_not_dead(&mut self) -> Result<(), Failure> {
        let in_use = self.in_use()?;
        let text = format!("{in_use} gets a request that takes a second");
        self.timeline.act("slow", &in_use, '~', &text)?;
        self.ask_user("slow").await?;
        self.await_user(|judge| judge.slow_answers() > 0, "no answer to the slow request").await?;

        let text = "the user takes no answers for a second, and goes on asking";
        self.timeline.act("stall", &in_use, '…', text)?;
        self.ask_user("stall").await?;
        self.await_user(|judge| judge.stalls() > 0, "the user never goes on").await?;
        self.listen(LOOK * 5).await
    }

    /// The acts in which the home registrar dies and comes back, and then its mentor dies.
    async fn registrars_die(&mut self) -> Result<(), Failure> {
        let in_use = self.in_use()?;
        let home = self.registrars.homes().await.remove(&in_use);
        let home = home.ok_or_else(|| Failure::failed(format!("{in_use} has no home")))?;
        self.kill_registrar(&home, &format!("registrar {home}, the home of {in_use},")).await?;

        self.play_until(21.5).await?;
        let mentor = self.registrars.ids().first().cloned().unwrap_or_default();
        self.restart_registrar(&home, &mentor).await?;

        self.play_until(24.0).await?;
        self.kill_registrar(&mentor, &format!("registrar {mentor}, from which {home} has the handlespace,"))
            .await?;

        self.play_until(27.0).await?;
        self.restart_registrar(&mentor, &home).await?;
        self.play_until(29.0).await
    }

    /// Kills a registrar and waits until every element has a new home at all others.
    async fn kill_registrar(&mut self, id: &str, who: &str) -> Result<(), Failure> {
        let orphans = self.registrars.homes().await.into_values().filter(|home| home == id).count();
        let text = format!("{who} is killed (SIGKILL); it was the home of {}", count(orphans, "element"));
        self.timeline.registrar("kill_registrar", id, json!({ "elements": orphans }), &text)?;
        let (begin, answers) = (Instant::now(), self.judge.answers());
        self.registrars.kill(id).await;
        self.await_pool(SHORT_LOOK).await?;
        let took_ms = self.judge.taken_over(begin.elapsed());
        // The answers of the time meanwhile are on their way.
        self.listen(LOOK).await?;
        let gap_ms = self.judge.longest_pause(answers);
        let figures = json!({ "elements": orphans, "took_ms": took_ms, "service_gap_ms": gap_ms });
        let text = format!(
            "every element has a new home at every registrar: after {took_ms} ms, \
             longest time between two answers meanwhile {gap_ms} ms"
        );
        self.timeline.registrar("taken_over", id, figures, &text)
    }

    /// Starts a registrar again, under its identifier and at its address, and waits until its copy of
    /// the handlespace is that of the others.
    async fn restart_registrar(&mut self, id: &str, mentor: &str) -> Result<(), Failure> {
        let text = format!("registrar {id} starts again; it is told of {mentor} only");
        self.timeline.registrar("restart_registrar", id, json!({ "mentor": mentor }), &text)?;
        let begin = Instant::now();
        self.start_registrar(id, &[mentor]).await?;
        self.await_pool(SHORT_LOOK).await?;
        let took_ms = round(begin.elapsed().as_secs_f64() * 1e3);
        let text = format!("registrar {id} has the same handlespace as the others: after {took_ms} ms");
        self.timeline.registrar("caught_up", id, json!({ "took_ms": took_ms }), &text)
    }

    /// Ends whatever is still running.
    pub(super) async fn clear(&mut self) {
        let elements = std::mem::take(&mut self.elements).into_values();
        for mut process in self.user.take().into_iter().chain(elements) {
            process.kill().await;
        }
        self.registrars.clear().await;
    }

    async fn start_registrar(&mut self, id: &str, peers: &[&str]) -> Result<(), Failure> {
        self.registrars.start(id, peers, &self.preset()).await
    }

    async fn start_element(&mut self, id: &str) -> Result<(), Failure> {
        let preset = self.preset();
        let registrars = self.registrars.addresses().join(",");
        let arguments = [
            "serve",
            "demo-count",
            "--pool",
            POOL,
            "--registrar",
            &registrars,
            "--bind",
            "127.0.0.1:0",
            "--id",
            id,
            "--json",
            "--preset",
            &preset,
        ];
        let process = Process::start(format!("element {id}"), &arguments)?;
        self.elements.insert(id.into(), process);
        Ok(())
    }

    async fn start_user(&mut self) -> Result<(), Failure> {
        let preset = self.preset();
        let registrars = self.registrars.addresses().join(",");
        let arguments =
            ["demo-user", POOL, "--registrar", &registrars, "--bind", "127.0.0.1:0", "--preset", &preset];
        let process = self.user.insert(Process::start("the user", &arguments)?);
        let opened = process.expect("opened", PATIENCE).await?;
        self.timeline.start();
        let element = opened["element"].as_str().unwrap_or_default();
        let text = format!(
            "{} registrars, {} elements in the pool, the user talks to {element}",
            REGISTRARS.len(),
            ELEMENTS.len()
        );
        self.timeline.act("use", element, '▸', &text)
    }

    /// Lets the user talk until so many seconds after the start.
    async fn play_until(&mut self, seconds: f64) -> Result<(), Failure> {
        while self.timeline.elapsed().as_secs_f64() < seconds {
            self.listen(LOOK).await?;
        }
        Ok(())
    }

    /// Lets the user talk until it has moved to another element.
    async fn await_failover(&mut self) -> Result<(), Failure> {
        let before = self.judge.failovers();
        self.await_user(|judge| judge.failovers() > before, "no failover").await
    }

    /// Lets the user talk until it has said something.
    async fn await_user(&mut self, said: impl Fn(&Judge) -> bool, otherwise: &str) -> Result<(), Failure> {
        let begin = self.timeline.elapsed();
        while !said(&self.judge) {
            if self.timeline.elapsed() > begin + PATIENCE {
                return Err(Failure::failed(format!("{otherwise} within {PATIENCE:?}")));
            }
            self.listen(LOOK).await?;
        }
        Ok(())
    }

    /// Asks the user for something special.
    async fn ask_user(&mut self, word: &str) -> Result<(), Failure> {
        match &mut self.user {
            Some(user) => user.write(word).await,
            None => Err(Failure::failed("the user has ended")),
        }
    }

    /// Lets the user talk until every registrar lists exactly the elements that run, each with a living
    /// home, and all agree.
    async fn await_pool(&mut self, look: Duration) -> Result<(), Failure> {
        let begin = self.timeline.elapsed();
        loop {
            let running: Vec<String> = self.elements.keys().cloned().collect();
            let running: Vec<&str> = running.iter().map(String::as_str).collect();
            let Some(wish) = self.registrars.wish(&running).await else { return Ok(()) };
            if self.timeline.elapsed() > begin + PATIENCE {
                return Err(Failure::failed(wish));
            }
            self.listen(look).await?;
        }
    }

    /// Takes what the user says, for a moment.
    async fn listen(&mut self, moment: Duration) -> Result<(), Failure> {
        let moment = tokio::time::sleep(moment);
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
        self.registrars.stop().await?;
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

    fn preset(&self) -> String {
        self.preset.to_string()
    }
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("one {thing}") } else { format!("{number} {thing}s") }
}
