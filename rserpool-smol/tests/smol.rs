//! The scenarios on smol.

use rserpool_smol::Smol;

conformance::scenarios!(with tcp Smol, Smol, smol::block_on);
