//! Callers that wait until a queue has room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender, bounded};

/// Where callers wait until some session of an element takes data again. Then all of them try once more.
#[derive(Clone, Debug, Default)]
pub(super) struct Room(Arc<Mutex<Vec<Sender<()>>>>);

impl Room {
    /// Something that is told of room that comes from now on.
    pub(super) fn listen(&self) -> Receiver<()> {
        let (sender, receiver) = bounded(1);
        let mut waiting = self.waiting();
        // Those who have stopped waiting.
        waiting.retain(|sender| !sender.is_closed());
        waiting.push(sender);
        receiver
    }

    /// There is room.
    pub(super) fn open(&self) {
        for sender in self.waiting().drain(..) {
            // It can only be closed.
            let _ = sender.try_send(());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
