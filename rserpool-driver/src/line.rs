//! A line of callers that wait for their turn: first come, first served.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Callers in the order in which they have come. There are as many as the application has futures that wait.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Callers>);

#[derive(Debug, Default)]
struct Callers {
    last: u64,
    /// By their number, each with its waker once it waits.
    waiting: BTreeMap<u64, Option<Waker>>,
}

/// The turn of a caller. When it is dropped, the next one has its own; dropped while waiting, the caller has left
/// the line.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    line: &'a Line,
    number: u64,
}

impl Line {
    /// Whether nobody waits, and nobody has the turn.
    pub(super) fn is_empty(&self) -> bool {
        self.callers().waiting.is_empty()
    }

    /// Waits behind all that have come before.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let turn = self.join();
        poll_fn(|context| {
            let mut callers = self.callers();
            if callers.waiting.first_key_value().is_none_or(|(first, _)| *first == turn.number) {
                return Poll::Ready(());
            }
            callers.waiting.insert(turn.number, Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        turn
    }

    fn join(&self) -> Turn<'_> {
        let mut callers = self.callers();
        callers.last += 1;
        let number = callers.last;
        callers.waiting.insert(number, None);
        Turn { line: self, number }
    }

    fn callers(&self) -> MutexGuard<'_, Callers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let next = {
            let mut callers = self.line.callers();
            callers.waiting.remove(&self.number);
            callers.waiting.first_entry().and_then(|mut next| next.get_mut().take())
        };
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    #[test]
    fn turns_go_in_order_and_those_who_leave_are_passed_over() {
        block_on(async {
            let line = Line::default();
            let first = line.turn().await;
            let (mut second, mut third) = (Box::pin(line.turn()), Box::pin(line.turn()));
            assert!(poll_once(&mut second).await.is_none());
            assert!(poll_once(&mut third).await.is_none());
            drop(first);
            assert!(poll_once(&mut third).await.is_none(), "the second is before it");
            drop(second);
            let turn = third.await;
            assert!(!line.is_empty());
            drop(turn);
            assert!(line.is_empty());
        });
    }
}
