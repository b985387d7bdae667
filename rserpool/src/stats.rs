//! `rserpool stats`: the counters of a registrar, and how it sees its peers.

use rserpool_core::endpoint::PeerStatus;
use rserpool_tokio::Inspector;
use serde_json::{Map, Value, json};

use crate::exit::Failure;
use crate::inspect::Inspectors;
use crate::runtime::run_async;
use crate::settings::{InspectorSettings, Source};
use crate::{output, table};

/// Show the counters of a registrar of this project, and how it sees its peers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool stats
  rserpool stats --registrar 127.0.0.1:20001
  rserpool stats --registrar 127.0.0.1:20001 --json")]
pub(crate) struct StatsCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: InspectorSettings,
}

impl StatsCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let inspectors = Inspectors::new(self.source.load(&self.settings)?)?;
        if self.source.validate {
            return output::line("configuration is valid");
        }
        run_async(async {
            inspectors.start_log()?;
            let question =
                async |inspector: &Inspector| Ok((inspector.counters().await?, inspector.peers().await?));
            let (counters, peers) = inspectors.ask(question).await?;
            if self.json {
                let mut object: Map<String, Value> =
                    counters.into_iter().map(|(name, value)| (name, value.into())).collect();
                object.insert("registrars".into(), peers.iter().map(peer).collect());
                return output::pretty_json(&object);
            }
            let width = counters.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in &counters {
                output::line(format!("{name:width$}  {value}"))?;
            }
            if peers.is_empty() { Ok(()) } else { output::line(table::peers(&peers)) }
        })
    }
}

fn peer(peer: &PeerStatus) -> Value {
    let table::PeerText { id, state, checksum, announced_checksum, address } = table::PeerText::of(peer);
    json!({
        "id": id, "state": state, "connected": peer.connected, "elements": peer.elements,
        "checksum": checksum, "announced_checksum": announced_checksum, "address": address,
    })
}
