//! Which path gets which answer.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::timeout;

use super::report::{Observed, Report};
use super::{exposition, process};

/// How long the event loop may take to say how it is. It answers in microseconds, unless it hangs.
const LIFE_SIGN_WITHIN: Duration = Duration::from_secs(2);

const INDEX: &str = "\
/metrics  counters, sizes and the process, for Prometheus
/livez    200 as long as the event loop answers
/readyz   200 while it does its work for others; otherwise 503 and the reason
";

/// Answers one request.
pub(super) async fn answer<B>(request: &Request<B>, observed: &Observed) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/" => text(StatusCode::OK, INDEX.into()),
        path @ ("/metrics" | "/livez" | "/readyz") => {
            match timeout(LIFE_SIGN_WITHIN, observed.report()).await {
                Ok(Some(report)) => found(path, report),
                Ok(None) => text(StatusCode::SERVICE_UNAVAILABLE, "it has ended\n".into()),
                Err(_) => {
                    let silence = format!("the event loop has not answered for {LIFE_SIGN_WITHIN:?}\n");
                    text(StatusCode::SERVICE_UNAVAILABLE, silence)
                }
            }
        }
        _ => text(StatusCode::NOT_FOUND, INDEX.into()),
    }
}

fn found(path: &str, report: Report) -> Response<Full<Bytes>> {
    match (path, report.ready) {
        ("/metrics", _) => {
            let families = report.families.into_iter().chain(process::families());
            content(StatusCode::OK, exposition::CONTENT_TYPE, exposition::text(families.collect()))
        }
        ("/livez", _) => text(StatusCode::OK, "the event loop answers\n".into()),
        (_, Ok(how)) => text(StatusCode::OK, format!("{how}\n")),
        (_, Err(why)) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    content(status, "text/plain; charset=utf-8", text)
}

fn content(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
