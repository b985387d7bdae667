//! CalcApp: jobs of so many calculations, which share the capacity of their element. How far a job has come is the
//! state of its session, and travels in its cookie.
//!
//! Nothing is calculated: a job takes the time that its calculations would take. It stands for whatever a real pool
//! computes.

mod client;
mod jobs;
mod service;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes};
use rserpool_core::base::ProtocolId;

pub use client::{CalcAppClient, CalcAppClientConfig, Report};
pub use service::{CalcApp, CalcAppConfig};

use crate::wire::{FormatError, message, read_head, read_u32, read_u64};

/// The payload protocol identifier.
pub const PROTOCOL: ProtocolId = ProtocolId(34);

/// The pool in which it is offered.
pub const POOL: &str = "CalcAppPool";

/// What a message says about its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The user asks for it to be done.
    Request,
    /// The element does it.
    Accept,
    /// The element does not do it: it has enough to do.
    Reject,
    /// It is given up, by either side.
    Abort,
    /// It is done.
    Complete,
    /// Whether the other side still works on it, or waits for it.
    KeepAlive,
    /// It does.
    KeepAliveAck,
}

impl Kind {
    const ALL: [(u8, Self); 7] = [
        (1, Self::Request),
        (2, Self::Accept),
        (3, Self::Reject),
        (4, Self::Abort),
        (5, Self::Complete),
        (6, Self::KeepAlive),
        (7, Self::KeepAliveAck),
    ];

    fn number(self) -> u8 {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or(0, |(number, _)| *number)
    }
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number within the session, chosen by the user.
    pub id: u32,
    /// Its calculations.
    pub size: u64,
    /// Those that are done.
    pub completed: u64,
}

/// A message of CalcApp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub kind: Kind,
    /// The job that it is about.
    pub job: Job,
}

impl Message {
    /// Reads a message. Octets behind the numbers are left alone.
    ///
    /// # Errors
    ///
    /// If it is not one of CalcApp.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let (number, rest) = read_head(bytes)?;
        let known = Kind::ALL.iter().find(|(known, _)| *known == number);
        let (_, kind) = known.ok_or(FormatError::Type(number))?;
        Ok(Self { kind: *kind, job: Job::decode(rest)? })
    }

    /// Its 24 octets.
    pub fn encode(&self) -> Bytes {
        message(self.kind.number(), |octets| octets.put_slice(&self.job.encode()))
    }
}

impl Job {
    /// Reads a cookie.
    ///
    /// # Errors
    ///
    /// If it is too short, or more is done than there is to do.
    fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let (id, rest) = read_u32(bytes)?;
        let (size, rest) = read_u64(rest)?;
        let (completed, _) = read_u64(rest)?;
        Ok(Self { id, size, completed: completed.min(size) })
    }

    /// The 20 octets of a cookie, which messages end with, too.
    fn encode(self) -> Bytes {
        let mut octets = alloc::vec::Vec::with_capacity(20);
        octets.put_u32(self.id);
        octets.put_u64(self.size);
        octets.put_u64(self.completed);
        octets.into()
    }
}
