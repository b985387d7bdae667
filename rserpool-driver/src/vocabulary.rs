//! What a program says to the handles and hears from them. Every adapter exports all of it, so that
//! a program finds the same names whatever its runtime.

pub use super::{
    AnnounceGroup, Builder, IdentifierTaken, Preset, SessionEvent, StartError, Stopped, TcpListening,
};
pub use rserpool_core;
pub use rserpool_core::base::{
    AssociationId, Carrier, ElementId, PoolHandle, ProtocolId, RegistrarId, TransportAddress,
};
pub use rserpool_core::element::ElementConfig;
pub use rserpool_core::element::{DeregistrationError, Notice as ElementEvent, Refusal, RegistrationError};
pub use rserpool_core::inspector::InspectorConfig;
pub use rserpool_core::inspector::{InspectError, Snapshot, differences};
pub use rserpool_core::registrar::RegistrarConfig;
pub use rserpool_core::registrar::{Figures, PeerState, PeerStatus};
pub use rserpool_core::user::UserConfig;
pub use rserpool_core::user::{Delivery, FailureReason, RequestId, Resolution, UserError};
pub use rserpool_core::wire::Policy;
pub use rserpool_core::wire::{OperationError, PoolEntry};
pub use rserpool_transport;
