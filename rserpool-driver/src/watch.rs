//! The changes of a pool, as the application watches them.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_channel::Receiver;
use futures_lite::{Stream, StreamExt};
use rserpool_core::base::PoolHandle;
use rserpool_core::user::{Answer, Command, Notice, Resolution, User, UserError};

use crate::delivery::Opens;
use crate::error::Stopped;
use crate::handle::{Handle, take, variant};
use crate::role::Remark;

/// How a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolState {
    /// It has these elements.
    Elements(Resolution),
    /// It does not exist, or no longer.
    Gone,
}

/// The states of one pool, the present one first; see [`PoolUser::watch`](super::PoolUser::watch).
///
/// Only the newest state is kept: an application that is slow misses states that are over. When the watch is dropped,
/// the registrar is told that nobody listens any more.
pub struct Watch {
    /// It keeps the user running. (In a box, because the handle itself must not be moved once it is polled.)
    handle: Box<Handle<User>>,
    pool: PoolHandle,
    states: Pin<Box<Receiver<Notice>>>,
    last: Option<PoolState>,
}

impl Watch {
    pub(super) async fn begin(handle: &Handle<User>, pool: PoolHandle) -> Result<Self, UserError> {
        let (sender, states) = async_channel::bounded(1);
        let watch = Self { handle: Box::new(handle.clone()), pool, states: Box::pin(states), last: None };
        let (command, opens) =
            (Command::Watch { handle: watch.pool.clone() }, Opens::Watch(watch.pool.clone(), sender));
        let answer = handle.submit(command, opens).await?;
        let answer = answer.recv().await.map_err(|_| handle.outlook.reason())?;
        take(answer, variant!(Answer::Watching)).map_err(|stopped: Stopped| UserError::from(stopped))??;
        Ok(watch)
    }

    /// The pool that is watched.
    pub const fn pool(&self) -> &PoolHandle {
        &self.pool
    }

    /// Waits for the next state of the pool; `None` once the user has ended.
    ///
    /// Cancel safe: no state is lost but for a newer one.
    pub async fn changed(&mut self) -> Option<PoolState> {
        self.next().await
    }
}

impl Stream for Watch {
    type Item = PoolState;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<PoolState>> {
        loop {
            let state = match std::task::ready!(self.states.as_mut().poll_next(context)) {
                Some(Notice::PoolChanged(resolution)) => PoolState::Elements(resolution),
                Some(_) => PoolState::Gone,
                None => return Poll::Ready(None),
            };
            // Somebody else who begins to watch the pool has it told again.
            if self.last.as_ref() != Some(&state) {
                self.last = Some(state.clone());
                return Poll::Ready(Some(state));
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.states.close();
        let _ = self.handle.remarks.try_send(Remark::Unwatched(self.pool.clone()));
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("pool", &self.pool).finish_non_exhaustive()
    }
}
