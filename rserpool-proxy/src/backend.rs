//! A server that is attached, as it is written: its address, and words that say how it is asked.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::check::Check;
use crate::health::Thresholds;
use crate::load::LoadSource;

/// A server, and how it is watched.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Backend {
    /// Where it serves over TCP. This address is registered.
    pub address: SocketAddr,
    /// How it is asked whether it is healthy (default: by a TCP connection).
    pub check: Check,
    /// The time from the beginning of a check to that of the next, if the first is done by then (default 2 s).
    pub interval: Duration,
    /// How long a check may take (default 1 s).
    pub timeout: Duration,
    /// How many checks in a row change what is thought of it.
    pub thresholds: Thresholds,
    /// Where its load comes from (default: nowhere).
    pub load: Option<LoadSource>,
}

impl Backend {
    /// A server with the default values.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            check: Check::Tcp,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            thresholds: Thresholds::default(),
            load: None,
        }
    }
}

/// A backend as it is written: an address, then words `key=value`, quoted as in a shell:
/// `127.0.0.1:8000 pool=Web check='exec:pg_isready -q'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Its address.
    pub address: SocketAddr,
    /// The other words, each key once.
    pub values: Vec<(String, String)>,
}

/// A text is no backend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotABackend {
    /// It does not begin with an address.
    #[error("\"{0}\" is no address of a server: write IP:PORT or [IPv6]:PORT (names are not looked up)")]
    Address(String),
    /// A quote is not closed.
    #[error("a quote is not closed")]
    Quote,
    /// A word is not of this form.
    #[error("\"{0}\" is no setting of a backend: write KEY=VALUE, with KEY one of {1}")]
    Word(String, String),
    /// A key stands there twice.
    #[error("{0} is set twice")]
    Twice(String),
}

impl Words {
    /// Reads a backend whose words may have these keys.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str, keys: &[&str]) -> Result<Self, NotABackend> {
        let words = shlex::split(text).ok_or(NotABackend::Quote)?;
        let mut words = words.into_iter();
        let address = words.next().unwrap_or_default();
        let wrong = NotABackend::Address(address.clone());
        let address = match SocketAddr::from_str(&address) {
            Ok(address) if address.port() != 0 && !address.ip().is_unspecified() => address,
            _ => return Err(wrong),
        };
        let mut values: Vec<(String, String)> = Vec::new();
        for word in words {
            let known = word.split_once('=').filter(|(key, _)| keys.contains(key));
            let Some((key, value)) = known else { return Err(NotABackend::Word(word, keys.join(", "))) };
            if values.iter().any(|(other, _)| other == key) {
                return Err(NotABackend::Twice(key.into()));
            }
            values.push((key.into(), value.into()));
        }
        Ok(Self { address, values })
    }

    /// The value of a key, if it is set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_an_address_and_words() {
        let read = |text: &str| Words::read(text, &["pool", "check"]).map_err(|error| error.to_string());
        let words = read("127.0.0.1:8000 pool=Web check='exec:test -e /a'").unwrap();
        assert_eq!(words.address, "127.0.0.1:8000".parse().unwrap());
        assert_eq!((words.get("pool"), words.get("check")), (Some("Web"), Some("exec:test -e /a")));
        assert_eq!(read("[::1]:80").unwrap().get("pool"), None);
        for bad in ["", "localhost:80", "127.0.0.1", "127.0.0.1:0", "0.0.0.0:80", "pool=Web 127.0.0.1:80"] {
            assert!(read(bad).unwrap_err().contains("no address of a server"), "{bad}");
        }
        assert!(read("127.0.0.1:80 id=1").unwrap_err().ends_with("with KEY one of pool, check"));
        assert_eq!(read("127.0.0.1:80 pool=a pool=b"), Err("pool is set twice".into()));
        assert_eq!(read("127.0.0.1:80 pool='a"), Err("a quote is not closed".into()));
    }
}
