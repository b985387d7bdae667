//! The requirements of the RFCs by number, as comments and tests cite them.
//!
//! Columns, parted by tabs: number, document, section, role, level (MUST, SHOULD, ..., or `behaviour` where
//! the text only says what happens), demand, how it can be tested, and whether it is.
//!
#![doc = "```text"]
#![doc = include_str!("../requirements.tsv")]
#![doc = "```"]
