//! How a server is asked whether it is healthy.

#[cfg(feature = "http")]
mod grpc;
#[cfg(feature = "http")]
mod http;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::command::{self, CommandError};
use crate::load::read_load;

/// How a server is asked whether it is healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// Not at all: it counts as healthy.
    None,
    /// It accepts a TCP connection.
    Tcp,
    /// It answers a request by HTTP/1.1.
    Http(HttpCheck),
    /// A command of the shell ends with 0; see [`command::run`] for its environment.
    Exec(String),
    /// It serves by the health protocol of gRPC (`grpc.health.v1.Health/Check`), without TLS.
    Grpc {
        /// The service that is asked for; empty means the whole server.
        service: String,
    },
}

/// A request by HTTP, and what counts as healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// The path with its query, which begins with a slash.
    pub path: String,
    /// The status codes of a healthy server.
    pub healthy: RangeInclusive<u16>,
}

/// A text is no check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no check: write none, tcp, http[:PATH][=STATUS], exec:COMMAND or grpc[:SERVICE]")]
pub struct NotACheck(String);

impl FromStr for Check {
    type Err = NotACheck;

    /// `http:/health=200` or `http:/health=200-204`; without a status, 200 to 399 are healthy.
    fn from_str(text: &str) -> Result<Self, NotACheck> {
        let wrong = || NotACheck(text.into());
        let (kind, value) = match text.split_once(':') {
            Some((kind, value)) => (kind, Some(value)),
            None => (text, None),
        };
        match (kind, value) {
            ("none", None) => Ok(Self::None),
            ("tcp", None) => Ok(Self::Tcp),
            ("grpc", service) => Ok(Self::Grpc { service: service.unwrap_or_default().into() }),
            ("exec", Some(command)) if !command.trim().is_empty() => Ok(Self::Exec(command.into())),
            ("http", Some(request)) => http_check(request).map(Self::Http).ok_or_else(wrong),
            // Without a path, a status stands right behind the word.
            (other, None) => match other.strip_prefix("http") {
                Some(request) => http_check(request).map(Self::Http).ok_or_else(wrong),
                None => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

fn http_check(request: &str) -> Option<HttpCheck> {
    // A query has equals signs, too: only what looks like a status is one.
    let (path, healthy) = match request.rsplit_once('=').map(|(path, status)| (path, statuses(status))) {
        Some((path, Some(healthy))) => (path, healthy),
        _ => (request, 200..=399),
    };
    let path = if path.is_empty() { "/" } else { path };
    let is_sent = |c: char| c.is_ascii_graphic() && c != '#';
    (path.starts_with('/') && path.chars().all(is_sent)).then(|| HttpCheck { path: path.into(), healthy })
}

fn statuses(text: &str) -> Option<RangeInclusive<u16>> {
    let status =
        |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status) && text.len() == 3);
    match text.split_once('-') {
        Some((first, last)) => Some(status(first)?..=status(last)?).filter(|range| !range.is_empty()),
        None => status(text).map(|status| status..=status),
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Tcp => f.write_str("tcp"),
            Self::Http(HttpCheck { path, healthy }) => {
                write!(f, "http:{path}")?;
                match (*healthy.start(), *healthy.end()) {
                    (200, 399) => Ok(()),
                    (first, last) if first == last => write!(f, "={first}"),
                    (first, last) => write!(f, "={first}-{last}"),
                }
            }
            Self::Exec(command) => write!(f, "exec:{command}"),
            Self::Grpc { service } if service.is_empty() => f.write_str("grpc"),
            Self::Grpc { service } => write!(f, "grpc:{service}"),
        }
    }
}

/// What a healthy server has said of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Its load, from 0 to 1, in the field of the header that was asked for.
    pub load: Option<f64>,
}

/// Why a check has failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It cannot be reached, or the connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It has said nothing in time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// Its answer is not healthy.
    #[error("it answers {0}")]
    Unhealthy(String),
    /// What it answers is not the protocol.
    #[error("its answer is not understood: {0}")]
    Misunderstood(String),
    /// The command has failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// This program was built without this kind of checks.
    #[error("built without checks by HTTP and gRPC")]
    NotBuiltIn,
}

/// Asks a server once. `load` is the name of the field of an HTTP answer in which it tells its load.
///
/// Cancel safe: the connection is closed, or the command killed.
///
/// # Errors
/// Why it is not healthy; at the latest after `limit`.
pub async fn ask(
    check: &Check,
    server: SocketAddr,
    load: Option<&str>,
    limit: Duration,
) -> Result<Report, CheckError> {
    let ask = async {
        match check {
            Check::None => Ok(Report::default()),
            Check::Tcp => {
                let connection = TcpStream::connect(server).await?;
                // Closed at once, without a state that lingers here for a minute. It has sent nothing, so nothing is lost.
                let _ = connection.set_zero_linger();
                Ok(Report::default())
            }
            Check::Exec(command) => {
                // A command that is late is killed by its own limit, which says so.
                command::run(command, server, limit).await?;
                Ok(Report::default())
            }
            #[cfg(feature = "http")]
            Check::Http(check) => {
                let told = http::ask(check, server, load).await?;
                Ok(Report { load: told.as_deref().and_then(read_load) })
            }
            #[cfg(feature = "http")]
            Check::Grpc { service } => grpc::ask(service, server).await.map(|()| Report::default()),
            #[cfg(not(feature = "http"))]
            Check::Http(_) | Check::Grpc { .. } => {
                let _ = (load, read_load);
                Err(CheckError::NotBuiltIn)
            }
        }
    };
    if let Check::Exec(_) = check {
        return ask.await;
    }
    tokio::time::timeout(limit, ask).await.unwrap_or(Err(CheckError::Silent(limit)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn checks_are_read_as_they_are_written() {
        for text in [
            "none",
            "tcp",
            "http:/",
            "http:/health",
            "http:/health=204",
            "http:/a?b=c",
            "http:/a?b=200-299",
            "exec:pg_isready -h $BACKEND_HOST",
            "grpc",
            "grpc:my.Service",
        ] {
            assert_eq!(text.parse::<Check>().unwrap().to_string(), text);
        }
        assert_eq!("http".parse::<Check>().unwrap().to_string(), "http:/");
        assert_eq!("http=503".parse::<Check>().unwrap().to_string(), "http:/=503");
        let bad = [
            "",
            "udp",
            "tcp:80",
            "none:x",
            "exec:",
            "http:health",
            "http:/a b",
            "http:/a\r\nHost: b",
            "https:/",
        ];
        for bad in bad {
            assert!(bad.parse::<Check>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn tcp_is_healthy_when_it_accepts() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        assert_eq!(ask(&Check::Tcp, at, None, LONG).await.unwrap(), Report::default());
        drop(listener);
        let refused = ask(&Check::Tcp, at, None, LONG).await.unwrap_err();
        assert!(refused.to_string().contains("refused"), "{refused}");
        assert_eq!(ask(&Check::None, at, None, LONG).await.unwrap(), Report::default());
    }

    #[tokio::test]
    async fn a_command_that_fails_says_how() {
        let at = "127.0.0.1:1".parse().unwrap();
        assert!(ask(&"exec:true".parse().unwrap(), at, None, LONG).await.is_ok());
        let failed = ask(&"exec:false".parse().unwrap(), at, None, LONG).await.unwrap_err();
        assert_eq!(failed.to_string(), "the command has ended with exit status: 1");
        let late =
            ask(&"exec:sleep 100".parse().unwrap(), at, None, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(late.to_string(), "the command was not done within 50ms, and was killed");
    }
}
