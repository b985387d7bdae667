//! How an event loop has ended, for those who hold its handles.

use std::any::Any;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use async_channel::{Receiver, Sender, bounded};

use crate::error::{Panicked, Stopped};

/// Held by the event loop: dropped with it, so that the others learn of the end.
pub(super) struct Fate {
    panicked: Arc<OnceLock<Panicked>>,
    _alive: Sender<Infallible>,
}

/// Held by the handles.
#[derive(Clone)]
pub(super) struct Outlook {
    panicked: Arc<OnceLock<Panicked>>,
    end: Receiver<Infallible>,
}

/// The two ends of what is known of an event loop.
pub(super) fn fate() -> (Fate, Outlook) {
    let panicked = Arc::new(OnceLock::new());
    let (alive, end) = bounded(1);
    (Fate { panicked: Arc::clone(&panicked), _alive: alive }, Outlook { panicked, end })
}

impl Fate {
    /// The event loop has panicked, with this payload.
    pub(super) fn panicked(&self, payload: &(dyn Any + Send)) {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let message = text.unwrap_or_else(|| "without a message".into());
        tracing::error!(%message, "the endpoint has panicked");
        let _ = self.panicked.set(Panicked { message });
    }
}

impl Outlook {
    /// Why the event loop does not answer any more.
    pub(super) fn reason(&self) -> Stopped {
        self.panicked.get().cloned().map_or(Stopped::ShutDown, Stopped::Panicked)
    }

    /// Waits until the event loop has ended.
    pub(super) async fn end(&self) -> Result<(), Panicked> {
        // Nothing is ever sent: the channel closes when the loop ends.
        let _ = self.end.recv().await;
        self.panicked.get().cloned().map_or(Ok(()), Err)
    }
}
