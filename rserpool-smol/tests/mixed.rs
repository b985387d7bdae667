//! Both adapters in one scope: they speak the same protocol, whatever is below.

use std::future::Future;

use rserpool_smol::Smol;
use rserpool_tokio::Tokio;

/// smol needs no context, so tokio's is enough for both.
fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future);
}

mod tokio_elements_at_smol_registrars {
    use super::*;

    conformance::scenarios!(Smol, Tokio, block_on, tcp);
}

mod smol_elements_at_tokio_registrars {
    use super::*;

    conformance::scenarios!(Tokio, Smol, block_on, tcp);
}
