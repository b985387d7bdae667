//! Flags over environment over file.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::exit::Failure;

/// A configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Source {
    /// TOML file with settings: a key for each long option; options that begin with sctp-, tcp-, hunt- or
    /// log- are in tables of that name, without that prefix (table sctp, key rto-min)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Check the configuration and exit: 0 if it can work, 64 if not
    #[arg(long)]
    pub(crate) validate: bool,
}

impl Source {
    /// Lets flags and environment override the file.
    pub(crate) fn load<S: Serialize + DeserializeOwned + Clone>(&self, flags: &S) -> Result<S, Failure> {
        match &self.config {
            None => Ok(flags.clone()),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Failure::usage(format!("config: cannot read {}: {error}", path.display()))
                })?;
                Self::merge(path, &text, flags)
            }
        }
    }

    /// Lets the settings `over` override those in the text of a file.
    pub(crate) fn merge<S: Serialize + DeserializeOwned>(
        path: &Path,
        text: &str,
        over: &S,
    ) -> Result<S, Failure> {
        // Read as settings first: only this names the line of a bad key.
        let misread = |error: toml::de::Error| Failure::usage(describe(path, text, &error));
        toml::from_str::<S>(text).map_err(misread)?;
        // A number may be too large for a table although the setting accepts it.
        let mut merged: Table = toml::from_str(text).map_err(misread)?;
        let invalid =
            |error: String| Failure::usage(format!("{}: {}", path.display(), error.replace('\n', " ")));
        overlay(&mut merged, Table::try_from(over).map_err(|error| invalid(error.to_string()))?);
        merged.try_into().map_err(|error: toml::de::Error| invalid(error.message().to_string()))
    }
}

/// The environment variable that stands for a long option.
pub(crate) fn name_in_environment(option: &str) -> String {
    format!("RSERPOOL_{}", option.to_uppercase().replace('-', "_"))
}

/// Puts the values of `over` in place of those of `under`, table by table.
fn overlay(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => overlay(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// One line: the file, the line, the key, and what is wrong.
fn describe(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let place = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count();
        let key = text.lines().nth(line).and_then(|line| line.split_once('='));
        (line + 1, key.map(|(key, _)| key.trim().to_string()))
    });
    let message = error.message().replace('\n', " ");
    match place {
        Some((line, Some(key))) if !message.contains(&format!("`{key}`")) => {
            format!("{}:{line}: {key}: {message}", path.display())
        }
        Some((line, _)) => format!("{}:{line}: {message}", path.display()),
        None => format!("{}: {message}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::{Args, Command, FromArgMatches};
    use rserpool_core::registrar::RegistrarConfig;

    use super::super::{RegistrarSettings, Time};
    use super::*;

    fn flags(arguments: &[&str]) -> RegistrarSettings {
        let command = RegistrarSettings::augment_args(Command::new("test"));
        let matches = command.get_matches_from(["test"].iter().chain(arguments));
        RegistrarSettings::from_arg_matches(&matches).unwrap()
    }

    fn merged(text: &str, arguments: &[&str]) -> Result<RegistrarSettings, String> {
        Source::merge(Path::new("f.toml"), text, &flags(arguments)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_flag_comes_before_the_file_and_the_file_before_the_preset() {
        let file =
            "keep-alive-interval = \"7s\"\nid = 0x11\nmax-pools = 5\n[sctp]\nstreams = 3\nrto-min = \"1s\"\n";
        let settings = merged(file, &["--keep-alive-interval", "9s", "--sctp-streams", "4"]).unwrap();
        let mut config = RegistrarConfig::fast(None, 1);
        let preset = config.keep_alive_timeout;
        settings.apply(&mut config);
        assert_eq!(config.keep_alive_interval, Duration::from_secs(9));
        assert_eq!(config.keep_alive_timeout, preset);
        assert_eq!((config.id.map(|id| id.0), config.limits.pools), (Some(0x11), 5));
        assert_eq!(
            (settings.sctp.streams, settings.sctp.rto_min),
            (Some(4), Some(Time(Duration::from_secs(1))))
        );
    }

    #[test]
    fn errors_are_one_line_with_file_line_and_key() {
        assert_eq!(
            merged("preset = \"fast\"\nkeep-alive-intervall = \"7s\"\n", &[]).unwrap_err().split(',').next(),
            Some("f.toml:2: unknown field `keep-alive-intervall`")
        );
        assert_eq!(
            merged("[sctp]\nrto-min = \"soon\"\n", &[]).unwrap_err(),
            "f.toml:2: rto-min: \"soon\" is not a duration: write 250ms, 5s or 2m"
        );
        assert_eq!(
            merged("id = 0\n", &[]).unwrap_err(),
            "f.toml:1: id: 0 means no identifier: write 0x1 to 0xffffffff, or decimal digits"
        );
        assert_eq!(
            merged("max-elements = 9999990136212731313\n", &[]).unwrap_err(),
            "f.toml:1: max-elements: u64 value was too large"
        );
    }

    /// Every flag of a role can be in its file: one struct describes both.
    #[test]
    fn flags_survive_the_way_through_toml() {
        let given = flags(&[
            "--preset",
            "fast",
            "--bind",
            "[::1]:7",
            "--id",
            "0x1",
            "--address",
            "127.0.0.1,::1",
            "--announce",
            "--padding",
            "strict",
            "--sctp-heartbeat",
            "250ms",
            "--tcp",
            "127.0.0.1:3863",
            "--tcp-idle-timeout",
            "1h",
            "--log",
            "json",
            "--log-filter",
            "debug",
        ]);
        let text = toml::to_string(&given).unwrap();
        assert_eq!(toml::from_str::<RegistrarSettings>(&text).unwrap(), given);
    }
}
