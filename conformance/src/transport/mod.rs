//! The transport table: what SCTP over UDP has to do with our own stack, with packets made by
//! hand, with usrsctp and with the Linux kernel.
//!
//! ```text
//!   table ── starts a process for each cell; vm, compile: what foreign peers need; report
//!     │
//!   cell ─── a row with a backend and a peer, and how it ended
//!     │
//!   rows ─── what is asked; measure: processor and memory; netem: a bad network by the kernel
//!     ├──────────────────┐
//!   stage              hand ─── packets made by hand
//!     ├────────┐         │
//!   emulated  real ── process: a foreign peer
//!     └───┬────┘         │
//!       bench ───────── end: the stack under test, behind orders and events
//!         │
//!   setup, wire, guest, content, packet, backend: the words, which need none of the others
//! ```
//!
//! A row sees no difference between the peers. Own and crafted rows run in virtual time, the same
//! every time; rows with foreign peers run over real sockets, in real time, through a wire on
//! which packets can be lost, or through a kernel that loses them.

mod backend;
mod bench;
mod cell;
mod compile;
mod content;
mod emulated;
mod end;
mod guest;
mod hand;
mod measure;
mod netem;
mod packet;
mod process;
mod real;
mod report;
mod row;
mod rows;
mod setup;
mod stage;
mod table;
mod vm;
mod wire;

pub use cell::Options;
pub use table::{cell, run};
