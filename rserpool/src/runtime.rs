//! The runtime of one command.

use crate::exit::Failure;

/// Runs a command to its end. Whatever still blocks then, such as a read of the terminal, is left.
pub(crate) fn run_async(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}
