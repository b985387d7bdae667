//! What must hold: judged while a world runs and when it has come to rest.

mod agreement;
mod at_rest;
mod elements;
mod history;
mod peer_messages;
mod registrars;

pub(crate) use history::History;
pub(crate) use peer_messages::Exchange;
pub(crate) use registrars::settles_within;
