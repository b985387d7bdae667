//! A check by HTTP/1.1.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{CheckError, HttpCheck};

/// The longest header of an answer that is read.
const MAX_HEADER: usize = 16_384;

/// Asks for a path, and returns the field that was asked for if the answer is healthy. The body is not read.
pub(super) async fn ask(
    check: &HttpCheck,
    server: SocketAddr,
    field: Option<&str>,
) -> Result<Option<String>, CheckError> {
    let stream = TokioIo::new(TcpStream::connect(server).await?);
    let shake = http1::Builder::new().max_buf_size(MAX_HEADER).handshake::<_, Empty<Bytes>>(stream);
    let (mut sender, connection) = shake.await.map_err(misunderstood)?;
    let request = Request::builder()
        .method(Method::GET)
        .uri(&check.path)
        .header(HOST, server.to_string())
        .header(USER_AGENT, "rserpool")
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| CheckError::Misunderstood(error.to_string()))?;
    let answer = sender.send_request(request);
    tokio::pin!(answer, connection);
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // Its end wakes the request, which says why.
        _ = &mut connection => answer.await,
    };
    let answer = answer.map_err(misunderstood)?;
    let status = answer.status();
    if !check.healthy.contains(&status.as_u16()) {
        return Err(CheckError::Unhealthy(status.to_string()));
    }
    let field = field.and_then(|name| answer.headers().get(name));
    Ok(field.and_then(|value| value.to_str().ok()).map(str::to_string))
}

/// With what lies behind: the error of hyper alone says "connection error".
pub(super) fn misunderstood(error: hyper::Error) -> CheckError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    CheckError::Misunderstood(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::{Check, Report, ask};

    const LONG: Duration = Duration::from_secs(60);

    /// A server that answers one request like this, and the request that it got.
    async fn asked(answer: &'static str, check: &str, limit: Duration) -> (Result<Report, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = connection.read(&mut request).await.unwrap();
            connection.write_all(answer.as_bytes()).await.unwrap();
            if answer.is_empty() {
                // Silent until the other side goes away.
                let _ = connection.read(&mut request).await;
            }
            request.truncate(length);
            String::from_utf8(request).unwrap().replace(&at.to_string(), "SERVER")
        });
        let check: Check = check.parse().unwrap();
        let report = ask(&check, at, Some("x-load"), limit).await.map_err(|error| error.to_string());
        (report, server.await.unwrap())
    }

    #[tokio::test]
    async fn a_status_decides_and_a_field_tells_the_load() {
        let healthy = "HTTP/1.1 200 OK\r\nX-Load: 35%\r\nContent-Length: 1000000\r\n\r\npart";
        let (report, request) = asked(healthy, "http:/health?a=b", LONG).await;
        assert_eq!(report, Ok(Report { load: Some(0.35) }));
        let expected =
            "GET /health?a=b HTTP/1.1\r\nhost: SERVER\r\nuser-agent: rserpool\r\nconnection: close\r\n\r\n";
        assert_eq!(request, expected);
        let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(asked(busy, "http:/", LONG).await.0, Err("it answers 503 Service Unavailable".into()));
        assert_eq!(asked(busy, "http:/=503", LONG).await.0, Ok(Report { load: None }));
    }

    /// It accepts, and says nothing: a frozen server does so.
    #[tokio::test]
    async fn a_silent_server_fails_in_time() {
        let silent = asked("", "http:/", Duration::from_millis(100)).await.0;
        assert_eq!(silent, Err("no answer within 100ms".into()));
    }

    #[tokio::test]
    async fn what_is_not_http_fails() {
        for answer in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200"] {
            let error = asked(answer, "http:/", LONG).await.0.unwrap_err();
            assert!(error.contains("not understood"), "{error}");
        }
    }
}
