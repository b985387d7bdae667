//! The smol adapter of RSerPool: not written yet.
//!
//! This crate will bind `rserpool-core` to smol and async-std with the same names as
//! `rserpool-tokio`. Until then it holds nothing but this notice.
