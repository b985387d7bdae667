//! `rserpool policies`: the policies that there are, as `serve` takes them.

use rserpool_core::wire::PolicyType;
use serde_json::json;

use crate::exit::Failure;
use crate::output;

/// List the policies of pools, as --policy takes them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool policies
  rserpool serve echo --policy WeightedRoundRobin:3

Words after a colon stand for values: weight and priority are whole numbers, degradation and dpf (delay
penalty factor) fractions from 0 to 1. An element of a policy that looks at the load may also tell its
own, as in LeastUsed:load=0.5.")]
pub(crate) struct PoliciesCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl PoliciesCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let all = PolicyType::KNOWN.iter().filter_map(|kind| Some((kind.name(), kind.usage()?)));
        if self.json {
            let all = all.map(|(name, usage)| json!({ "name": name, "usage": usage }));
            return output::pretty_json(&json!({ "policies": all.collect::<Vec<_>>() }));
        }
        for (_, usage) in all {
            output::line(usage)?;
        }
        output::hint("rserpool serve echo --policy WeightedRoundRobin:3 --registrar ADDRESS");
        Ok(())
    }
}
