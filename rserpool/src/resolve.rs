//! `rserpool resolve`: asks a registrar for elements of a pool.

use crate::client::{self, Client};
use crate::exit::Failure;
use crate::output;
use crate::runtime::run_async;
use crate::settings::{Given, LifeUnitName, Named, PoolName, Source, UserSettings};
use crate::view::Pool;

/// Ask a registrar for elements of a pool.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool resolve EchoPool --registrar 127.0.0.1:20001
  rserpool resolve EchoPool --registrar 127.0.0.1:20001 --items 3 --json
  rserpool resolve EchoPool --registrar tcp:127.0.0.1:3863

Over TCP no SCTP is needed to ask a registrar; sessions with elements use SCTP.
Exits with 1 if the pool is unknown, 2 if no registrar answers.")]
pub(crate) struct ResolveCommand {
    /// The pool
    #[arg(value_parser = PoolName::parser())]
    pool: PoolName,
    /// How many elements to ask for; `all` for as many as possible [default: the registrar's choice]
    #[arg(long, value_parser = items)]
    items: Option<u32>,
    /// The unit of registration lives in this scope: milliseconds with an RSPLIB registrar [default: seconds]
    #[arg(long, value_name = "UNIT")]
    life_unit: Option<LifeUnitName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: UserSettings,
}

impl ResolveCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let prepared = Client::prepare(given, &self.source, &self.settings, self.json)?;
        let Some(client) = prepared else { return Ok(()) };
        run_async(async {
            let mut running = client.start().await?;
            let user = running.user.clone();
            let answer = running.during(user.resolve_items(self.pool.clone(), self.items)).await;
            user.shutdown(crate::signals::LEAVE_WITHIN).await;
            let resolution = answer.map_err(|error| client::explain(&self.pool, &error))?;
            let pool = Pool::new(
                &resolution.handle,
                Some(&resolution.policy),
                &resolution.elements,
                self.life_unit.unwrap_or_default().into(),
            );
            if self.json {
                return output::pretty_json(&pool);
            }
            output::line(format!("{} ({})", pool.name, pool.policy))?;
            output::line(crate::table::elements(&pool))?;
            output::hint(format_args!(
                "rserpool connect {}, with the same --registrar",
                output::quoted(&pool.name)
            ));
            Ok(())
        })
    }
}

fn items(text: &str) -> Result<u32, String> {
    match text {
        "all" => Ok(u32::MAX),
        _ => text.parse().map_err(|_| format!("\"{text}\" is not a number: write one, or all")),
    }
}
