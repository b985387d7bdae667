//! What a registrar says of itself.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::base::RegistrarId;

/// A registrar, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistrarStatus {
    /// Its ENRP server identifier.
    pub id: RegistrarId,
    /// The version of this crate that it was built with.
    pub version: String,
    /// How far its life has come.
    pub state: RegistrarState,
    /// Why it is in this state, for people: one line.
    pub reason: String,
    /// The time since it was started.
    pub uptime: Duration,
}

/// How far the life of a registrar has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RegistrarState {
    /// It has yet to learn the handlespace, and answers neither elements nor users.
    Starting,
    /// It offers its services.
    Serving,
    /// It hands its elements over, or closes its associations.
    Leaving,
}

impl RegistrarState {
    /// All there are, in the order in which a registrar passes through them.
    pub const ALL: [Self; 3] = [Self::Starting, Self::Serving, Self::Leaving];
}

impl fmt::Display for RegistrarState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Leaving => "leaving",
        })
    }
}
