//! The scenarios on threads that block: no asynchronous runtime at all.

use rserpool_blocking::{Threads, block_on};

conformance::scenarios!(Threads, Threads, block_on);
