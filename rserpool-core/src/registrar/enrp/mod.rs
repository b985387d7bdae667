//! A registrar's part in ENRP: one handlespace, shared with its peers (RFC 5353).
//!
//! ```text
//! takeovers   the elements of a dead peer
//!     │
//! join        from the start to the first service
//!     │
//! presence    heartbeats, and what those of peers tell      namesake  two with the same identifier
//!     │
//! audit       what updates have missed     offers           giving elements away
//!     │                                      │
//! claims      updates, and an element's home                table     pages for those that download
//!     │
//! peers       who they are, and whether they live           peer      the records of one
//!     │                                                     pages     asking one for pages
//! contacts    where registrars may be                       ourselves what we say of ourselves
//!     │
//! unproved    addresses that strangers name
//! ```
//!
//! Each uses only what is below it, and returns what it has decided. Every wait here has a bound, and every
//! table has a limit that a hostile peer cannot move.

pub(super) mod audit;
pub(super) mod claims;
mod contacts;
pub(super) mod join;
pub(super) mod namesake;
pub(super) mod offers;
pub(super) mod ourselves;
pub(super) mod pages;
mod peer;
pub(super) mod peers;
pub(super) mod presence;
pub(super) mod table;
pub(super) mod takeovers;
mod unproved;
