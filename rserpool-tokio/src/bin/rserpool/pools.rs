//! `rserpool pools`: the whole handlespace of a registrar, with its peers.

use crate::exit::Failure;
use crate::inspect::Inspectors;
use crate::settings::{InspectorSettings, Source};
use crate::view::Handlespace;
use crate::{output, run_async, table};

/// Show the whole handlespace of a registrar with its peers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool pools --registrar 127.0.0.1:20001
  rserpool pools --registrar 127.0.0.1:20001 --json | jq '.pools[].elements[].id'

Asks over ENRP, as a peer without an identifier would.")]
pub(crate) struct PoolsCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: InspectorSettings,
}

impl PoolsCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let inspectors = Inspectors::new(self.source.load(&self.settings)?)?;
        if self.source.validate {
            return output::line("configuration is valid");
        }
        run_async(async {
            let snapshot = inspectors.ask(async |inspector| inspector.handlespace().await).await?;
            let handlespace = Handlespace::new(&snapshot);
            if self.json {
                output::pretty_json(&handlespace)
            } else {
                output::line(table::handlespace(&handlespace))
            }
        })
    }
}
