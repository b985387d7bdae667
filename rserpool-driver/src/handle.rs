//! What all handles have in common: the way into an event loop.

use std::net::SocketAddr;
use std::time::Duration;

use async_channel::{Receiver, Sender, WeakSender, bounded};

use crate::delivery::{Opens, Waiting};
use crate::error::Stopped;
use crate::event_loop::Request;
use crate::fate::Outlook;
use crate::role::{Remark, Role};
use crate::room::Room;

/// Takes the content out of one variant of `Answer`: that of the command which is asked.
macro_rules! variant {
    ($answer:path) => {
        |answer| match answer {
            $answer(content) => Some(content),
            _ => None,
        }
    };
}

pub(super) use variant;

/// The content of an answer.
pub(super) fn take<A, T>(answer: A, variant: fn(A) -> Option<T>) -> Result<T, Stopped> {
    let content = variant(answer);
    // Another answer would be a bug of the endpoint, which cannot be relied on then.
    debug_assert!(content.is_some(), "a command gets the answer that its documentation names");
    content.ok_or(Stopped::ShutDown)
}

/// Where an endpoint is bound.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "seals `Configuration`")]
pub struct Local {
    /// The UDP port of SCTP encapsulation.
    pub(super) udp: SocketAddr,
    /// The TCP port of ASAP, if there is one.
    pub(super) tcp: Option<SocketAddr>,
}

/// Sends commands to one event loop. When the last one is dropped, the endpoint leaves.
pub(super) struct Handle<E: Role> {
    pub(super) requests: Sender<Request<E>>,
    /// At most one entry per session for its end and for its room, and one per call for a request; the loop takes
    /// all of them in each round. So it needs no bound.
    pub(super) remarks: Sender<Remark>,
    pub(super) outlook: Outlook,
    pub(super) local: Local,
    /// Where callers wait for room.
    pub(super) room: Room,
}

impl<E: Role> Clone for Handle<E> {
    fn clone(&self) -> Self {
        Self {
            requests: self.requests.clone(),
            remarks: self.remarks.clone(),
            outlook: self.outlook.clone(),
            local: self.local,
            room: self.room.clone(),
        }
    }
}

/// A handle that does not keep its endpoint running.
pub(super) struct WeakHandle<E: Role> {
    requests: WeakSender<Request<E>>,
    /// Of everything else it does no harm to keep it.
    rest: (Sender<Remark>, Outlook, Local, Room),
}

impl<E: Role> WeakHandle<E> {
    /// A handle, unless the last one was dropped or the endpoint has ended.
    pub(super) fn upgrade(&self) -> Option<Handle<E>> {
        let requests = self.requests.upgrade().filter(|requests| !requests.is_closed())?;
        let (remarks, outlook, local, room) = &self.rest;
        let (remarks, outlook, room) = (remarks.clone(), outlook.clone(), room.clone());
        Some(Handle { requests, remarks, outlook, local: *local, room })
    }
}

impl<E: Role> Handle<E> {
    pub(super) fn downgrade(&self) -> WeakHandle<E> {
        let Self { requests, remarks, outlook, local, room } = self.clone();
        WeakHandle { requests: requests.downgrade(), rest: (remarks, outlook, local, room) }
    }

    /// Hands a command over and waits for its answer. `variant` takes the content out of it; see [`variant!`].
    pub(super) async fn ask<T>(
        &self,
        command: E::Command,
        variant: fn(E::Answer) -> Option<T>,
    ) -> Result<T, Stopped> {
        let answer =
            self.submit(command, Opens::Nothing).await?.recv().await.map_err(|_| self.outlook.reason())?;
        take(answer, variant)
    }

    /// Hands a command over; its answer comes over the channel returned.
    pub(super) async fn submit(
        &self,
        command: E::Command,
        opens: Opens<E>,
    ) -> Result<Receiver<E::Answer>, Stopped> {
        let (reply, answer) = bounded(1);
        let request = Request::Command { command, waiting: Waiting { reply, opens } };
        self.requests.send(request).await.map_err(|_| self.outlook.reason())?;
        Ok(answer)
    }

    /// Looks at the endpoint, in the turn of the commands.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&E) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (sender, seen) = bounded(1);
        let look = move |endpoint: &E| {
            // It can only be closed.
            let _ = sender.try_send(look(endpoint));
        };
        self.requests.send(Request::Look(Box::new(look))).await.map_err(|_| self.outlook.reason())?;
        seen.recv().await.map_err(|_| self.outlook.reason())
    }

    /// Leaves within this time and waits until it is done.
    pub(super) async fn shutdown(&self, within: Duration) {
        let (done, ended) = bounded(1);
        if self.requests.send(Request::Shutdown { within, done }).await.is_ok() {
            // The loop never sends: the channel closes when the loop ends.
            let _ = ended.recv().await;
        }
    }
}
