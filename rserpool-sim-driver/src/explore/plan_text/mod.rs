//! Plans as text, to be kept, read and changed.
//!
//! One statement stands on each line; `#` begins a comment. Values are named, `key=value`, in any order:
//!
//! ```text
//! plan 1
//! seed 7
//! timers fast
//! sctp heartbeat=200ms max-silence=500ms rto-initial=100ms rto-max=250ms
//! cable delay=1ms jitter=0s loss=0 duplication=0 reordering=0
//! chaos 10s
//!
//! registrar r1 start=0s knows=r2
//! registrar r2 start=0s knows=r1 keep-alive-interval=300ms
//! element e1 start=500ms knows=r1,r2 pool=Pool policy=RoundRobin life=300s
//! user u1 start=1s knows=r2 pool=Pool sessions=1 interval=100ms octets=64
//!
//! fault
//! 3s kill r1
//! 4.5s start r1
//! ```
//!
//! | statement | what it states | left out |
//! |---|---|---|
//! | `plan 1` | the version of this format; the first statement | |
//! | `seed` | the seed of the world | |
//! | `timers` | `fast` or `rfc`: the preset of all endpoints that name none | |
//! | `sctp` | `heartbeat`, `max-silence`, `rto-initial`, `rto-max` | |
//! | `cable` | `delay`, `jitter`; `loss`, `duplication`, `reordering` of a million packets; `rate` (octets a second) | no `rate` is no limit |
//! | `chaos` | when everything is healed | |
//! | `registrar` | `timers`, `start`, `knows`; `id`, `announce`, `enrp-announce`, `keep-alive-interval`, `max-bad-pe-reports`, `name-element-in-keep-alive`, `handle-table-octets`, `max-pools`, `heartbeat-cycle`, `max-time-last-heard`, `max-time-no-response`, `takeover-winner` (`larger-id`, `smaller-id`), `balance`, `suppress-unchanged`, as in the configuration of a registrar | at 0 s, knows none; the preset |
//! | `element` | `timers`, `start`, `knows`, `pool`, `policy` (as [`Policy`](rserpool_core::wire::Policy) is written), `life` (whole seconds, or `unlimited`); `id`, `reregistration`, `service` (how long it takes to answer), `slow` (a longer time and for one of how many requests: `2s/5`), `max-sessions`, `closes` (its sessions: `never`, on `poison`, or `at-once`), `cookies` (whether it leaves the state of its sessions with the users), `remembers` (whether it remembers calls that are to be carried out at most once) | at 0 s, knows none; no `id` draws one, no `reregistration` derives it from the life, no `service` is 0 s; never slow, the preset, never, no, no |
//! | `user` | `timers`, `start`, `knows`, `pool`, `sessions`, `interval`, `octets`; `calls` (its requests are calls; what becomes of them when their element fails: `retry`, `report` or `once`), `large` (more octets and for one of how many requests: `200000/5`), `poison` (one of how many requests is poison), `consuming` (how long its application takes for an answer), `resolve` (between two questions for the pool), `cache-life` (for how long it uses an answer of a registrar), `watch` (whether it watches its pool) | at 0 s, knows none; messages that are sent again; none, none, 0 s; never asks; the preset, no |
//! | `fault` | begins a fault, whose steps follow, a line each: the time and what is done | |
//!
//! Times end in `s` or `ms`; `yes` and `no` switch; a pool handle with spaces stands in quotation marks.
//! Hosts are named by their kind and counted from 1: `r1`, `e1`, `u1`. All registrars come first, then all
//! elements, then all users, then the faults. What a step does:
//!
//! | step | fault |
//! |---|---|
//! | `kill r1`, `start r1`, `start-anew r1`, `pause r1`, `thaw r1` | [`Kill`](crate::Fault::Kill) and so on |
//! | `stop r1 2s`, `slow e1 40ms` | with the time to end in, with the time for every input |
//! | `unplug e1`, `plug e1`, `move e1`, `deafen e1`, `undeafen e1` | |
//! | `block r1 e1`, `unblock r1 e1` | in one direction |
//! | `split r1,e1 r2`, `join r1,e1 r2` | in both; `-` is a group without hosts |
//! | `lose r1 r2`, `keep r1 r2` | updates of the handlespace from the first to the second |
//! | `cables delay=1ms jitter=0s loss=50000 duplication=0 reordering=0` | |
//! | `order e1 update-policy` | or `deregister`, `failover`, `close`, `report`, `purge`, `card` |

mod error;
mod read;
mod values;
mod write;

pub use error::{PlanError, PlanProblem};

/// The version of the format that is written and read.
const VERSION: &str = "1";

#[cfg(test)]
mod tests;
