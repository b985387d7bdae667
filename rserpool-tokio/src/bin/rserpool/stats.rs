//! `rserpool stats`: the counters of a registrar.

use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::inspect::Inspectors;
use crate::settings::{InspectorSettings, Source};
use crate::{output, run_async};

/// Show the counters of a registrar of this project.
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
            let counters = inspectors.ask(async |inspector| inspector.counters().await).await?;
            if self.json {
                let object: Map<String, Value> =
                    counters.into_iter().map(|(name, value)| (name, value.into())).collect();
                return output::pretty_json(&object);
            }
            let width = counters.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            counters.iter().try_for_each(|(name, value)| output::line(format!("{name:width$}  {value}")))
        })
    }
}
