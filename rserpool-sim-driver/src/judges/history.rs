//! What is remembered of a world's past so that it can be judged.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, RegistrarId};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::wire::{EnrpBody, EnrpMessage};

use crate::applications::Violation;
use crate::id::HostId;

/// What is remembered for the invariants.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) violation: Option<Violation>,
    /// Some user was told to report or to give up elements that may be well.
    pub(crate) reports: bool,
    /// Which registrars have died and been taken over.
    pub(crate) takeovers: Takeovers,
    /// The handle tables that are being sent.
    pub(crate) tables: BTreeMap<(HostId, AssociationId), Table>,
    /// When elements last sent a registration.
    pub(crate) registrations: BTreeMap<HostId, Instant>,
    /// Elements that got another address and have not been registered with it: where they are listed,
    /// it is with the one that they had. Registrars that got another one than others are configured with.
    pub(crate) moved: BTreeSet<HostId>,
    /// Those that ever got another address.
    pub(crate) movers: BTreeSet<HostId>,
}

/// A handle table that is being sent.
#[derive(Debug)]
pub(crate) struct Table {
    /// The sender's own elements, as they were at the first page, without those listed since.
    pub(crate) missing: BTreeSet<PeHandle>,
    /// When the last page was sent.
    pub(crate) paged: Instant,
}

/// What is remembered of registrars.
#[derive(Debug, Default)]
pub(crate) struct Takeovers {
    /// When the registrars ended that do not run any more.
    pub(crate) ended: BTreeMap<RegistrarId, Instant>,
    /// Who has taken over whom, and when.
    pub(crate) won: Vec<(RegistrarId, HostId, Instant)>,
    /// Who has given whom up, and what it has heard since.
    pub(crate) lost: BTreeMap<(HostId, RegistrarId), Arbitration>,
    /// When who has met whom, or met again.
    pub(crate) met: BTreeMap<(HostId, RegistrarId), Instant>,
    /// When elements got another home.
    pub(crate) moves: Vec<Instant>,
    /// Who has left an element to which registrar, and when.
    pub(crate) yields: Vec<(Instant, HostId, RegistrarId)>,
    /// Who has asked whom for its own elements, and when, although they could talk all the time.
    pub(crate) audits: Vec<(Instant, HostId, HostId)>,
}

/// What a registrar has heard since it gave a peer up.
#[derive(Debug)]
pub(crate) struct Arbitration {
    /// When that was.
    pub(crate) begun: Instant,
    /// The peer has given a sign of life.
    pub(crate) alive: bool,
    /// Who has agreed that it is taken over, or is itself taken over by somebody: nobody waits for those.
    pub(crate) acknowledged: BTreeSet<RegistrarId>,
}

/// Types of ENRP messages.
const PRESENCE: u8 = 1;
const INIT_TAKEOVER: u8 = 7;
const INIT_TAKEOVER_ACK: u8 = 8;
const TAKEOVER_SERVER: u8 = 9;

impl Takeovers {
    pub(crate) fn started(&mut self, registrar: RegistrarId) {
        self.ended.remove(&registrar);
    }

    pub(crate) fn ended(&mut self, now: Instant, registrar: RegistrarId) {
        self.ended.insert(registrar, now);
    }

    /// A registrar gives a peer up.
    pub(crate) fn lost(&mut self, now: Instant, host: HostId, peer: RegistrarId) {
        let arbitration = Arbitration { begun: now, alive: false, acknowledged: BTreeSet::new() };
        self.lost.insert((host, peer), arbitration);
    }

    /// A registrar is handed an ENRP message. Only ENRP_PRESENCE is a sign of life.
    pub(crate) fn heard(&mut self, host: HostId, bytes: &Bytes) {
        let sender =
            bytes.get(4..8).and_then(<[u8]>::first_chunk).map(|id| RegistrarId(u32::from_be_bytes(*id)));
        match (bytes.first(), sender) {
            (Some(&PRESENCE), Some(sender)) => {
                if let Some(lost) = self.lost.get_mut(&(host, sender)) {
                    lost.alive = true;
                }
            }
            (Some(&(INIT_TAKEOVER | INIT_TAKEOVER_ACK | TAKEOVER_SERVER)), Some(sender)) => {
                let Ok(decoded) = EnrpMessage::decode(bytes) else { return };
                match decoded.message.body {
                    EnrpBody::InitTakeoverAck { target } => {
                        if let Some(lost) = self.lost.get_mut(&(host, target)) {
                            lost.acknowledged.insert(sender);
                        }
                    }
                    EnrpBody::InitTakeover { target } | EnrpBody::TakeoverServer { target } => {
                        let own = self.lost.iter_mut().filter(|((who, _), _)| *who == host);
                        own.for_each(|(_, lost)| {
                            lost.acknowledged.insert(target);
                        });
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}
