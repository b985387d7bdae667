//! What can be seen of a registrar's peers from outside.

use core::fmt;

use crate::base::{RegistrarId, TransportAddress};

/// Another registrar, as this one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStatus {
    /// Its ENRP server identifier.
    pub id: RegistrarId,
    /// Where it speaks ENRP, if that is known.
    pub address: Option<TransportAddress>,
    /// Whether an association with it is up.
    pub connected: bool,
    /// Whether it is taken to be alive.
    pub state: PeerState,
    /// How many elements of the handlespace it is the home of.
    pub elements: usize,
    /// The PE checksum over those elements, as computed here.
    pub checksum: u16,
    /// The PE checksum that it sent last, if it has sent one.
    pub announced_checksum: Option<u16>,
}

/// Whether a peer is taken to be alive (RFC 5353 sections 3.4 and 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PeerState {
    /// Heard within MAX-TIME-LAST-HEARD, or just learned of.
    Active,
    /// Asked for a sign of life.
    Suspect,
    /// Another registrar is taking it over.
    Inactive,
    /// This registrar is taking it over.
    TakingOver,
}

impl PeerState {
    /// All there are, to be found by their text.
    pub(crate) const ALL: [Self; 4] = [Self::Active, Self::Suspect, Self::Inactive, Self::TakingOver];
}

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Suspect => "suspect",
            Self::Inactive => "inactive",
            Self::TakingOver => "being taken over",
        })
    }
}
