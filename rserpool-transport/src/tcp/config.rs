//! The limits of TCP connections.

use std::time::Duration;

use rserpool_core::endpoint::ConfigError;

/// How many connections there may be, and how long each thing may take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpConfig {
    /// The most connections at a time, attempts included (default 512: half of the file descriptors
    /// that a process may commonly open). Beyond it, a client that has asked nothing makes room for the next, and
    /// then the address, or IPv6 network of 64 bits, that has most.
    pub max_connections: usize,
    /// The most connections accepted from one IP address, or from one IPv6 network of 64 bits (default
    /// 64: enough for a host with many users).
    pub max_per_address: usize,
    /// How long a message may take to arrive, from its first octet to its last (default 10 s).
    pub message_timeout: Duration,
    /// The time within which a client must send its first request (default 10 s).
    pub first_timeout: Duration,
    /// The time for which a client may keep a connection without a further request (default 5 min). A client
    /// that has vanished silently is found by this, too.
    pub idle_timeout: Duration,
    /// The time within which the peer must take a message (default 30 s).
    pub write_timeout: Duration,
    /// The time between attempts at two addresses of one peer (default 250 ms).
    pub stagger: Duration,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            max_connections: 512,
            max_per_address: 64,
            message_timeout: Duration::from_secs(10),
            first_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(300),
            write_timeout: Duration::from_secs(30),
            stagger: Duration::from_millis(250),
        }
    }
}

impl TcpConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// The first key whose value cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        ConfigError::require(self.max_connections > 0, "tcp.max_connections", "must be at least 1")?;
        ConfigError::require(self.max_per_address > 0, "tcp.max_per_address", "must be at least 1")?;
        let durations = [
            ("tcp.message_timeout", self.message_timeout),
            ("tcp.first_timeout", self.first_timeout),
            ("tcp.idle_timeout", self.idle_timeout),
            ("tcp.write_timeout", self.write_timeout),
            ("tcp.stagger", self.stagger),
        ];
        for (key, duration) in durations {
            ConfigError::require(duration >= Duration::from_millis(1), key, "must be at least 1 ms")?;
        }
        Ok(())
    }
}
