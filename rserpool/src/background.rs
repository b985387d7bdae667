//! Lines that leave the program in the background: a reader that stalls, a full disk or a closed pipe neither
//! holds a daemon up nor ends it. What is lost is counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait for a slow reader; further ones are lost. At some 250 octets a line this is a megabyte.
const QUEUE: usize = 4_096;
/// How often [`Background::flush`] looks whether the queue is empty.
const LOOK: Duration = Duration::from_millis(2);

/// A stream, written to by a thread of its own.
#[derive(Clone, Debug)]
pub(crate) struct Background {
    queue: NonBlocking,
    overflowed: ErrorCounter,
    tally: Arc<Tally>,
}

/// What has become of the lines.
#[derive(Debug, Default)]
struct Tally {
    given: AtomicUsize,
    written: AtomicUsize,
    failed: AtomicUsize,
}

/// The stream itself, as the thread sees it: an error is a lost line, and no more than that.
struct Tallied<W> {
    stream: W,
    tally: Arc<Tally>,
}

impl Background {
    /// Begins to write to this stream; `name` is that of the thread.
    pub(crate) fn new(stream: impl Write + Send + 'static, name: &str) -> Self {
        let tally = Arc::new(Tally::default());
        let stream = Tallied { stream, tally: Arc::clone(&tally) };
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE).thread_name(name);
        let (queue, guard) = builder.finish(stream);
        // When it is dropped it may print to the very stream whose reader has stalled; see `flush` instead.
        std::mem::forget(guard);
        Self { overflowed: queue.error_counter(), queue, tally }
    }

    /// Hands a line over, without its end.
    pub(crate) fn line(&self, text: impl std::fmt::Display) {
        // It cannot fail: what does not fit is counted.
        let _ = self.clone().write_all(format!("{text}\n").as_bytes());
    }

    /// Lines lost so far: their reader was too slow, or they could not be written.
    pub(crate) fn lost(&self) -> usize {
        self.overflowed.dropped_lines() + self.tally.failed.load(Ordering::Acquire)
    }

    /// Waits until everything is written, for as long as this.
    pub(crate) fn flush(&self, within: Duration) {
        let begin = Instant::now();
        while self.waiting() > 0 && begin.elapsed() < within {
            std::thread::sleep(LOOK);
        }
    }

    fn waiting(&self) -> usize {
        let done = self.tally.written.load(Ordering::Acquire) + self.lost();
        self.tally.given.load(Ordering::Acquire).saturating_sub(done)
    }
}

/// Each call is a line, as the log writes them.
impl Write for Background {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.tally.given.fetch_add(1, Ordering::AcqRel);
        self.queue.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Background {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl<W: Write> Write for Tallied<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let outcome = self.stream.write_all(line).and_then(|()| self.stream.flush());
        let count = if outcome.is_ok() { &self.tally.written } else { &self.tally.failed };
        count.fetch_add(1, Ordering::AcqRel);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A reader that takes nothing while the test holds the lock.
    #[derive(Clone, Default)]
    struct Stalled(Arc<Mutex<Vec<u8>>>);

    impl Write for Stalled {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_holds_nobody_up_and_its_losses_are_counted() {
        let reader = Stalled::default();
        let lines = Background::new(reader.clone(), "test");
        let held = reader.0.lock().unwrap();
        for number in 0..2 * QUEUE {
            lines.line(number);
        }
        lines.flush(Duration::ZERO);
        // One line more may be in the hands of the thread.
        assert!((QUEUE - 1..=QUEUE).contains(&lines.lost()), "{}", lines.lost());
        drop(held);
        lines.flush(Duration::from_secs(30));
        let written = String::from_utf8(reader.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count() + lines.lost(), 2 * QUEUE);
    }

    #[test]
    fn a_stream_that_fails_is_a_loss_and_no_more() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let lines = Background::new(Full, "test");
        lines.line("one");
        lines.line("two");
        lines.flush(Duration::from_secs(30));
        assert_eq!(lines.lost(), 2);
    }
}
