//! Writing a plan.

use std::fmt;

use rserpool_core::registrar::TakeoverWinner;
use rserpool_core::user::CallDelivery;

use super::VERSION;
use super::values::{Counts, write_switch, write_time};
use crate::applications::{Closing, Occasional};
use crate::explore::{ElementPlan, Plan, RegistrarPlan, Timers, UserPlan};
use crate::fault::{Fault, Order};
use crate::id::HostId;
use crate::network::{Cable, Sctp};

/// See [`plan_text`](crate::explore::plan_text).
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Counts {
            registrars: self.registrars.len(),
            elements: self.elements.len(),
            users: self.users.len(),
        };
        writeln!(f, "plan {VERSION}\nseed {}\ntimers {}", self.seed, preset(self.timers))?;
        writeln!(f, "sctp {}\ncable {}", sctp(&self.sctp), cable(&self.cable))?;
        writeln!(f, "chaos {}\n", write_time(self.chaos))?;
        for (host, registrar) in self.registrar_hosts().zip(&self.registrars) {
            writeln!(
                f,
                "registrar {}{}",
                counts.name(host),
                registrar_values(&counts, self.timers, registrar)
            )?;
        }
        for (host, element) in self.element_hosts() {
            writeln!(f, "element {}{}", counts.name(host), element_values(&counts, self.timers, element))?;
        }
        for (host, user) in self.user_hosts() {
            writeln!(f, "user {}{}", counts.name(host), user_values(&counts, self.timers, user))?;
        }
        for fault in self.faults.iter().filter(|fault| !fault.is_empty()) {
            writeln!(f, "\nfault")?;
            for (at, step) in fault {
                writeln!(f, "{} {}", write_time(*at), step_values(&counts, step))?;
            }
        }
        Ok(())
    }
}

/// Values with their keys, each after a space.
#[derive(Debug, Default)]
struct Values(String);

impl Values {
    fn add(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.0.push_str(&format!(" {key}={value}"));
        self
    }

    fn add_some(self, key: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.add(key, value),
            None => self,
        }
    }

    fn add_hosts(self, key: &str, counts: &Counts, hosts: &[HostId]) -> Self {
        if hosts.is_empty() { self } else { self.add(key, group(counts, hosts)) }
    }
}

fn sctp(sctp: &Sctp) -> String {
    let Sctp { heartbeat, max_silence, rto_initial, rto_max } = *sctp;
    let [heartbeat, max_silence, rto_initial, rto_max] =
        [heartbeat, max_silence, rto_initial, rto_max].map(write_time);
    format!("heartbeat={heartbeat} max-silence={max_silence} rto-initial={rto_initial} rto-max={rto_max}")
}

fn cable(cable: &Cable) -> String {
    let Cable { delay, jitter, loss, duplication, reordering, rate } = *cable;
    let [delay, jitter] = [delay, jitter].map(write_time);
    let rate = if rate == 0 { String::new() } else { format!(" rate={rate}") };
    format!(
        "delay={delay} jitter={jitter} loss={loss} duplication={duplication} reordering={reordering}{rate}"
    )
}

const fn preset(timers: Timers) -> &'static str {
    match timers {
        Timers::Fast => "fast",
        Timers::Rfc => "rfc",
    }
}

/// The preset of a host if it is not that of the plan.
fn other_preset(all: Timers, own: Timers) -> Option<&'static str> {
    (own != all).then_some(preset(own))
}

fn occasional<T>(occasional: Option<Occasional<T>>, write: impl Fn(T) -> String) -> Option<String> {
    occasional.map(|Occasional { one_of, value }| format!("{}/{one_of}", write(value)))
}

const fn closing(closing: Closing) -> Option<&'static str> {
    match closing {
        Closing::Never => None,
        Closing::Poison => Some("poison"),
        Closing::AtOnce => Some("at-once"),
    }
}

const fn delivery(delivery: CallDelivery) -> &'static str {
    match delivery {
        CallDelivery::Retry => "retry",
        CallDelivery::Report => "report",
        CallDelivery::Once => "once",
    }
}

fn registrar_values(counts: &Counts, all: Timers, registrar: &RegistrarPlan) -> String {
    let all_pools = registrar.timers.registrar().limits.pools;
    let winner = match registrar.takeover_winner {
        TakeoverWinner::LargerId => "larger-id",
        TakeoverWinner::SmallerId => "smaller-id",
    };
    Values::default()
        .add_some("timers", other_preset(all, registrar.timers))
        .add("start", write_time(registrar.start))
        .add_hosts("knows", counts, &registrar.knows)
        .add_some("id", registrar.id.map(|id| id.0))
        .add("announce", write_switch(registrar.announce))
        .add("enrp-announce", write_switch(registrar.enrp_announce))
        .add("keep-alive-interval", write_time(registrar.keep_alive_interval))
        .add("max-bad-pe-reports", registrar.max_bad_pe_reports)
        .add("name-element-in-keep-alive", write_switch(registrar.name_element_in_keep_alive))
        .add("handle-table-octets", registrar.handle_table_octets)
        .add_some("max-pools", (registrar.max_pools != all_pools).then_some(registrar.max_pools))
        .add("heartbeat-cycle", write_time(registrar.heartbeat_cycle))
        .add("max-time-last-heard", write_time(registrar.max_time_last_heard))
        .add("max-time-no-response", write_time(registrar.max_time_no_response))
        .add("takeover-winner", winner)
        .add("balance", write_switch(registrar.balance))
        .add("suppress-unchanged", write_switch(registrar.suppress_unchanged))
        .0
}

fn element_values(counts: &Counts, all: Timers, element: &ElementPlan) -> String {
    let life = match element.life.duration() {
        Some(life) => format!("{}s", life.as_secs()),
        None => "unlimited".into(),
    };
    Values::default()
        .add_some("timers", other_preset(all, element.timers))
        .add("start", write_time(element.start))
        .add_hosts("knows", counts, &element.knows)
        .add("pool", quoted(&element.pool))
        .add_some("id", element.id.map(|id| id.0))
        .add("policy", &element.policy)
        .add("life", life)
        .add_some("reregistration", element.reregistration.map(write_time))
        .add("service", write_time(element.service))
        .add_some("slow", occasional(element.slow, write_time))
        .add_some("max-sessions", element.max_sessions)
        .add_some("closes", closing(element.closes))
        .add_some("cookies", element.cookies.then_some(write_switch(true)))
        .add_some("remembers", element.remembers.then_some(write_switch(true)))
        .0
}

fn user_values(counts: &Counts, all: Timers, user: &UserPlan) -> String {
    Values::default()
        .add_some("timers", other_preset(all, user.timers))
        .add("start", write_time(user.start))
        .add_hosts("knows", counts, &user.knows)
        .add("pool", quoted(&user.pool))
        .add("sessions", user.sessions)
        .add("interval", write_time(user.interval))
        .add_some("calls", user.calls.map(delivery))
        .add("octets", user.octets)
        .add_some("large", occasional(user.large, |octets| octets.to_string()))
        .add_some("poison", user.poison)
        .add_some("consuming", Some(user.consuming).filter(|time| !time.is_zero()).map(write_time))
        .add_some("cache-life", user.cache_life.map(write_time))
        .add_some("resolve", user.resolve.map(write_time))
        .add_some("watch", user.watch.then_some(write_switch(true)))
        .0
}

fn step_values(counts: &Counts, fault: &Fault) -> String {
    let name = |host: &HostId| counts.name(*host);
    let groups =
        |one: &[HostId], other: &[HostId]| format!("{} {}", group(counts, one), group(counts, other));
    match fault {
        Fault::Kill(host) => format!("kill {}", name(host)),
        Fault::Start(host) => format!("start {}", name(host)),
        Fault::StartAnew(host) => format!("start-anew {}", name(host)),
        Fault::Stop(host, within) => format!("stop {} {}", name(host), write_time(*within)),
        Fault::Pause(host) => format!("pause {}", name(host)),
        Fault::Thaw(host) => format!("thaw {}", name(host)),
        Fault::Slow(host, slowness) => format!("slow {} {}", name(host), write_time(*slowness)),
        Fault::Unplug(host) => format!("unplug {}", name(host)),
        Fault::Plug(host) => format!("plug {}", name(host)),
        Fault::Block(from, to) => format!("block {} {}", name(from), name(to)),
        Fault::Unblock(from, to) => format!("unblock {} {}", name(from), name(to)),
        Fault::Split(one, other) => format!("split {}", groups(one, other)),
        Fault::Join(one, other) => format!("join {}", groups(one, other)),
        Fault::Move(host) => format!("move {}", name(host)),
        Fault::Deafen(host) => format!("deafen {}", name(host)),
        Fault::Undeafen(host) => format!("undeafen {}", name(host)),
        Fault::Lose(from, to) => format!("lose {} {}", name(from), name(to)),
        Fault::Keep(from, to) => format!("keep {} {}", name(from), name(to)),
        Fault::Cables(new) => format!("cables {}", cable(new)),
        Fault::Order(host, order) => format!("order {} {}", name(host), order_name(*order)),
    }
}

const fn order_name(order: Order) -> &'static str {
    match order {
        Order::UpdatePolicy => "update-policy",
        Order::Deregister => "deregister",
        Order::Failover => "failover",
        Order::Close => "close",
        Order::Report => "report",
        Order::Purge => "purge",
        Order::Card => "card",
    }
}

fn group(counts: &Counts, hosts: &[HostId]) -> String {
    if hosts.is_empty() {
        return "-".into();
    }
    hosts.iter().map(|host| counts.name(*host)).collect::<Vec<_>>().join(",")
}

fn quoted(text: &str) -> String {
    if text.contains(char::is_whitespace) { format!("\"{text}\"") } else { text.into() }
}
