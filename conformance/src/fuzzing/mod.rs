//! What the fuzz targets in `fuzz/` do. Each takes octets, never fails on any, and panics if the
//! code under test breaks a promise. Tests replay the corpora through the same functions.

mod codec;
mod element;
mod input;
mod invent;
mod registrar;
mod sctp;
mod services;
mod tcp;
mod user;
mod world;

pub use codec::{decode_asap, decode_enrp, round_trip};
pub use element::element;
pub use registrar::registrar;
pub use sctp::sctp;
pub use services::services;
pub use tcp::tcp;
pub use user::user;
