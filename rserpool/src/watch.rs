//! `rserpool watch`: shows a pool and each of its changes.

use std::collections::BTreeMap;
use std::time::SystemTime;

use rserpool_core::base::ElementId;
use rserpool_core::user::{Notice, Resolution};
use rserpool_core::wire::PoolElement;
use rserpool_tokio::{PoolState, PoolUser};
use serde_json::json;

use crate::client::{self, Client};
use crate::exit::Failure;
use crate::output;
use crate::runtime::run_async;
use crate::settings::{Given, LifeUnitName, Named, PoolName, Source, UserSettings};
use crate::signals::Termination;
use crate::view::Pool;

/// Show a pool, and each of its changes as it happens.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool watch EchoPool --registrar 127.0.0.1:20001
  rserpool watch EchoPool --registrar 127.0.0.1:20001 --json

The registrar is asked to tell of changes (a subscription, RFC 5352 section 2.2.5). One that does
not is asked again and again. The pool need not exist yet. Ctrl-C ends.")]
pub(crate) struct WatchCommand {
    /// The pool
    #[arg(value_parser = PoolName::parser())]
    pool: PoolName,
    /// The unit of registration lives in this scope: milliseconds with an RSPLIB registrar [default: seconds]
    #[arg(long, value_name = "UNIT")]
    life_unit: Option<LifeUnitName>,
    /// Print JSON, one line for each change
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: UserSettings,
}

impl WatchCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let prepared = Client::prepare(given, &self.source, &self.settings, self.json)?;
        let Some(client) = prepared else { return Ok(()) };
        run_async(async {
            let termination = Termination::new()?;
            let running = client.start().await?;
            let user = running.user.clone();
            running.finish(termination, self.watch(&user)).await
        })
    }

    async fn watch(&self, user: &PoolUser) -> Result<(), Failure> {
        let watched = user.watch(self.pool.clone()).await;
        let mut pool = watched.map_err(|error| client::explain(&self.pool, &error))?;
        let (mut before, mut complained) = (BTreeMap::new(), false);
        loop {
            tokio::select! {
                state = pool.changed() => match state {
                    Some(PoolState::Elements(now)) => {
                        complained = false;
                        self.show(&mut before, now)?;
                    }
                    Some(_) => {
                        complained = false;
                        before.clear();
                        self.show_gone()?;
                    }
                    None => return Err(Failure::failed("the user has ended")),
                },
                Some(notice) = user.next_event() => if let Notice::NoRegistrar { tried, .. } = notice
                    && !complained
                {
                    complained = true;
                    output::remark(format_args!("{}; Ctrl-C ends", client::no_registrar(&tried)));
                },
            }
        }
    }

    fn show(&self, before: &mut BTreeMap<ElementId, PoolElement>, now: Resolution) -> Result<(), Failure> {
        let unit = self.life_unit.unwrap_or_default().into();
        let pool = Pool::new(&now.handle, Some(&now.policy), &now.elements, unit);
        if self.json {
            return output::json(&json!({ "event": "changed", "pool": pool }));
        }
        output::line(format!("{} {} ({}): {}", clock(), pool.name, pool.policy, count(now.elements.len())))?;
        for (shown, element) in pool.elements.iter().zip(&now.elements) {
            let sign = match before.remove(&element.id) {
                None => '+',
                Some(known) if is_same(&known, element) => continue,
                Some(_) => '~',
            };
            let at = element.session_address().map_or_else(String::new, |at| format!(" at {at}"));
            output::line(format!("  {sign} {}{at} {}", shown.id, shown.policy_text))?;
        }
        for gone in before.keys() {
            output::line(format!("  - {gone}"))?;
        }
        *before = now.elements.into_iter().map(|element| (element.id, element)).collect();
        Ok(())
    }

    fn show_gone(&self) -> Result<(), Failure> {
        if self.json {
            let unit = self.life_unit.unwrap_or_default().into();
            let Pool { handle, handle_hex, .. } = Pool::new(&self.pool.clone().into(), None, &[], unit);
            return match (handle, handle_hex) {
                (_, Some(hex)) => output::json(&json!({ "event": "gone", "handle_hex": hex })),
                (text, None) => output::json(&json!({ "event": "gone", "handle": text })),
            };
        }
        output::line(format!("{} {}: unknown to the registrar", clock(), self.pool))
    }
}

/// Whether users see the same element.
fn is_same(one: &PoolElement, other: &PoolElement) -> bool {
    one.policy == other.policy
        && one.user_transport == other.user_transport
        && one.encapsulation == other.encapsulation
}

fn count(elements: usize) -> String {
    match elements {
        1 => "1 element".into(),
        more => format!("{more} elements"),
    }
}

fn clock() -> impl std::fmt::Display {
    humantime::format_rfc3339_seconds(SystemTime::now())
}
