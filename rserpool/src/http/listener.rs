//! The listener: whoever connects gets one answer, within a deadline.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::answers::answer;
use super::report::Observed;
use crate::exit::Failure;
use crate::output;
use crate::settings::HttpListen;

/// Connections at a time; each costs some 20 KiB and its answer. Two Prometheus servers and the probes of a container
/// need a handful.
const MOST_CONNECTIONS: usize = 64;
/// How long a connection may take in all: to send its request, and to read the answer. Prometheus gives up after 10 s
/// by default.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest request head, in octets.
const MOST_HEAD: usize = 16 * 1024;
/// The pause after a connection could not be accepted, because files or memory have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound socket that waits for those who ask.
pub(crate) struct Listener {
    socket: TcpListener,
    at: SocketAddr,
}

impl Listener {
    /// Binds, if an address is given.
    pub(crate) async fn bind(at: Option<HttpListen>) -> Result<Option<Self>, Failure> {
        let Some(HttpListen(at)) = at else { return Ok(None) };
        let bound = async {
            let socket = TcpListener::bind(at).await?;
            Ok(Self { at: socket.local_addr()?, socket })
        };
        bound.await.map(Some).map_err(|error: std::io::Error| Failure::failed(format!("http: {at}: {error}")))
    }

    /// Says where it is, and serves from now on, until the runtime ends.
    pub(crate) fn start(self, observed: Observed, json: bool) {
        let at = self.at;
        match json {
            true => output::event(json!({ "event": "observable", "http": at.to_string() })),
            false => output::event(format_args!("metrics and health are at http://{at}/")),
        }
        drop(tokio::spawn(self.serve(observed)));
    }

    async fn serve(self, observed: Observed) {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let stream = match self.socket.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "HTTP connection not accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            // Who comes when all places are taken is hung up on at once. He learns more than from silence, and those who hold
            // the places lose them within the deadline.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let observed = observed.clone();
            tokio::spawn(async move {
                let _ = timeout(PATIENCE, converse(stream, &observed)).await;
                drop(place);
            });
        }
    }
}

/// One request and its answer.
async fn converse(stream: TcpStream, observed: &Observed) {
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&request, observed).await));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .half_close(true)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "HTTP connection failed");
    }
}
