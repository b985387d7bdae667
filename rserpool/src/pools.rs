//! `rserpool pools`: the whole handlespace of a registrar, the registrars that share it, and whether
//! their copies agree.

use std::sync::Arc;

use crate::exit::Failure;
use crate::inspect::Inspectors;
use crate::runtime::run_async;
use crate::settings::{Given, InspectorSettings, LifeUnitName, Source};
use crate::survey::Survey;
use crate::view::Handlespace;
use crate::{output, table};

/// Show the whole handlespace, the registrars that share it, and whether their copies agree.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool pools
  rserpool pools --registrar 127.0.0.1:20001
  rserpool pools --registrar 127.0.0.1:20001 --json | jq '.pools[].elements[].id'

Asks a registrar over ENRP, as a peer without an identifier would, and then every registrar it knows.
Exits with 1 if the copies still differ after a second, or if a registrar refuses to show its
handlespace, and with 2 if none answers. A registrar that is starting or does not answer is named, but
has no copy to compare. Unless --timeout says otherwise, one that does not answer costs 1.5 s, all of
them together.")]
pub(crate) struct PoolsCommand {
    /// The unit of registration lives in this scope: milliseconds with an RSPLIB registrar [default: seconds]
    #[arg(long, value_name = "UNIT")]
    life_unit: Option<LifeUnitName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: InspectorSettings,
}

impl PoolsCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let prepared = Inspectors::prepare(given, &self.source, self.settings, self.json)?;
        let Some(inspectors) = prepared else { return Ok(()) };
        run_async(async {
            let inspectors = Arc::new(inspectors);
            let survey = Survey::take(&inspectors).await?;
            let handlespace = Handlespace::new(&survey, self.life_unit.unwrap_or_default().into());
            if self.json {
                output::pretty_json(&handlespace)?;
            } else {
                output::line(table::handlespace(&handlespace))?;
                for (id, address) in survey.silent().filter(|(_, address)| !inspectors.is_named(address)) {
                    output::remark(format_args!("registrar {id} at {address} has not answered"));
                }
                output::hint("rserpool resolve POOL, or rserpool connect POOL, with the same --registrar");
            }
            if handlespace.agree {
                return Ok(());
            }
            Err(Failure::failed("the registrars have different copies of the handlespace"))
        })
    }
}
