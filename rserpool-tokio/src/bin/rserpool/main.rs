//! The `rserpool` program.

fn main() {}
