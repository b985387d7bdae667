//! What a program says to the handles and hears from them. Every adapter exports all of it, so that
//! a program finds the same names whatever its runtime.

pub use super::{
    AnnounceGroup, Builder, IdentifierTaken, Preset, Resolution, SessionEvent, StartError, Stopped,
    TcpListening,
};
pub use crate::base::{AssociationId, ElementId, PoolHandle, ProtocolId, RegistrarId};
pub use crate::element::{Notice as ElementEvent, Refusal, RegistrationError};
pub use crate::inspector::{InspectError, Snapshot, differences};
pub use crate::registrar::{PeerState, PeerStatus};
pub use crate::user::{Delivery, FailureReason, RequestId, UserError};
pub use crate::wire::Policy;
