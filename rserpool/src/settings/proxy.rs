//! The settings of a proxy.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use rserpool_core::base::PoolHandle;
use rserpool_core::user::UserConfig;
use rserpool_proxy::proxy::ProxyConfig;
use rserpool_proxy::proxy_protocol::Version;

use super::values::{chosen, named};
use super::{PoolName, PresetName, Switch, Time, UserSettings, settings};
use crate::exit::Failure;

settings! {
    /// A proxy for clients that know nothing of pools.
    ProxySettings for UserConfig {
        /// Where to take TCP connections of clients: `IP:PORT` or `[IPv6]:PORT`, repeatable
        #[arg(value_delimiter = ',')]
        listen / "listen": Vec<TcpAddress>;
        /// The pool that serves them
        pool / "pool": PoolName;
        /// Whether clients with the same IP address come to the same element [default: no]
        #[arg(num_args = 0..=1, default_missing_value = "yes")]
        sticky / "sticky": Switch;
        /// The header of the PROXY protocol by which elements learn who the client is [default: none]
        proxy_protocol / "proxy-protocol": HeaderName;
        /// How long a client waits for an element that can be reached, before its connection is reset [default: 30s]
        wait / "wait": Time;
        /// After how long without an octet in either direction a connection is reset [default: 1h]
        idle_timeout / "idle-timeout": Time;
        /// Maximum number of connections at the same time; others wait [default: 10000]
        max_connections / "max-connections": usize;
        /// Maximum number of connections of one IP address; others are reset [default: as many as of all]
        max_per_source / "max-per-source": usize;
        /// How long connections may take to end after SIGTERM [default: 30s]
        drain / "drain": Time;
        /// Threads that pass data on [default: one for each core]
        threads / "threads": usize;
    }
    groups {
        #[command(next_help_heading = "Pool user")]
        user: UserSettings;
    }
}

/// How long connections may take to end, if nothing else is set.
const DRAIN: Duration = Duration::from_secs(30);

impl ProxySettings {
    /// Where to listen, and what to do there.
    pub(crate) fn proxy(&self, seed: u64) -> Result<(Vec<SocketAddr>, ProxyConfig), Failure> {
        let listen: Vec<SocketAddr> = self.listen.iter().flatten().map(|address| address.0).collect();
        if listen.is_empty() {
            return Err(Failure::usage("listen: name at least one address: --listen 127.0.0.1:8080"));
        }
        let pool = self
            .pool
            .clone()
            .ok_or_else(|| Failure::usage("pool: name the pool that serves: --pool NAME"))?;
        let mut config = ProxyConfig::new(PoolHandle::from(pool), seed);
        let mut user = match self.user.preset.unwrap_or_default() {
            PresetName::Rfc => UserConfig::rfc(seed),
            PresetName::Fast => UserConfig::fast(seed),
            PresetName::Rack => UserConfig::rack(seed),
        };
        self.user.apply(&mut user);
        config.pace.limit = user.connect_timeout;
        config.pace.stagger = Some(user.connect_stagger);
        (config.exclusion, config.retry) = (user.exclusion, user.retry_interval);
        config.patience = self.wait.map_or(config.patience, Duration::from);
        config.idle = self.idle_timeout.map_or(config.idle, Duration::from);
        config.sticky = self.sticky.is_some_and(bool::from);
        config.header = self.proxy_protocol.map(Version::from);
        config.connections = self.max_connections.unwrap_or(config.connections);
        config.connections_per_source = self.max_per_source.unwrap_or(config.connections_per_source);
        for (option, wrong) in
            [("idle-timeout", config.idle.is_zero()), ("retry-interval", config.retry.is_zero())]
        {
            if wrong {
                return Err(Failure::usage(format!("{option}: must be longer than zero")));
            }
        }
        let numbers = [
            ("max-connections", config.connections),
            ("max-per-source", config.connections_per_source),
            ("threads", self.threads.unwrap_or(1)),
        ];
        if let Some((option, _)) = numbers.into_iter().find(|(_, number)| *number == 0) {
            return Err(Failure::usage(format!("{option}: must be at least 1")));
        }
        Ok((listen, config))
    }

    /// How long connections may take to end.
    pub(crate) fn drain(&self) -> Duration {
        self.drain.map_or(DRAIN, Duration::from)
    }
}

/// An IP address with a TCP port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TcpAddress(SocketAddr);

impl FromStr for TcpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("\"{text}\" is not an address: write IP:TCP-PORT or [IPv6]:TCP-PORT");
        text.parse().map(Self).map_err(wrong)
    }
}

/// The header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum HeaderName {
    /// A line of text.
    V1,
    /// Octets.
    V2,
}

impl From<HeaderName> for Version {
    fn from(name: HeaderName) -> Self {
        match name {
            HeaderName::V1 => Self::V1,
            HeaderName::V2 => Self::V2,
        }
    }
}

named! {
    "ADDRESS": TcpAddress = str::parse;
}
chosen! {
    "VERSION": HeaderName;
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn proxy(flags: &[&str]) -> Result<(Vec<SocketAddr>, ProxyConfig), String> {
        let command = ProxySettings::augment_args(Command::new("proxy").no_binary_name(true));
        let matches = command.try_get_matches_from(flags).map_err(|error| error.to_string())?;
        ProxySettings::from_arg_matches(&matches).unwrap().proxy(1).map_err(|error| error.to_string())
    }

    #[test]
    fn the_timers_of_a_user_are_those_of_its_connections() {
        let flags =
            ["--listen", "127.0.0.1:80,[::1]:80", "--pool", "Web", "--preset", "fast", "--exclusion", "7s"];
        let (listen, config) =
            proxy(&[&flags[..], &["--sticky", "--proxy-protocol", "v2"]].concat()).unwrap();
        assert_eq!(listen, ["127.0.0.1:80".parse().unwrap(), "[::1]:80".parse::<SocketAddr>().unwrap()]);
        let fast = UserConfig::fast(1);
        assert_eq!(
            (config.pace.limit, config.pace.stagger),
            (fast.connect_timeout, Some(fast.connect_stagger))
        );
        assert_eq!((config.exclusion, config.retry), (Duration::from_secs(7), fast.retry_interval));
        assert_eq!((config.sticky, config.header), (true, Some(Version::V2)));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let refused = |flags: &str| proxy(&flags.split('|').collect::<Vec<_>>()).unwrap_err();
        assert!(refused("--pool|Web").starts_with("listen: name at least one"));
        assert!(refused("--listen|127.0.0.1:80").starts_with("pool: name the pool"));
        assert!(refused("--listen|localhost:80").contains("\"localhost:80\" is not an address"));
        let all = "--listen|127.0.0.1:80|--pool|Web";
        assert_eq!(refused(&format!("{all}|--max-connections|0")), "max-connections: must be at least 1");
        assert_eq!(refused(&format!("{all}|--idle-timeout|0s")), "idle-timeout: must be longer than zero");
    }
}
