//! Waiting for a future on a thread that may block.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Blocks the calling thread until a future is done. Every future has it.
pub trait Wait: Future + Sized {
    /// Waits for the result, however long that takes.
    fn wait(self) -> Self::Output {
        block_on(self)
    }

    /// Waits for the result for this long. `None` when the time is over; the future is dropped then, which
    /// loses no event (see the page "Cancel safety" of `rserpool-driver`).
    fn wait_for(self, limit: Duration) -> Option<Self::Output> {
        // A limit beyond what the clock can tell is no limit.
        run(self, Instant::now().checked_add(limit))
    }
}

impl<F: Future> Wait for F {}

/// Runs a future on this thread, which sleeps while the future waits.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    run(future, None).unwrap_or_else(|| unreachable!("without a deadline the future ends"))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future until it is done, or until the deadline.
fn run<T>(future: impl Future<Output = T>, deadline: Option<Instant>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => thread::park(),
            Some(Duration::ZERO) => return None,
            Some(left) => thread::park_timeout(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[test]
    fn a_wait_ends_with_the_result_or_the_time() {
        assert_eq!(ready(7).wait(), 7);
        assert_eq!(ready(7).wait_for(Duration::ZERO), Some(7));
        assert_eq!(pending::<u8>().wait_for(Duration::from_millis(1)), None);
        assert_eq!(ready(7).wait_for(Duration::MAX), Some(7));
    }
}
