//! A check by the health protocol of gRPC: one call of `grpc.health.v1.Health/Check` over HTTP/2 without TLS.
//!
//! Its two messages have one field each, so they are written and read here instead of by a generator of code.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, HeaderMap, TE, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::CheckError;
use super::http::misunderstood;

/// The longest answer that is read; one has 7 octets.
const MAX_ANSWER: usize = 1024;
/// `SERVING` of `HealthCheckResponse.ServingStatus`.
const SERVING: u8 = 1;

pub(super) async fn ask(service: &str, server: SocketAddr) -> Result<(), CheckError> {
    let stream = TokioIo::new(TcpStream::connect(server).await?);
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), stream).await.map_err(misunderstood)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{server}/grpc.health.v1.Health/Check"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, "rserpool")
        .body(Full::new(request(service)))
        .map_err(|error| CheckError::Misunderstood(error.to_string()))?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(misunderstood)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(CheckError::Unhealthy(status.to_string()));
        }
        // A call that fails at once has its status in the header.
        refused(answer.headers())?;
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| CheckError::Misunderstood(error.to_string()))?;
        body.trailers().map_or(Ok(()), refused)?;
        serving(&body.to_bytes())
    };
    tokio::pin!(answer, connection);
    tokio::select! {
        answer = &mut answer => answer,
        // Its end wakes the call, which says why.
        _ = &mut connection => answer.await,
    }
}

/// A message that is not compressed, with its length in front.
fn request(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        // Field 1, a text.
        message.put_u8(0x0a);
        put_varint(&mut message, service.len());
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or_default());
    framed.put(message);
    framed.freeze()
}

fn put_varint(buffer: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        buffer.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value as u8);
}

/// Whether the call has failed.
fn refused(fields: &HeaderMap) -> Result<(), CheckError> {
    let text = |name: &str| fields.get(name).and_then(|value| value.to_str().ok());
    match text("grpc-status") {
        None | Some("0") => Ok(()),
        Some(code) => {
            let message = text("grpc-message").unwrap_or_default();
            Err(CheckError::Unhealthy(format!("status {code} of gRPC {message}").trim_end().into()))
        }
    }
}

/// Whether an answer says that the service is served: field 1, a number, which is left out if it is 0.
fn serving(body: &[u8]) -> Result<(), CheckError> {
    let status = match body {
        [0, 0, 0, 0, 2, 0x08, status] => *status,
        [0, 0, 0, 0, 0] => 0,
        _ => return Err(CheckError::Misunderstood("no answer of a health check".into())),
    };
    match status {
        SERVING => Ok(()),
        0 => Err(CheckError::Unhealthy("UNKNOWN".into())),
        2 => Err(CheckError::Unhealthy("NOT_SERVING".into())),
        3 => Err(CheckError::Unhealthy("SERVICE_UNKNOWN".into())),
        other => Err(CheckError::Unhealthy(format!("health status {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use hyper::body::Incoming;
    use hyper::server::conn::http2;
    use hyper::service::service_fn;
    use hyper::{Response, StatusCode};
    use tokio::net::TcpListener;

    use super::super::{Check, ask};
    use super::*;

    /// Asks a server that answers like this, if it is asked as it should be.
    async fn asked(status: Option<&'static str>, body: &'static [u8]) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = move |request: Request<Incoming>| async move {
                let path = request.uri().path().to_string();
                let asked = request.into_body().collect().await.unwrap().to_bytes();
                let mut answer = Response::builder().header(CONTENT_TYPE, "application/grpc");
                if let Some(status) = status {
                    answer = answer.header("grpc-status", status).header("grpc-message", "no such method");
                }
                if path != "/grpc.health.v1.Health/Check" || &asked[..] != b"\0\0\0\0\x05\x0a\x03a.B" {
                    answer = answer.status(StatusCode::BAD_REQUEST);
                }
                Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(body))).unwrap())
            };
            let _ = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        });
        let check: Check = "grpc:a.B".parse().unwrap();
        let report = ask(&check, at, None, Duration::from_secs(60)).await;
        report.map(drop).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_server_that_serves_is_healthy() {
        assert_eq!(asked(None, b"\0\0\0\0\x02\x08\x01").await, Ok(()));
        let wrong = |text: &str| Err(text.to_string());
        assert_eq!(asked(None, b"\0\0\0\0\x02\x08\x02").await, wrong("it answers NOT_SERVING"));
        assert_eq!(asked(None, b"\0\0\0\0\0").await, wrong("it answers UNKNOWN"));
        let unknown = asked(Some("12"), b"").await;
        assert_eq!(unknown, wrong("it answers status 12 of gRPC no such method"));
        assert!(asked(None, b"<html>").await.unwrap_err().contains("not understood"));
    }

    #[test]
    fn a_long_name_has_a_long_length() {
        let framed = request(&"x".repeat(300));
        assert_eq!((&framed[..8], framed.len()), (&b"\0\0\0\x01\x2f\x0a\xac\x02"[..], 308));
    }
}
