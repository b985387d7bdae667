//! Octets by the traits of tokio.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rserpool_driver::{AsyncRead, AsyncWrite};
use tokio::io::ReadBuf;

/// What reads and writes by the traits of the futures crates does so by those of tokio:
///
/// ```
/// use rserpool_tokio::{Compat, ProtocolId, Session};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// async fn ask(session: &Session) -> std::io::Result<Vec<u8>> {
///     let mut octets = Compat::new(session.octets(ProtocolId(0)));
///     octets.write_all(b"GET /\r\n").await?;
///     octets.flush().await?;
///     let mut answer = Vec::new();
///     octets.read_to_end(&mut answer).await?;
///     Ok(answer)
/// }
/// ```
#[derive(Debug)]
pub struct Compat<T> {
    inner: T,
    /// tokio does not want it initialized, the futures crates do.
    buffer: Vec<u8>,
}

/// Octets that one read takes at most.
const PIECE: usize = 16 << 10;

impl<T> Compat<T> {
    /// Wraps it.
    pub const fn new(inner: T) -> Self {
        Self { inner, buffer: Vec::new() }
    }

    /// Unwraps it.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: AsyncRead + Unpin> tokio::io::AsyncRead for Compat<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { inner, buffer } = &mut *self;
        buffer.resize(into.remaining().min(PIECE), 0);
        let octets = ready!(Pin::new(inner).poll_read(context, buffer))?;
        into.put_slice(buffer.get(..octets).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> tokio::io::AsyncWrite for Compat<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}
