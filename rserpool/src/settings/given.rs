//! What a command was given, and where each value comes from: flag over environment over file over preset.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, FromArgMatches};

use super::file::{Entry, read_file, with_file};
use super::help::{by_default, complete};
use super::nearest::nearest;
use super::refusal::Refusal;
use super::{PresetName, Role};
use crate::exit::Failure;

/// What all settings of a command may be asked for instead of the work.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Source {
    /// TOML file with settings: a key for each option of this command that is a setting, with the same
    /// words; those that begin with sctp-, tcp-, hunt- or log- may be in tables of that name
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check whether a start would succeed, and exit: 0 if it would, 64 if a value is wrong, 1 if something
    /// on this machine prevents it, such as a port in use
    #[arg(long)]
    pub(crate) validate: bool,
    /// Print all settings with their values, and where each comes from, in the form of a file for --config
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
enum Origin {
    Flag,
    Variable(String),
    File { path: PathBuf, line: usize },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// An option that is set.
#[derive(Clone, Debug, PartialEq)]
struct Set {
    option: String,
    values: Vec<String>,
    origin: Origin,
}

/// Everything that a command was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The whole program, to read its arguments again.
    program: fn() -> Command,
    arguments: Vec<OsString>,
    role: Option<Role>,
    set: Vec<Set>,
    /// Variables that look like settings and are none.
    strangers: Vec<String>,
}

/// Why there is nothing to run.
pub(crate) enum Refused {
    /// The help or the version was asked for.
    Shown(clap::Error),
    /// Something is wrong.
    Wrong(Failure),
}

impl Given {
    /// Reads arguments, environment and file.
    pub(crate) fn read(
        program: fn() -> Command,
        arguments: Vec<OsString>,
    ) -> Result<(ArgMatches, Self), Refused> {
        let mut command = complete(program());
        let refuse = |error: clap::Error| refuse(error, &arguments);
        let mut matches = command.clone().try_get_matches_from(&arguments).map_err(refuse)?;
        let found = matches.subcommand().and_then(|(name, given)| Some((name, Role::of(name)?, given)));
        let Some((name, role, given)) = found else {
            let given = Self { program, arguments, role: None, set: Vec::new(), strangers: Vec::new() };
            return Ok((matches, given));
        };
        let name = name.to_string();
        let mut file = Vec::new();
        // The user of the demonstration has settings, and no file.
        let path = given.try_get_one::<PathBuf>("config").ok().flatten().cloned();
        if let Some(path) = &path {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Refused::Wrong(Failure::usage(format!("config: cannot read {}: {error}", path.display())))
            })?;
            file = read_file(path, &text, role).map_err(Refused::Wrong)?;
            command = command.mut_subcommand(&name, |command| with_file(command, &file));
            matches = command.try_get_matches_from(&arguments).map_err(refuse)?;
        }
        let path = path.unwrap_or_default();
        let set = matches.subcommand().map(|(_, given)| all_set(role, given, &file, &path));
        let given = Self {
            program,
            arguments,
            role: Some(role),
            set: set.unwrap_or_default(),
            strangers: strangers(role),
        };
        Ok((matches, given))
    }

    /// The same with the file as it is now, and the settings of one kind in it.
    pub(crate) fn again<S: FromArgMatches>(&self) -> Result<(Self, S), Failure> {
        let (matches, given) =
            Self::read(self.program, self.arguments.clone()).map_err(|refused| match refused {
                Refused::Wrong(failure) => failure,
                Refused::Shown(error) => Failure::usage(error.to_string()),
            })?;
        let unread = || Failure::usage("the arguments name no command");
        let (_, settings) = matches.subcommand().ok_or_else(unread)?;
        let settings =
            S::from_arg_matches(settings).map_err(|error| Failure::usage(Refusal::new(&error).problem))?;
        Ok((given, settings))
    }

    /// The options that have another value there.
    pub(crate) fn changed(&self, new: &Self) -> BTreeSet<String> {
        let value = |given: &Self, option: &str| {
            given.set.iter().find(|set| set.option == option).map(|set| set.values.clone())
        };
        let options = self.set.iter().chain(&new.set).map(|set| set.option.clone());
        options.filter(|option| value(self, option) != value(new, option)).collect()
    }

    /// Whether the log, and with it the last word, is to be JSON.
    pub(crate) fn wants_json(&self) -> bool {
        self.set.iter().any(|set| set.option == "log" && set.values.iter().any(|value| value == "json"))
    }

    /// A line for each variable of the environment that looks like a setting, and is none.
    pub(crate) fn strangers(&self) -> &[String] {
        &self.strangers
    }

    /// A message about an option, with the file and line where it is set in front, if it is set there.
    pub(crate) fn locate(&self, message: &str) -> String {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        let words = message.split(|letter| !is_name(letter));
        let place =
            words.filter_map(|word| self.set.iter().find(|set| set.option == word)).find_map(
                |set| match &set.origin {
                    Origin::Flag => None,
                    origin => Some(origin.to_string()),
                },
            );
        place.map_or_else(|| message.into(), |place| format!("{place}: {message}"))
    }

    /// All settings as a file that could be given, each with where its value comes from.
    pub(crate) fn file(&self) -> String {
        let Some(role) = self.role else { return String::new() };
        let preset = self.set.iter().find(|set| set.option == "preset").and_then(|set| set.values.first());
        let preset = preset
            .and_then(|name| <PresetName as clap::ValueEnum>::from_str(name, false).ok())
            .unwrap_or_default();
        let name = format!("preset {preset}");
        let defaults = role.preset(preset);
        let mut text = String::new();
        for argument in role.settings().get_arguments() {
            let Some(option) = argument.get_long() else { continue };
            let is_list = matches!(argument.get_action(), clap::ArgAction::Append);
            let (line, origin) = match self.set.iter().find(|set| set.option == option) {
                Some(set) => (written(option, &set.values, is_list), set.origin.to_string()),
                None if option == "preset" => (written(option, &["rfc".into()], false), "default".into()),
                None => match defaults.iter().find(|(name, _)| *name == option) {
                    Some((_, value)) => (written(option, std::slice::from_ref(value), is_list), name.clone()),
                    None => (format!("# {option}"), format!("not set: {}", by_default(argument))),
                },
            };
            text += &format!("{line:<44} # {origin}\n");
        }
        text
    }
}

/// A line of a file.
fn written(option: &str, values: &[String], is_list: bool) -> String {
    let value = |text: &String| match text.parse::<u64>() {
        Ok(number) if number.to_string() == *text => text.clone(),
        _ => toml::Value::String(text.clone()).to_string(),
    };
    let values: Vec<String> = values.iter().map(value).collect();
    let values = values.join(", ");
    if is_list { format!("{option} = [{values}]") } else { format!("{option} = {values}") }
}

/// The settings of a role that are set, in the order of the help.
fn all_set(role: Role, given: &ArgMatches, file: &[Entry], path: &std::path::Path) -> Vec<Set> {
    let settings = role.settings();
    let options = settings.get_arguments().filter_map(Arg::get_long);
    let set = options.filter_map(|option| {
        let origin = match given.value_source(option)? {
            ValueSource::CommandLine => Origin::Flag,
            ValueSource::EnvVariable => Origin::Variable(role.variable(option)),
            _ => {
                let entry = file.iter().find(|entry| entry.option == option)?;
                Origin::File { path: path.into(), line: entry.line }
            }
        };
        let values = given.get_raw(option)?.map(|value| value.to_string_lossy().into_owned()).collect();
        Some(Set { option: option.into(), values, origin })
    });
    set.collect()
}

/// A line for each variable that this role, or any, might have read under another name.
fn strangers(role: Role) -> Vec<String> {
    let options = |role: Role| {
        let settings = role.settings();
        let names = settings.get_arguments().filter_map(Arg::get_long).chain(["config"]);
        names.map(|option| role.variable(option)).collect::<Vec<_>>()
    };
    let known: BTreeSet<String> = Role::ALL.iter().copied().flat_map(options).collect();
    let own = options(role);
    let others = Role::ALL.iter().copied().filter(|other| *other != role).map(Role::prefix);
    let others: Vec<&str> = others.collect();
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let strange = variables.filter(|name| {
        let concerns_us = others.iter().all(|prefix| !name.starts_with(prefix));
        name.starts_with("RSERPOOL_") && concerns_us && !known.contains(name)
    });
    let mut lines: Vec<String> = strange
        .map(|name| {
            // The prefixes are alike in any case: what is behind them counts.
            let behind = name.strip_prefix(role.prefix()).or_else(|| name.strip_prefix("RSERPOOL_"));
            let candidates = own.iter().filter_map(|own| own.strip_prefix(role.prefix()));
            let meant = nearest(behind.unwrap_or_default(), candidates);
            let meant = meant.map(|option| format!("{}{option}", role.prefix()));
            let meant = meant.map_or_else(
                || format!("{} has no such setting", role.command()),
                |meant| format!("did you mean {meant}?"),
            );
            format!("{name} is not read: {meant}")
        })
        .collect();
    lines.sort();
    lines
}

/// The help is shown; an error becomes one line, which names the variable if the value comes from one.
fn refuse(error: clap::Error, arguments: &[OsString]) -> Refused {
    use clap::error::ErrorKind;
    if let ErrorKind::DisplayHelp
    | ErrorKind::DisplayVersion
    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand = error.kind()
    {
        return Refused::Shown(error);
    }
    let Refusal { option, problem } = Refusal::new(&error);
    let Some(option) = option else { return Refused::Wrong(Failure::usage(problem)) };
    let is_given = |argument: &OsString| argument.to_str().is_some_and(|text| text.starts_with(&option));
    let role = arguments.get(1).and_then(|command| command.to_str()).and_then(Role::of);
    let variable = role.map(|role| role.variable(option.trim_start_matches('-')));
    let variable = variable.filter(|name| std::env::var_os(OsStr::new(name)).is_some());
    let place = match variable {
        Some(variable) if !arguments.iter().any(is_given) => variable,
        _ => option,
    };
    Refused::Wrong(Failure::usage(format!("{place}: {problem}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use clap::{Args, FromArgMatches};
    use rserpool_core::registrar::RegistrarConfig;

    use super::super::{RegistrarSettings, Time};
    use super::*;

    fn program() -> Command {
        Command::new("rserpool")
            .subcommand(RegistrarSettings::augment_args(Source::augment_args(Command::new("registrar"))))
    }

    /// The settings of a registrar with these flags and this file.
    fn given(text: &str, flags: &[&str]) -> Result<(Given, RegistrarSettings), String> {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap();
        let arguments = [&["rserpool", "registrar", "--config", path], flags].concat();
        let arguments = arguments.into_iter().map(OsString::from).collect();
        match Given::read(program, arguments) {
            Ok((matches, given)) => {
                let (_, settings) = matches.subcommand().unwrap();
                Ok((given, RegistrarSettings::from_arg_matches(settings).unwrap()))
            }
            Err(Refused::Wrong(failure)) => Err(failure.to_string().replace(path, "f.toml")),
            Err(Refused::Shown(_)) => Err("help".into()),
        }
    }

    #[test]
    fn a_flag_comes_before_the_file_and_the_file_before_the_preset() {
        let file =
            "keep-alive-interval = \"7s\"\nid = 0x11\nmax-pools = 5\n[sctp]\nstreams = 3\nrto-min = \"1s\"\n";
        let (_, settings) = given(file, &["--keep-alive-interval", "9s", "--sctp-streams", "4"]).unwrap();
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

    /// Flags and keys take the same words, whether a key stands in a table or not.
    #[test]
    fn a_file_takes_the_words_of_the_flags() {
        let flags = [
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
            "--peer",
            "a.example",
            "--peer",
            "b.example:7",
        ];
        let file = "preset = \"fast\"\nbind = \"[::1]:7\"\nid = 1\naddress = [\"127.0.0.1\", \"::1\"]\n\
                    announce = true\npadding = \"strict\"\npeer = [\"a.example\", \"b.example:7\"]\n\
                    sctp-heartbeat = \"250ms\"\n[tcp]\nlisten = \"127.0.0.1:3863\"\nidle-timeout = \"1h\"\n\
                    [log]\nformat = \"json\"\nfilter = \"debug\"\n";
        let by_flags = given("", &flags).unwrap().1;
        assert_eq!(given(file, &[]).unwrap().1, by_flags);
        assert_eq!(given("announce = \"yes\"\n", &[]).unwrap().1, given("announce = true\n", &[]).unwrap().1);
        assert_eq!(
            given("peer = \"a.example\"\n", &[]).unwrap().1,
            given("", &["--peer", "a.example"]).unwrap().1
        );
    }

    /// What is printed can be given again, and says where it comes from.
    #[test]
    fn the_printed_configuration_is_a_file() {
        let (all, settings) = given("id = 0x11\npeer = [\"a.example\"]\n", &["--preset", "fast"]).unwrap();
        let text = all.file();
        let line = |option: &str| text.lines().find(|line| line.starts_with(option)).unwrap().to_string();
        assert!(line("id = ").contains(".toml:1"), "{text}");
        assert!(line("preset = \"fast\"").ends_with("# command line"), "{text}");
        assert!(line("keep-alive-interval = \"150ms\"").ends_with("# preset fast"), "{text}");
        assert!(line("# bind").ends_with("# not set: all addresses of IPv4 and IPv6, port 9899"), "{text}");
        let (_, again) = given(&text, &[]).unwrap();
        assert_eq!((again.id, &again.peer), (settings.id, &settings.peer));
        let (mut once, mut twice) = (RegistrarConfig::fast(None, 1), RegistrarConfig::rfc(None, 1));
        settings.apply(&mut once);
        again.apply(&mut twice);
        assert_eq!((once.keep_alive_interval, once.limits), (twice.keep_alive_interval, twice.limits));
    }

    #[test]
    fn errors_are_one_line_with_file_line_and_key() {
        let error = |text: &str| given(text, &[]).unwrap_err();
        assert_eq!(
            error("preset = \"fast\"\nkeep-alive-intervall = \"7s\"\n"),
            "f.toml:2: keep-alive-intervall: there is no such key; did you mean keep-alive-interval?"
        );
        assert_eq!(
            error("[sctp]\nrto-min = \"soon\"\n"),
            "f.toml:2: sctp.rto-min: \"soon\" is not a duration: write 250ms, 5s or 2m"
        );
        assert_eq!(
            error("id = 0\n"),
            "f.toml:1: id: 0 means no identifier: write 0x1 to 0xffffffff, or decimal digits"
        );
        let large = error("max-elements = 99999901362127313139\n");
        assert!(large.starts_with("f.toml:1: max-elements: \"9999990136212731"), "{large}");
    }

    /// A value that is read but cannot work is found where it is set.
    #[test]
    fn a_message_about_an_option_gets_its_place() {
        let (given, _) = given("\nkeep-alive-timeout = \"0s\"\n", &["--max-pools", "0"]).unwrap();
        let located = given.locate("keep-alive-timeout: must be longer");
        assert!(located.ends_with(".toml:2: keep-alive-timeout: must be longer"), "{located}");
        assert_eq!(given.locate("max-pools: must not be zero"), "max-pools: must not be zero");
        assert!(Path::new(located.split(':').next().unwrap()).is_absolute());
    }
}
