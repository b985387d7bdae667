//! The settings of servers that are attached.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use rserpool_core::element::ElementConfig;
use rserpool_core::wire::Policy;
use rserpool_proxy::backend::{Backend, Words};
use rserpool_proxy::check::Check;
use rserpool_proxy::load::LoadSource;

use super::values::named;
use super::{
    Group, Host, HuntSettings, Id, Life, LifeUnitName, LogSettings, PaddingForm, PolicyText, PoolName,
    PresetName, SctpSettings, Switch, Time, UdpAddress, settings,
};
use crate::exit::Failure;

settings! {
    /// Servers that are attached.
    AttachSettings for ElementConfig {
        /// Which timers and limits to start from [default: rfc]
        preset / "preset": PresetName;
        /// The server to keep in its pool: IP:PORT of TCP, and then, in the same word, settings of this one only, such as
        /// pool=Db check='exec:pg_isready -q'; repeatable
        backend / "backend": Vec<BackendText>;
        /// The pool, of each backend that names none [default: none]
        pool / "pool": PoolName;
        /// PE identifier, if there is one backend [default: drawn at random]
        id / "id": Id;
        /// Policy with its values, one of those that `rserpool policies` lists: RoundRobin,
        /// WeightedRoundRobin:3, LeastUsed:load=0.5 [default: RoundRobin]
        policy / "policy": PolicyText;
        /// How a backend is asked whether it is healthy: `none`, `tcp`, `http[:PATH][=STATUS]`,
        /// `exec:COMMAND` or `grpc[:SERVICE]` [default: tcp]
        check / "check": CheckText;
        /// The time between two checks [default: 2s]
        check_interval / "check-interval": Time;
        /// How long a check may take [default: 1s]
        check_timeout / "check-timeout": Time;
        /// Passed checks in a row after which a failed backend is back [default: 2]
        rise / "rise": u32;
        /// Failed checks in a row after which a backend has failed [default: 2]
        fall / "fall": u32;
        /// Where the load of a backend comes from, for policies that go by loads: connections:NUMBER (at which it
        /// is fully loaded), exec:COMMAND or header:NAME (of its answer to the check by HTTP) [default: nowhere]
        load / "load": LoadText;
        /// How long the TCP connections of a backend may take to end after it has left its pool [default: 30s]
        drain / "drain": Time;
        /// How long the command that was started may take to end after SIGTERM [default: 10s]
        stop_timeout / "stop-timeout": Time;
        /// IP address and UDP port of SCTP encapsulation [default: all addresses of IPv4 and IPv6, a free port]
        bind / "bind": UdpAddress;
        /// A registrar's address or name and its UDP port [default port: 9899], repeatable [default: one
        /// that announces itself]
        #[arg(value_delimiter = ',')]
        registrar / "registrar": Vec<Host>;
        /// Registration life, or infinite
        life / "life": Life => life;
        /// The unit in which the life is sent: milliseconds if there is an RSPLIB registrar in the scope
        life_unit / "life-unit": LifeUnitName => life_unit;
        /// T2: how long a registrar may take to answer a registration
        registration_timeout / "registration-timeout": Time => registration_timeout;
        /// T3: how long a registrar may take to answer a deregistration
        deregistration_timeout / "deregistration-timeout": Time => deregistration_timeout;
        /// T4: time between two registrations [default: follows from the life]
        reregistration_interval / "reregistration-interval": Time => reregistration_interval;
        /// MAX-REG-ATTEMPT: registrations without an answer before giving up
        max_registration_attempts / "max-registration-attempts": u32 => max_registration_attempts;
        /// Whether to listen to the announcements of registrars [default: only if none is named]
        #[arg(num_args = 0..=1, default_missing_value = "yes")]
        announce / "announce": Switch;
        /// Multicast group and UDP port of announcements [default: standard, which is IANA's
        /// 224.0.1.185:3863 and ff05::133, as far as the bound address reaches; rsplib is 239.0.0.50:3863]
        announce_group / "announce-group": Group;
        /// Whether the padding of the last parameter counts in the length of a message
        padding / "padding": PaddingForm => padding;
    }
    groups {
        #[command(next_help_heading = "Hunt for a registrar")]
        hunt: HuntSettings;
        #[command(next_help_heading = "SCTP")]
        sctp: SctpSettings;
        #[command(next_help_heading = "Logging")]
        log: LogSettings;
    }
}

/// How long connections of backends may take to end, if nothing else is set.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a command may take to end, if nothing else is set.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A backend with its pool and what else is registered of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attached {
    pub(crate) pool: PoolName,
    pub(crate) policy: Policy,
    pub(crate) id: Option<Id>,
    pub(crate) backend: Backend,
}

impl AttachSettings {
    /// The backends, with what is set for all of them where they say nothing themselves.
    pub(crate) fn backends(&self) -> Result<Vec<Attached>, Failure> {
        let backends = self.backend.as_deref().unwrap_or_default();
        if backends.is_empty() {
            return Err(Failure::usage("backend: name at least one: --backend IP:PORT"));
        }
        let all: Vec<Attached> = backends.iter().map(|text| self.attached(text)).collect::<Result<_, _>>()?;
        if all.len() > 1 && self.id.is_some() {
            return Err(Failure::usage(
                "id: there are several backends: write the identifier of each as in --backend 'IP:PORT id=0x11'",
            ));
        }
        if all.len() > 1 && self.bind.is_some_and(|bind| bind.0.port() != 0) {
            return Err(Failure::usage(
                "bind: there are several backends, and each needs a UDP port of its own: write port 0",
            ));
        }
        for (at, one) in all.iter().enumerate() {
            let same =
                |other: &&Attached| other.pool == one.pool && other.backend.address == one.backend.address;
            if all[..at].iter().any(|other| same(&other)) {
                return Err(Failure::usage(format!(
                    "backend: {} is named twice for the pool {}",
                    one.backend.address, one.pool
                )));
            }
        }
        Ok(all)
    }

    fn attached(&self, text: &BackendText) -> Result<Attached, Failure> {
        let BackendText { address, own } = text;
        let pool = own.pool.clone().or_else(|| self.pool.clone());
        let pool = pool.ok_or_else(|| {
            Failure::usage(format!("pool: that of the backend {address} is not known: name it with --pool"))
        })?;
        let policy = own.policy.clone().or_else(|| self.policy.clone());
        let mut backend = Backend::new(*address);
        if let Some(check) = own.check.as_ref().or(self.check.as_ref()) {
            backend.check = check.0.clone();
        }
        let (interval, timeout) = (self.check_interval, self.check_timeout);
        backend.interval = interval.map_or(backend.interval, Duration::from);
        // A short interval wants answers that are as quick.
        backend.timeout = timeout.map_or_else(|| backend.timeout.min(backend.interval), Duration::from);
        backend.thresholds.rise = self.rise.unwrap_or(backend.thresholds.rise);
        backend.thresholds.fall = self.fall.unwrap_or(backend.thresholds.fall);
        backend.load = own.load.as_ref().or(self.load.as_ref()).map(|load| load.0.clone());
        for (option, wrong) in
            [("check-interval", backend.interval.is_zero()), ("check-timeout", backend.timeout.is_zero())]
        {
            if wrong {
                return Err(Failure::usage(format!("{option}: must be longer than zero")));
            }
        }
        for (option, wrong) in
            [("rise", backend.thresholds.rise == 0), ("fall", backend.thresholds.fall == 0)]
        {
            if wrong {
                return Err(Failure::usage(format!("{option}: must be at least 1")));
            }
        }
        if matches!(backend.load, Some(LoadSource::Header(_))) && !matches!(backend.check, Check::Http(_)) {
            return Err(Failure::usage(format!(
                "load: a header is in the answer to a check by HTTP, and the check of {address} is {}",
                backend.check
            )));
        }
        let policy = policy.map_or(Policy::RoundRobin, Policy::from);
        Ok(Attached { pool, policy, id: own.id.or(self.id), backend })
    }

    /// How long connections of backends may take to end.
    pub(crate) fn drain(&self) -> Duration {
        self.drain.map_or(DRAIN, Duration::from)
    }

    /// How long the command may take to end.
    pub(crate) fn stop_timeout(&self) -> Duration {
        self.stop_timeout.map_or(STOP_TIMEOUT, Duration::from)
    }
}

/// A backend as it is written, with the settings that are its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BackendText {
    address: SocketAddr,
    own: Own,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Own {
    pool: Option<PoolName>,
    policy: Option<PolicyText>,
    id: Option<Id>,
    check: Option<CheckText>,
    load: Option<LoadText>,
}

impl FromStr for BackendText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = Words::read(text, &["pool", "policy", "id", "check", "load"])
            .map_err(|error| error.to_string())?;
        fn value<T: FromStr<Err = String>>(words: &Words, key: &str) -> Result<Option<T>, String> {
            words.get(key).map(|text| text.parse().map_err(|error| format!("{key}: {error}"))).transpose()
        }
        let own = Own {
            pool: value(&words, "pool")?,
            policy: value(&words, "policy")?,
            id: value(&words, "id")?,
            check: value(&words, "check")?,
            load: value(&words, "load")?,
        };
        Ok(Self { address: words.address, own })
    }
}

/// A check, as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CheckText(Check);

impl FromStr for CheckText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: rserpool_proxy::check::NotACheck| error.to_string())
    }
}

/// A source of loads, as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoadText(LoadSource);

impl FromStr for LoadText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: rserpool_proxy::load::NotALoadSource| error.to_string())
    }
}

named! {
    "BACKEND": BackendText = str::parse;
    "CHECK": CheckText = str::parse;
    "LOAD": LoadText = str::parse;
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn backends(flags: &[&str]) -> Result<Vec<Attached>, String> {
        let command = AttachSettings::augment_args(Command::new("attach").no_binary_name(true));
        let matches = command.try_get_matches_from(flags).map_err(|error| error.to_string())?;
        AttachSettings::from_arg_matches(&matches).unwrap().backends().map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_backend_says_itself_comes_first() {
        let own = "127.0.0.1:5432 pool=Db check='exec:pg_isready -q' policy=Priority:7 id=0x11";
        let flags =
            ["--pool", "Web", "--check", "http:/health", "--backend", "127.0.0.1:80", "--backend", own];
        let all = backends(&[&flags[..], &["--check-interval", "100ms", "--fall", "3"]].concat()).unwrap();
        let shown = |one: &Attached| {
            let Attached { pool, policy, id, backend } = one;
            format!("{pool} {policy} {:?} {} {}", id.map(|id| id.0), backend.address, backend.check)
        };
        assert_eq!(shown(&all[0]), "Web RoundRobin None 127.0.0.1:80 http:/health");
        assert_eq!(shown(&all[1]), "Db Priority:7 Some(17) 127.0.0.1:5432 exec:pg_isready -q");
        let short = Duration::from_millis(100);
        assert_eq!((all[0].backend.interval, all[0].backend.timeout), (short, short));
        assert_eq!((all[0].backend.thresholds.rise, all[0].backend.thresholds.fall), (2, 3));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let refused = |flags: &str| {
            let flags: Vec<&str> = flags.split('|').collect();
            backends(&flags).unwrap_err()
        };
        assert!(refused("--pool|Web").starts_with("backend: name at least one"));
        assert!(refused("--backend|127.0.0.1:80").starts_with("pool: that of the backend 127.0.0.1:80"));
        let two = "--pool|Web|--backend|127.0.0.1:80|--backend|127.0.0.1:81";
        assert!(refused(&format!("{two}|--id|0x1")).starts_with("id: there are several"));
        assert!(refused(&format!("{two}|--bind|127.0.0.1:9999")).starts_with("bind: there are several"));
        let twice = "--pool|Web|--backend|127.0.0.1:80|--backend|127.0.0.1:80";
        assert_eq!(refused(twice), "backend: 127.0.0.1:80 is named twice for the pool Web");
        let one = "--pool|Web|--backend|127.0.0.1:80";
        assert_eq!(refused(&format!("{one}|--rise|0")), "rise: must be at least 1");
        assert_eq!(refused(&format!("{one}|--check-timeout|0s")), "check-timeout: must be longer than zero");
        assert!(
            refused(&format!("{one}|--load|header:x-load")).starts_with("load: a header is in the answer")
        );
        assert!(refused("--backend|127.0.0.1:80 check=ftp").contains("check: \"ftp\" is no check"));
    }
}
