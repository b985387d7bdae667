//! What a session is about: it looks for an element, is served by one, or is being closed.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use super::UserError;
use super::requests::Requests;
use crate::base::{AssociationId, CommandId, ConnectId, ElementId, PoolHandle, TransportAddress};

/// A session with a pool.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) handle: PoolHandle,
    pub(super) state: State,
    pub(super) requests: Requests,
    /// A message was refused, and the application waits for [`Notice::Writable`].
    pub(super) refused: bool,
}

/// What a session is about.
#[derive(Debug)]
pub(super) enum State {
    /// It looks for an element.
    Searching(Search),
    /// An element serves it.
    Serving(Serving),
    /// Its association is being closed.
    Closing { element: ElementId },
}

/// The element that serves a session.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) association: AssociationId,
    pub(super) element: ElementId,
    pub(super) congested: bool,
}

/// A search that is under way.
#[derive(Debug)]
pub(super) struct Search {
    /// What it is for.
    pub(super) purpose: Purpose,
    /// Who is being tried.
    pub(super) attempts: BTreeMap<ConnectId, (ElementId, TransportAddress)>,
    /// Who may be tried, the preferred one first.
    pub(super) candidates: VecDeque<ElementId>,
    /// Who was tried in this sweep.
    pub(super) tried: BTreeSet<ElementId>,
    /// The registrar is being asked.
    pub(super) resolving: bool,
    /// The registrar was asked in this sweep.
    pub(super) asked: bool,
    /// Why the last resolution failed.
    pub(super) error: Option<UserError>,
}

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To open the session, which this command asked for.
    Open(CommandId),
    /// To replace this element.
    Replace(ElementId),
}

impl Search {
    pub(super) const fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            attempts: BTreeMap::new(),
            candidates: VecDeque::new(),
            tried: BTreeSet::new(),
            resolving: false,
            asked: false,
            error: None,
        }
    }
}
