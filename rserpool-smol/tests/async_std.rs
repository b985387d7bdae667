//! The scenarios under async-std, with the adapter for smol.

use rserpool_smol::Smol;

conformance::scenarios!(Smol, Smol, async_std::task::block_on, tcp);
