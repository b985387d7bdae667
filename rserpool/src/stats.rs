//! `rserpool stats`: who a registrar is, its counters, and how it sees its peers.

use std::collections::BTreeMap;

use rserpool_core::endpoint::{PeerStatus, RegistrarStatus};
use rserpool_core::registrar::{Counters, Sizes, TransportCounters};
use serde_json::{Map, Value, json};

use crate::exit::Failure;
use crate::inspect::{Inspectors, Question};
use crate::runtime::run_async;
use crate::settings::{Given, InspectorSettings, Source};
use crate::{output, status, table};

/// Show who a registrar of this project is, its counters, and how it sees its peers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool stats
  rserpool stats --registrar 127.0.0.1:20001 --explain
  rserpool stats --registrar 127.0.0.1:20001 --json

Of several registrars the first that answers is shown. Exits with 2 if none answers. In the list of
other registrars, Checksum is over their elements as this one has them, and It says the checksum that
they have told themselves.")]
pub(crate) struct StatsCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Say beside each number what it means
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: InspectorSettings,
}

/// What the columns of the table of registrars mean.
const COLUMNS: &str = "\
State: active, or being taken over because it does not answer. Connected: whether an association with it is up.
Elements: those whose home it is, in the copy of this registrar. Checksum: over these elements.
It says: the checksum that it told itself in its last heartbeat; it differs for a while after a change.";

/// Everything that is shown.
type Numbers = Vec<(String, u64)>;
type Report = (RegistrarStatus, Numbers, Vec<PeerStatus>);

impl StatsCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let prepared = Inspectors::prepare(given, &self.source, self.settings.clone(), self.json)?;
        let Some(inspectors) = prepared else { return Ok(()) };
        run_async(async {
            let question: Question<Report> = |inspector| {
                Box::pin(async move {
                    Ok((inspector.status().await?, inspector.counters().await?, inspector.peers().await?))
                })
            };
            let (status, numbers, peers) = inspectors.ask(question, |_| true).await?;
            let (gauges, counters): (Numbers, Numbers) =
                numbers.into_iter().partition(|(name, _)| Sizes::meanings().any(|(gauge, _)| gauge == name));
            if self.json {
                let numbers = |numbers: Numbers| -> Map<String, Value> {
                    numbers.into_iter().map(|(name, value)| (name, value.into())).collect()
                };
                return output::pretty_json(&json!({
                    "registrar": status::json(&status), "gauges": numbers(gauges), "counters": numbers(counters),
                    "registrars": peers.iter().map(peer).collect::<Vec<_>>(),
                }));
            }
            output::line(status::sentence(&status))?;
            self.show("at the moment", &gauges)?;
            self.show("since the start", &counters)?;
            if !peers.is_empty() {
                output::line(format!("\nother registrars\n{}", table::peers(&peers)))?;
            }
            if self.explain && !peers.is_empty() {
                output::line(COLUMNS)?;
            }
            output::hint(match self.explain {
                true => "rserpool pools, with the same --registrar",
                false => "rserpool stats --explain, with the same --registrar, says what the words mean",
            });
            Ok(())
        })
    }

    fn show(&self, title: &str, numbers: &[(String, u64)]) -> Result<(), Failure> {
        let meanings = Sizes::meanings().chain(Counters::meanings()).chain(TransportCounters::meanings());
        let meanings: BTreeMap<&str, &str> = meanings.collect();
        let width = numbers.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        output::line(format!("\n{title}"))?;
        for (name, value) in numbers {
            let meaning = if self.explain { meanings.get(&**name).unwrap_or(&"not known here") } else { "" };
            output::line(format!("{name:width$}  {value:<12}  {meaning}").trim_end())?;
        }
        Ok(())
    }
}

fn peer(peer: &PeerStatus) -> Value {
    let table::PeerText { id, state, checksum, announced_checksum, address } = table::PeerText::of(peer);
    let known = |text: String| if text == "-" { Value::Null } else { text.into() };
    json!({
        "id": id, "state": state, "connected": peer.connected, "elements": peer.elements,
        "checksum": checksum, "announced_checksum": known(announced_checksum), "address": known(address),
    })
}
