//! What a program says to the handles and hears from them: every type that a function of a handle or of a
//! builder takes or returns. Every adapter exports all of it, so that a program finds the same names whatever
//! its runtime, and needs no other dependency.

pub use crate::accept::ReceivedMessage;
pub use crate::announce::{AnnounceGroup, Announcing};
pub use crate::builder::{Builder, Configuration, Preset};
pub use crate::call::CallOptions;
pub use crate::error::{Ended, IdentifierTaken, Panicked, StartError, Stopped};
pub use crate::io::Io;
pub use crate::memory::{CallCounters, Remembering};
pub use crate::octets::{MessageSink, Octets};
pub use crate::pairing::{Correlator, Pairing};
pub use crate::patience::Patience;
pub use crate::runtime::{ByteStream, Listener, Received, Runtime, Socket};
pub use crate::seal::{CookieKey, CookieKeys, KeyTooShort};
pub use crate::serve::Incoming;
pub use crate::session::SessionEvent;
pub use crate::tcp::TcpListening;
#[cfg(feature = "tower")]
pub use crate::tower::CallService;
pub use crate::user::UserStatus;
pub use crate::watch::{PoolState, Watch};
pub use bytes::Bytes;
pub use rserpool_core;
pub use rserpool_core::base::{
    AssociationId, Carrier, ElementId, PoolHandle, ProtocolId, RegistrarId, SctpAddress, SctpPort,
    TcpAddress, TransportAddress, UdpPort,
};
pub use rserpool_core::element::{
    CookieError, CookieSeal, Counters as ElementCounters, DeregistrationError, ElementConfig,
    Notice as ElementEvent, Refusal, RegistrationError, Status as ElementStatus, UpdateError,
};
pub use rserpool_core::endpoint::hunt::HuntConfig;
pub use rserpool_core::endpoint::{ConfigError, DownReason, PeerState, PeerStatus, ReportError};
pub use rserpool_core::handlespace::Limits;
pub use rserpool_core::inspector::{InspectError, InspectorConfig, Snapshot, differences};
pub use rserpool_core::policy::Policies;
pub use rserpool_core::registrar::{EnrpConfig, Figures, RegistrarConfig, RegistrarState, RegistrarStatus};
pub use rserpool_core::user::{
    Awaited, CallDelivery, CallError, Card, CardUse, Counters as UserCounters, Delivery, FailureReason,
    Notice as UserEvent, RequestId, RequestLimits, Resolution, SessionStatus, UnansweredReason, UserConfig,
    UserError,
};
pub use rserpool_core::wire::{
    OperationError, Policy, PoolElement as ListedElement, PoolEntry, ServerInformation,
};
pub use rserpool_transport;
pub use rserpool_transport::Stack;
pub use rserpool_transport::sctp::SctpConfig;
pub use rserpool_transport::tcp::TcpConfig;
