//! `rserpool health`: whether a registrar serves, for supervisors.

use rserpool_core::endpoint::{RegistrarState, RegistrarStatus};

use crate::exit::Failure;
use crate::inspect::{Inspectors, Question};
use crate::runtime::run_async;
use crate::settings::{Given, InspectorSettings, Source};
use crate::{output, status};

/// Say whether a registrar of this project serves.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool health --registrar 127.0.0.1:20001
  rserpool health --registrar 127.0.0.1:20001 --timeout 1s --json

Exits with 0 if it serves, with 1 if it is starting or leaving, and with 2 if it does not answer. Of
several registrars, any that serves is enough.")]
pub(crate) struct HealthCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: InspectorSettings,
}

impl HealthCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let prepared = Inspectors::prepare(given, &self.source, self.settings, self.json)?;
        let Some(inspectors) = prepared else { return Ok(()) };
        run_async(async {
            let question: Question<RegistrarStatus> =
                |inspector| Box::pin(async move { inspector.status().await });
            let serves = |status: &RegistrarStatus| status.state == RegistrarState::Serving;
            let status = inspectors.ask(question, serves).await?;
            let serves = serves(&status);
            let sentence = status::sentence(&status);
            if self.json {
                output::json(&status::json(&status))?;
            } else if serves {
                output::line(&sentence)?;
                output::hint("rserpool pools, or rserpool stats --explain, with the same --registrar");
            }
            if serves { Ok(()) } else { Err(Failure::failed(sentence)) }
        })
    }
}
