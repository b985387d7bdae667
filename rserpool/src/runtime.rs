//! The runtime of one command.

use rserpool_driver::{Builder, Configuration};
use rserpool_tokio::Tokio;
use serde_json::json;

use crate::exit::Failure;
use crate::output;
use crate::settings::Given;

/// Runs a command to its end. Whatever still blocks then, such as a read of the terminal, is left.
pub(crate) fn run_async(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    run_on(tokio::runtime::Builder::new_current_thread(), future)
}

/// The same on so many threads.
#[cfg(feature = "proxy")]
pub(crate) fn run_threads(
    threads: usize,
    future: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(threads);
    run_on(builder, future)
}

fn run_on(
    mut builder: tokio::runtime::Builder,
    future: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let runtime = builder.enable_all().build()?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

/// Finds what a start would: wrong values, a port in use, an address of another machine.
pub(crate) fn validated<C: Configuration>(
    given: &Given,
    builder: Builder<Tokio, C>,
    as_json: bool,
) -> Result<(), Failure> {
    run_async(async { Ok(builder.rehearse()?) })?;
    said_valid(given, as_json)
}

/// Says that everything is well, and which variables do not count.
pub(crate) fn said_valid(given: &Given, as_json: bool) -> Result<(), Failure> {
    given.strangers().iter().for_each(output::remark);
    if as_json { output::json(&json!({ "valid": true })) } else { output::line("configuration is valid") }
}
