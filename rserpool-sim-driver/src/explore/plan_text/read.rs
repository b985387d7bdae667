//! Reading a plan.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use rserpool_core::base::{ElementId, RegistrarId};
use rserpool_core::registrar::TakeoverWinner;
use rserpool_core::user::CallDelivery;
use rserpool_core::wire::RegistrationLife;

use super::values::{Counts, number, switch, time, words};
use super::{PlanError, PlanProblem, VERSION};
use crate::applications::{Closing, Occasional};
use crate::explore::{ElementPlan, Plan, RegistrarPlan, Timers, UserPlan};
use crate::fault::{Fault, Order};
use crate::id::HostId;
use crate::network::{Cable, Sctp};

type Result<T> = std::result::Result<T, PlanProblem>;

/// See [`plan_text`](crate::explore::plan_text).
impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(text: &str) -> std::result::Result<Self, PlanError> {
        let mut draft = Draft::default();
        let mut last = 1;
        for (n, line) in text.lines().enumerate() {
            last = n + 1;
            let words = words(line);
            if let Some((first, rest)) = words.split_first() {
                draft.statement(first, rest, last).map_err(|problem| PlanError { line: last, problem })?;
            }
        }
        draft.finish(last)
    }
}

/// How far the hosts and faults are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    #[default]
    Nothing,
    World,
    Registrars,
    Elements,
    Users,
    Faults,
}

/// A plan that is being read.
#[derive(Debug, Default)]
struct Draft {
    section: Section,
    seed: Option<u64>,
    timers: Option<Timers>,
    sctp: Option<Sctp>,
    cable: Option<Cable>,
    chaos: Option<Duration>,
    registrars: Vec<RegistrarPlan>,
    elements: Vec<ElementPlan>,
    users: Vec<UserPlan>,
    faults: Vec<Vec<(Duration, Fault)>>,
    /// The lines on which registrars name peers: these may follow.
    peers: Vec<(usize, String)>,
}

impl Draft {
    fn statement(&mut self, first: &str, rest: &[String], line: usize) -> Result<()> {
        if self.section == Section::Nothing && first != "plan" {
            return Err(PlanProblem::NotAPlan);
        }
        match first {
            "plan" => match single(rest, "the version")? {
                VERSION => self.section = Section::World,
                other => return Err(PlanProblem::Version(other.into())),
            },
            "seed" => self.seed = Some(number(single(rest, "the seed")?)?),
            "timers" => self.timers = Some(preset(single(rest, "the preset")?)?),
            "sctp" => self.sctp = Some(sctp(rest)?),
            "cable" => self.cable = Some(cable(rest)?),
            "chaos" => self.chaos = Some(time(single(rest, "the time")?)?),
            "registrar" => self.registrar(rest, line)?,
            "element" => self.element(rest)?,
            "user" => self.user(rest)?,
            "fault" => {
                self.section = Section::Faults;
                self.faults.push(Vec::new());
            }
            _ if first.starts_with(|c: char| c.is_ascii_digit()) => self.step(first, rest)?,
            _ => return Err(PlanProblem::Statement(first.into())),
        }
        Ok(())
    }

    /// Hosts come in their order: their numbers follow from it.
    fn enter(&mut self, section: Section, name: &'static str) -> Result<()> {
        if self.section > section {
            return Err(PlanProblem::Order(name));
        }
        self.section = section;
        Ok(())
    }

    fn timers(&self) -> Result<Timers> {
        self.timers.ok_or(PlanProblem::Missing("\"timers\", before the first host,"))
    }

    const fn counts(&self) -> Counts {
        Counts { registrars: self.registrars.len(), elements: self.elements.len(), users: self.users.len() }
    }

    fn registrar(&mut self, rest: &[String], line: usize) -> Result<()> {
        self.enter(Section::Registrars, "registrar")?;
        let timers = self.timers()?;
        let mut keys = Keys::of_host(rest, 'r', self.registrars.len())?;
        let timers = keys.read("timers", preset)?.unwrap_or(timers);
        let mut plan = RegistrarPlan::preset(timers);
        keys.set("start", time, &mut plan.start)?;
        if let Some(peers) = keys.take("knows") {
            // They are checked at the end; every number that a plan can have is counted from 1.
            let counts = Counts { registrars: usize::MAX, elements: 0, users: 0 };
            plan.knows = group(&counts, &peers)?;
            self.peers.push((line, peers));
        }
        if let Some(id) = keys.take("id") {
            plan.id = Some(RegistrarId(number(&id)?));
        }
        keys.set("announce", switch, &mut plan.announce)?;
        keys.set("enrp-announce", switch, &mut plan.enrp_announce)?;
        keys.set("keep-alive-interval", time, &mut plan.keep_alive_interval)?;
        keys.set("max-bad-pe-reports", number, &mut plan.max_bad_pe_reports)?;
        keys.set("name-element-in-keep-alive", switch, &mut plan.name_element_in_keep_alive)?;
        keys.set("handle-table-octets", number, &mut plan.handle_table_octets)?;
        keys.set("max-pools", number, &mut plan.max_pools)?;
        keys.set("heartbeat-cycle", time, &mut plan.heartbeat_cycle)?;
        keys.set("max-time-last-heard", time, &mut plan.max_time_last_heard)?;
        keys.set("max-time-no-response", time, &mut plan.max_time_no_response)?;
        keys.set("takeover-winner", winner, &mut plan.takeover_winner)?;
        keys.set("balance", switch, &mut plan.balance)?;
        keys.set("suppress-unchanged", switch, &mut plan.suppress_unchanged)?;
        keys.end()?;
        self.registrars.push(plan);
        Ok(())
    }

    fn element(&mut self, rest: &[String]) -> Result<()> {
        self.enter(Section::Elements, "element")?;
        let timers = self.timers()?;
        let mut keys = Keys::of_host(rest, 'e', self.elements.len())?;
        let plan = ElementPlan {
            timers: keys.read("timers", preset)?.unwrap_or(timers),
            start: keys.read("start", time)?.unwrap_or_default(),
            knows: self.known(&mut keys)?,
            pool: keys.take("pool").ok_or(PlanProblem::Missing("pool"))?,
            id: keys.read("id", number)?.map(ElementId),
            policy: keys.take("policy").ok_or(PlanProblem::Missing("policy"))?.parse()?,
            life: keys.need("life", life)?,
            reregistration: keys.read("reregistration", time)?,
            service: keys.read("service", time)?.unwrap_or_default(),
            slow: keys.read("slow", |text| occasional(text, time))?,
            max_sessions: keys.read("max-sessions", number)?,
            closes: keys.read("closes", closing)?.unwrap_or_default(),
            cookies: keys.read("cookies", switch)?.unwrap_or_default(),
            remembers: keys.read("remembers", switch)?.unwrap_or_default(),
        };
        keys.end()?;
        self.elements.push(plan);
        Ok(())
    }

    fn user(&mut self, rest: &[String]) -> Result<()> {
        self.enter(Section::Users, "user")?;
        let timers = self.timers()?;
        let mut keys = Keys::of_host(rest, 'u', self.users.len())?;
        let timers = keys.read("timers", preset)?.unwrap_or(timers);
        let plan = UserPlan {
            timers,
            start: keys.read("start", time)?.unwrap_or_default(),
            knows: self.known(&mut keys)?,
            pool: keys.take("pool").ok_or(PlanProblem::Missing("pool"))?,
            sessions: keys.need("sessions", number)?,
            interval: keys.need("interval", time)?,
            calls: keys.read("calls", delivery)?,
            octets: keys.need("octets", number)?,
            large: keys.read("large", |text| occasional(text, number))?,
            poison: keys.read("poison", number)?,
            consuming: keys.read("consuming", time)?.unwrap_or_default(),
            cache_life: keys.read("cache-life", time)?,
            resolve: keys.read("resolve", time)?,
            watch: keys.read("watch", switch)?.unwrap_or_default(),
        };
        keys.end()?;
        self.users.push(plan);
        Ok(())
    }

    /// The registrars that an element or user knows.
    fn known(&self, keys: &mut Keys) -> Result<Vec<HostId>> {
        let counts = Counts { elements: 0, users: 0, ..self.counts() };
        keys.take("knows").map_or(Ok(Vec::new()), |text| group(&counts, &text))
    }

    fn step(&mut self, at: &str, rest: &[String]) -> Result<()> {
        let step = (time(at)?, fault(&self.counts(), rest)?);
        self.faults.last_mut().ok_or(PlanProblem::NoFault)?.push(step);
        Ok(())
    }

    fn finish(self, last: usize) -> std::result::Result<Plan, PlanError> {
        let counts = Counts { elements: 0, users: 0, ..self.counts() };
        for (line, peers) in &self.peers {
            group(&counts, peers).map_err(|problem| PlanError { line: *line, problem })?;
        }
        let missing = |what| PlanError { line: last, problem: PlanProblem::Missing(what) };
        if self.section == Section::Nothing {
            return Err(PlanError { line: last, problem: PlanProblem::NotAPlan });
        }
        if self.registrars.is_empty() {
            return Err(missing("\"registrar r1\""));
        }
        Ok(Plan {
            seed: self.seed.ok_or_else(|| missing("\"seed\""))?,
            timers: self.timers.ok_or_else(|| missing("\"timers\""))?,
            sctp: self.sctp.ok_or_else(|| missing("\"sctp\""))?,
            cable: self.cable.ok_or_else(|| missing("\"cable\""))?,
            chaos: self.chaos.ok_or_else(|| missing("\"chaos\""))?,
            registrars: self.registrars,
            elements: self.elements,
            users: self.users,
            faults: self.faults,
        })
    }
}

/// The values of a statement by their keys.
#[derive(Debug)]
struct Keys(BTreeMap<String, String>);

impl Keys {
    fn new(words: &[String]) -> Result<Self> {
        let pair = |word: &String| match word.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(PlanProblem::Unknown(word.clone())),
        };
        words.iter().map(pair).collect::<Result<_>>().map(Self)
    }

    /// Those of a host, after its name: that of the next one of its kind.
    fn of_host(words: &[String], kind: char, count: usize) -> Result<Self> {
        let name = format!("{kind}{}", count + 1);
        match words.split_first() {
            Some((first, rest)) if *first == name => Self::new(rest),
            _ => Err(PlanProblem::Number(name)),
        }
    }

    fn take(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    fn read<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
        self.take(key).map(|text| read(&text)).transpose()
    }

    fn need<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T>) -> Result<T> {
        self.read(key, read)?.ok_or(PlanProblem::Missing(key))
    }

    /// Reads a value into its place, if it is written.
    fn set<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T>, value: &mut T) -> Result<()> {
        if let Some(new) = self.read(key, read)? {
            *value = new;
        }
        Ok(())
    }

    /// Nothing may be left.
    fn end(mut self) -> Result<()> {
        self.0.pop_first().map_or(Ok(()), |(key, _)| Err(PlanProblem::Unknown(key)))
    }
}

fn unreadable(text: &str, expected: &'static str) -> PlanProblem {
    PlanProblem::Value { text: text.into(), expected }
}

/// The one word of a statement.
fn single<'a>(words: &'a [String], what: &'static str) -> Result<&'a str> {
    match words {
        [] => Err(PlanProblem::Missing(what)),
        [word] => Ok(word),
        [_, word, ..] => Err(PlanProblem::Unknown(word.clone())),
    }
}

fn preset(text: &str) -> Result<Timers> {
    match text {
        "fast" => Ok(Timers::Fast),
        "rfc" => Ok(Timers::Rfc),
        _ => Err(unreadable(text, "a preset: write fast or rfc")),
    }
}

fn sctp(words: &[String]) -> Result<Sctp> {
    let mut keys = Keys::new(words)?;
    let sctp = Sctp {
        heartbeat: keys.need("heartbeat", time)?,
        max_silence: keys.need("max-silence", time)?,
        rto_initial: keys.need("rto-initial", time)?,
        rto_max: keys.need("rto-max", time)?,
    };
    keys.end().map(|()| sctp)
}

fn cable(words: &[String]) -> Result<Cable> {
    let mut keys = Keys::new(words)?;
    let cable = Cable {
        delay: keys.need("delay", time)?,
        jitter: keys.need("jitter", time)?,
        loss: keys.need("loss", number)?,
        duplication: keys.need("duplication", number)?,
        reordering: keys.need("reordering", number)?,
        rate: keys.read("rate", number)?.unwrap_or_default(),
    };
    keys.end().map(|()| cable)
}

/// A value and one of how many requests it holds for.
fn occasional<T>(text: &str, read: impl Fn(&str) -> Result<T>) -> Result<Occasional<T>> {
    let unreadable = || unreadable(text, "a value for one of so many requests: write 2s/5 or 200000/5");
    let (value, one_of) = text.split_once('/').ok_or_else(unreadable)?;
    let one_of = Some(number(one_of)?).filter(|one_of| *one_of > 0).ok_or_else(unreadable)?;
    Ok(Occasional { one_of, value: read(value)? })
}

fn closing(text: &str) -> Result<Closing> {
    match text {
        "never" => Ok(Closing::Never),
        "poison" => Ok(Closing::Poison),
        "at-once" => Ok(Closing::AtOnce),
        _ => Err(unreadable(text, "when sessions are closed: write never, poison or at-once")),
    }
}

fn delivery(text: &str) -> Result<CallDelivery> {
    match text {
        "retry" => Ok(CallDelivery::Retry),
        "report" => Ok(CallDelivery::Report),
        "once" => Ok(CallDelivery::Once),
        _ => Err(unreadable(text, "what becomes of calls: write retry, report or once")),
    }
}

fn winner(text: &str) -> Result<TakeoverWinner> {
    match text {
        "larger-id" => Ok(TakeoverWinner::LargerId),
        "smaller-id" => Ok(TakeoverWinner::SmallerId),
        _ => Err(unreadable(text, "a winner: write larger-id or smaller-id")),
    }
}

fn life(text: &str) -> Result<RegistrationLife> {
    if text == "unlimited" {
        return Ok(RegistrationLife(-1));
    }
    let seconds = text.strip_suffix('s').and_then(|digits| digits.parse::<u32>().ok());
    let life = seconds.and_then(|seconds| i32::try_from(seconds).ok());
    life.map(RegistrationLife).ok_or_else(|| unreadable(text, "a life: write whole seconds, or unlimited"))
}

fn order(text: &str) -> Result<Order> {
    Ok(match text {
        "update-policy" => Order::UpdatePolicy,
        "deregister" => Order::Deregister,
        "failover" => Order::Failover,
        "close" => Order::Close,
        "report" => Order::Report,
        "purge" => Order::Purge,
        "card" => Order::Card,
        _ => {
            let orders = "an order: write update-policy, deregister, failover, close, report, purge or card";
            return Err(unreadable(text, orders));
        }
    })
}

/// Hosts separated by commas.
fn group(counts: &Counts, text: &str) -> Result<Vec<HostId>> {
    match text {
        "-" => Ok(Vec::new()),
        _ => text.split(',').map(|name| counts.host(name)).collect(),
    }
}

fn fault(counts: &Counts, words: &[String]) -> Result<Fault> {
    let (kind, rest) = words.split_first().ok_or(PlanProblem::Missing("what is done"))?;
    if kind == "cables" {
        return cable(rest).map(Fault::Cables);
    }
    let argument = |n: usize, what| rest.get(n).map(String::as_str).ok_or(PlanProblem::Missing(what));
    let host = |n| argument(n, "a host").and_then(|text| counts.host(text));
    let duration = || argument(1, "a time").and_then(time);
    let hosts = |n| argument(n, "a group of hosts").and_then(|text| group(counts, text));
    let (fault, used) = match kind.as_str() {
        "kill" => (Fault::Kill(host(0)?), 1),
        "start" => (Fault::Start(host(0)?), 1),
        "start-anew" => (Fault::StartAnew(host(0)?), 1),
        "stop" => (Fault::Stop(host(0)?, duration()?), 2),
        "pause" => (Fault::Pause(host(0)?), 1),
        "thaw" => (Fault::Thaw(host(0)?), 1),
        "slow" => (Fault::Slow(host(0)?, duration()?), 2),
        "unplug" => (Fault::Unplug(host(0)?), 1),
        "plug" => (Fault::Plug(host(0)?), 1),
        "block" => (Fault::Block(host(0)?, host(1)?), 2),
        "unblock" => (Fault::Unblock(host(0)?, host(1)?), 2),
        "split" => (Fault::Split(hosts(0)?, hosts(1)?), 2),
        "join" => (Fault::Join(hosts(0)?, hosts(1)?), 2),
        "lose" => (Fault::Lose(host(0)?, host(1)?), 2),
        "keep" => (Fault::Keep(host(0)?, host(1)?), 2),
        "move" => (Fault::Move(host(0)?), 1),
        "deafen" => (Fault::Deafen(host(0)?), 1),
        "undeafen" => (Fault::Undeafen(host(0)?), 1),
        "order" => (Fault::Order(host(0)?, order(argument(1, "an order")?)?), 2),
        other => return Err(PlanProblem::Fault(other.into())),
    };
    rest.get(used).map_or(Ok(fault), |word| Err(PlanProblem::Unknown(word.clone())))
}
