//! Sessions in the idiom of streams: their octets, and sinks for their messages.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_lite::{AsyncRead, AsyncWrite, Stream, stream};
/// The trait of the futures crates, by which messages are sent.
pub use futures_sink::Sink;
use rserpool_core::base::ProtocolId;
use rserpool_core::element::Notice;
use rserpool_core::endpoint::DownReason;

use crate::accept::{ElementSession, ReceivedMessage};
use crate::runtime::Runtime;
use crate::session::{Session, SessionEvent};

/// How many octets one message of [`Octets`] carries at most.
const OCTETS_PER_MESSAGE: usize = 16 << 10;

type BoxResult<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// A session, as [`Octets`] and [`MessageSink`] use it.
trait Messages: Send + Sync {
    /// The next message; `None` when there will be none any more.
    fn receive(self: Arc<Self>) -> BoxResult<Option<Bytes>>;
    fn send(self: Arc<Self>, bytes: Bytes) -> BoxResult<()>;
    fn close(self: Arc<Self>) -> BoxResult<()>;
}

/// The octets of a session, for protocols that know no messages: what one end writes, the other reads, in pieces of any
/// size. It ends where the session with this element ends: when the element fails, both halves fail with
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset), since the next element knows nothing of what was said. Then
/// begin anew in the same session, which has moved or is moving.
///
/// While it is there, nothing else may take events of the session. Closing it closes the session.
///
/// Reads and writes that are given up lose no octet.
///
/// ```
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use rserpool_driver::{Runtime, Session};
/// use rserpool_driver::vocabulary::ProtocolId;
///
/// async fn ask<R: Runtime>(session: &Session<R>) -> std::io::Result<Vec<u8>> {
///     let mut octets = session.octets(ProtocolId(0));
///     octets.write_all(b"GET /\r\n").await?;
///     octets.flush().await?;
///     let mut answer = Vec::new();
///     octets.read_to_end(&mut answer).await?;
///     Ok(answer)
/// }
/// ```
pub struct Octets {
    messages: Arc<dyn Messages>,
    reading: Option<BoxResult<Option<Bytes>>>,
    arrived: Bytes,
    ended: bool,
    writer: Writer,
}

/// Sends the messages of a session, as a [`Sink`]. It takes the next message when the one before is on its way.
pub struct MessageSink {
    writer: Writer,
}

impl Octets {
    fn new(messages: impl Messages + 'static) -> Self {
        let messages: Arc<dyn Messages> = Arc::new(messages);
        let writer = Writer::new(Arc::clone(&messages));
        Self { messages, reading: None, arrived: Bytes::new(), ended: false, writer }
    }
}

impl MessageSink {
    fn new(messages: impl Messages + 'static) -> Self {
        Self { writer: Writer::new(Arc::new(messages)) }
    }
}

impl std::fmt::Debug for Octets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Octets").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for MessageSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageSink").finish_non_exhaustive()
    }
}

/// What both ways to write have in common: one message at a time.
struct Writer {
    messages: Arc<dyn Messages>,
    writing: Option<BoxResult<()>>,
    closing: bool,
}

impl Writer {
    fn new(messages: Arc<dyn Messages>) -> Self {
        Self { messages, writing: None, closing: false }
    }

    fn begin(&mut self, message: Bytes) {
        self.writing = Some(Arc::clone(&self.messages).send(message));
    }

    /// Goes on with a write that has begun.
    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(write) = &mut self.writing else { return Poll::Ready(Ok(())) };
        let written = ready!(write.as_mut().poll(context));
        self.writing = None;
        Poll::Ready(written)
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_written(context))?;
        if !std::mem::replace(&mut self.closing, true) {
            self.writing = Some(Arc::clone(&self.messages).close());
        }
        self.poll_written(context)
    }
}

impl AsyncRead for Octets {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        while this.arrived.is_empty() {
            if this.ended {
                return Poll::Ready(Ok(0));
            }
            let read = this.reading.get_or_insert_with(|| Arc::clone(&this.messages).receive());
            let message = ready!(read.as_mut().poll(context));
            this.reading = None;
            match message {
                Ok(Some(message)) => this.arrived = message,
                Ok(None) => this.ended = true,
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Err(error));
                }
            }
        }
        let octets = this.arrived.len().min(into.len());
        if let Some(into) = into.get_mut(..octets) {
            this.arrived.copy_to_slice(into);
        }
        Poll::Ready(Ok(octets))
    }
}

impl AsyncWrite for Octets {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.writer.poll_written(context))?;
        let piece = from.get(..OCTETS_PER_MESSAGE).unwrap_or(from);
        if !piece.is_empty() {
            self.writer.begin(Bytes::copy_from_slice(piece));
            // It begins at once. If it fails, the next write or flush says so.
            if let Poll::Ready(Err(error)) = self.writer.poll_written(context) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_written(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_close(context)
    }
}

impl Sink<Bytes> for MessageSink {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_written(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Bytes) -> io::Result<()> {
        self.writer.begin(message);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_written(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_close(context)
    }
}

/// A session of a user, with the element that it has now.
struct OfUser<R> {
    session: Session<R>,
    protocol: ProtocolId,
    /// How often it had left an element.
    left: u64,
}

impl<R: Runtime> Messages for OfUser<R> {
    fn receive(self: Arc<Self>) -> BoxResult<Option<Bytes>> {
        Box::pin(async move {
            loop {
                match self.session.next_event().await {
                    Some(SessionEvent::Received { protocol, bytes, .. }) if protocol == self.protocol => {
                        return Ok(Some(bytes));
                    }
                    Some(SessionEvent::ElementFailed { element, reason }) => {
                        return Err(reset(format!("the element {element} was left: {reason}")));
                    }
                    Some(SessionEvent::Closed { error: Some(error) }) => return Err(io::Error::other(error)),
                    Some(SessionEvent::Closed { error: None }) | None => return Ok(None),
                    Some(_) => {}
                }
            }
        })
    }

    fn send(self: Arc<Self>, bytes: Bytes) -> BoxResult<()> {
        Box::pin(async move {
            let sent = self.session.send_to_present(self.protocol, bytes, self.left).await;
            let present = self.session.shared().pairs.left() == self.left;
            sent.map_err(|refusal| match present {
                true => reset(refusal.to_string()),
                false => reset("the session has left the element".to_owned()),
            })
        })
    }

    fn close(self: Arc<Self>) -> BoxResult<()> {
        Box::pin(async move { self.session.close().await.map_err(io::Error::other) })
    }
}

struct OfElement<R: Runtime> {
    session: ElementSession<R>,
    protocol: ProtocolId,
}

impl<R: Runtime> Messages for OfElement<R> {
    fn receive(self: Arc<Self>) -> BoxResult<Option<Bytes>> {
        Box::pin(async move {
            loop {
                match self.session.next_event().await {
                    Some(Notice::Received { protocol, bytes, .. }) if protocol == self.protocol => {
                        return Ok(Some(bytes));
                    }
                    Some(Notice::SessionClosed { reason: DownReason::PeerShutdown, .. }) | None => {
                        return Ok(None);
                    }
                    Some(Notice::SessionClosed { reason, .. }) => return Err(reset(reason.to_string())),
                    Some(_) => {}
                }
            }
        })
    }

    fn send(self: Arc<Self>, bytes: Bytes) -> BoxResult<()> {
        Box::pin(async move {
            let sent = self.session.send(self.protocol, bytes).await;
            sent.map_err(|refusal| reset(refusal.to_string()))
        })
    }

    fn close(self: Arc<Self>) -> BoxResult<()> {
        Box::pin(async move { self.session.close().await.map_err(io::Error::other) })
    }
}

fn reset(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, text)
}

impl<R: Runtime> Session<R> {
    /// The octets of the session with its present element, as messages with this identifier; others are dropped.
    pub fn octets(&self, protocol: ProtocolId) -> Octets {
        Octets::new(OfUser { session: self.clone(), protocol, left: self.shared().pairs.left() })
    }

    /// The messages that are sent to the present element, with this identifier, as a sink.
    pub fn sink(&self, protocol: ProtocolId) -> MessageSink {
        MessageSink::new(OfUser { session: self.clone(), protocol, left: self.shared().pairs.left() })
    }

    /// The events of the session as a stream, which ends after [`SessionEvent::Closed`].
    pub fn events(&self) -> impl Stream<Item = SessionEvent> + Send + use<R> {
        stream::unfold(self.clone(), |session| async { Some((session.next_event().await?, session)) })
    }
}

impl<R: Runtime> ElementSession<R> {
    /// The octets of the session, as messages with this identifier; others are dropped.
    pub fn octets(&self, protocol: ProtocolId) -> Octets {
        Octets::new(OfElement { session: self.clone(), protocol })
    }

    /// The messages that are sent to the user, with this identifier, as a sink.
    pub fn sink(&self, protocol: ProtocolId) -> MessageSink {
        MessageSink::new(OfElement { session: self.clone(), protocol })
    }

    /// The messages of the user as a stream, which ends with the session.
    pub fn messages(&self) -> impl Stream<Item = ReceivedMessage> + Send + use<R> {
        stream::unfold(self.clone(), |session| async { Some((session.recv().await?, session)) })
    }
}
