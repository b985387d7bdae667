//! The transport table: what SCTP over UDP has to do with our own stack, with packets made by
//! hand, with usrsctp and with the Linux kernel.
//!
//! ```text
//!   table (cells, verdicts) ── one process for each cell ── rows (what is asked)
//!     │                                                      │           │
//!   compile, vm: foreign peers                             bench        hand
//!                                                        ┌───┴────┐       │
//!                                                     emulated   real     │  packet
//!                                                        └── end ─┴───────┘
//!                                                             │
//!                                                    backend: the stack under test
//! ```
//!
//! A row sees no difference between the peers. Own and crafted rows run in virtual time, the same
//! every time; rows with foreign peers run over real sockets, in real time, through a wire on
//! which packets can be lost.

mod backend;
mod bench;
mod compile;
mod content;
mod emulated;
mod end;
mod hand;
mod measure;
mod packet;
mod process;
mod real;
mod report;
mod rows;
mod setup;
mod table;
mod vm;
mod wire;

pub use table::{Options, cell, run};
