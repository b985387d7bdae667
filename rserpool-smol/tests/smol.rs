//! The scenarios on smol.

use rserpool_smol::Smol;

conformance::scenarios!(Smol, Smol, smol::block_on, tcp);
