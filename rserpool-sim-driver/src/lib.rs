//! A simulated world for the state machines of `rserpool-core`: not written yet.
//!
//! This crate will run registrars, pool elements and pool users under a virtual clock and break
//! things at random from one seed. Until then it holds nothing but this notice.
