//! Calls as a service of tower.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use rserpool_core::base::ProtocolId;
use rserpool_core::user::CallError;
use tower_service::Service;

use crate::call::CallOptions;
use crate::runtime::Runtime;
use crate::session::Session;

/// The calls of a session as a [`tower_service::Service`], to be wrapped in the layers of tower. It is always ready: a
/// call that finds no room waits for it. Clones make calls in the same session. Layers that repeat calls make them anew, so
/// leave it to the session to repeat them, or take [`CallDelivery::Report`](rserpool_core::user::CallDelivery::Report).
pub struct CallService<R> {
    session: Session<R>,
    protocol: ProtocolId,
    options: CallOptions,
}

impl<R: Runtime> Session<R> {
    /// The calls of the session as a service of tower, with this identifier and these options.
    pub fn service(&self, protocol: ProtocolId, options: CallOptions) -> CallService<R> {
        CallService { session: self.clone(), protocol, options }
    }
}

impl<R: Runtime> Service<Bytes> for CallService<R> {
    type Response = Bytes;
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Bytes) -> Self::Future {
        let Self { session, protocol, options } = self.clone();
        Box::pin(async move { session.call_with(protocol, request, options).await })
    }
}

impl<R> Clone for CallService<R> {
    fn clone(&self) -> Self {
        Self { session: self.session.clone(), ..*self }
    }
}

impl<R> std::fmt::Debug for CallService<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallService").field("session", &self.session).finish_non_exhaustive()
    }
}
