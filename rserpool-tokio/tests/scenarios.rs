//! The scenarios on tokio.

use std::future::Future;

use rserpool_tokio::Tokio;

conformance::scenarios!(Tokio, Tokio, block_on, tcp);

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future);
}
