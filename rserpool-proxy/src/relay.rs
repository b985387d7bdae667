//! Octets between a client and a server, until both have ended.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How much of one direction is kept at most. A reader that is slow makes its writer wait.
const BUFFER: usize = 16 * 1024;

/// How a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Both sides have ended it.
    Closed,
    /// One side has reset it; so was the other.
    Reset,
    /// Nothing has passed for too long; both sides were reset.
    Idle,
}

/// What has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// How it has ended.
    pub end: End,
    /// Octets from the client to the server.
    pub sent: u64,
    /// Octets from the server to the client.
    pub received: u64,
}

/// Passes octets in both directions. When one side has ended its direction, the other goes on. A side that resets its
/// connection has the other reset, too: what was cut must not look like what is complete.
pub async fn relay(client: TcpStream, server: TcpStream, idle: Duration) -> Passed {
    let begin = Instant::now();
    let last = Arc::new(AtomicU64::new(0));
    let mut client = Counted { stream: client, octets: 0, begin, last: Arc::clone(&last) };
    let mut server = Counted { stream: server, octets: 0, begin, last: Arc::clone(&last) };
    let end = {
        let copy = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER);
        tokio::pin!(copy);
        loop {
            let quiet_since = begin + Duration::from_millis(last.load(Ordering::Relaxed));
            tokio::select! {
                copied = &mut copy => break if copied.is_ok() { End::Closed } else { End::Reset },
                () = tokio::time::sleep_until(quiet_since + idle) => {
                    if last.load(Ordering::Relaxed) == (quiet_since - begin).as_millis() as u64 {
                        break End::Idle;
                    }
                }
            }
        }
    };
    if end != End::Closed {
        let _ = client.stream.set_zero_linger();
        let _ = server.stream.set_zero_linger();
    }
    Passed { end, sent: client.octets, received: server.octets }
}

/// A stream that counts what is read from it, and notes when.
struct Counted {
    stream: TcpStream,
    octets: u64,
    begin: Instant,
    /// Milliseconds from the beginning to the last octet in either direction.
    last: Arc<AtomicU64>,
}

impl Counted {
    fn note(&self) {
        self.last.store(self.begin.elapsed().as_millis() as u64, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let octets = buf.filled().len() - before;
        if octets > 0 {
            self.octets += octets as u64;
            self.note();
        }
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(_)) = written {
            // A reader that is slow but reads is not idle.
            self.note();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    /// Two ends of a connection.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (near, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn one_direction_may_end_before_the_other() {
        let ((mut client, near), (far, mut server)) = (pair().await, pair().await);
        let task = tokio::spawn(relay(near, far, LONG));
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "question");
        server.write_all(b"an answer after the end").await.unwrap();
        drop(server);
        text.clear();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "an answer after the end");
        assert_eq!(task.await.unwrap(), Passed { end: End::Closed, sent: 8, received: 23 });
    }

    /// An answer that was cut must not look complete.
    #[tokio::test]
    async fn a_server_that_resets_has_its_client_reset() {
        let ((mut client, near), (far, mut server)) = (pair().await, pair().await);
        let task = tokio::spawn(relay(near, far, LONG));
        server.write_all(b"half of").await.unwrap();
        let mut text = [0; 7];
        client.read_exact(&mut text).await.unwrap();
        server.set_zero_linger().unwrap();
        drop(server);
        assert_eq!(client.read(&mut text).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(task.await.unwrap(), Passed { end: End::Reset, sent: 0, received: 7 });
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_passes_ends() {
        let ((mut client, near), (far, _server)) = (pair().await, pair().await);
        let task = tokio::spawn(relay(near, far, Duration::from_millis(100)));
        let begin = Instant::now();
        client.write_all(b"hello").await.unwrap();
        let passed = task.await.unwrap();
        assert_eq!((passed.end, passed.sent), (End::Idle, 5));
        assert!(begin.elapsed() >= Duration::from_millis(90), "{:?}", begin.elapsed());
        assert!(client.read(&mut [0; 1]).await.is_err());
    }

    /// What nobody reads is not kept, but for the buffers of the system.
    #[tokio::test]
    async fn a_slow_reader_makes_its_writer_wait() {
        let ((mut client, near), (far, mut server)) = (pair().await, pair().await);
        tokio::spawn(relay(near, far, LONG));
        let piece = vec![0; 1 << 20];
        let mut written = 0;
        while tokio::time::timeout(Duration::from_millis(300), server.write_all(&piece)).await.is_ok() {
            written += piece.len();
            assert!(written < 256 << 20, "it takes all and keeps it");
        }
        let mut read = 0;
        let mut octets = vec![0; 1 << 16];
        while read < written {
            read += client.read(&mut octets).await.unwrap();
        }
    }
}
