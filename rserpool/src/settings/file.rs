//! A configuration file: TOML, whose keys are the options of a command, and whose values are read as those of
//! the options are.

use std::path::Path;

use clap::{ArgAction, Command};
use toml::de::{DeTable, DeValue};

use super::Role;
use super::nearest::did_you_mean;
use super::refusal::Refusal;
use crate::exit::Failure;

/// The tables of a file: options that begin with these words and a dash may stand in them without both.
const TABLES: [&str; 4] = ["sctp", "tcp", "hunt", "log"];
/// Keys that are no option without the name of their table.
const NAMED_OTHERWISE: [(&str, &str); 3] =
    [("tcp.listen", "tcp"), ("log.format", "log"), ("hunt.attempts", "attempts")];

/// An option that a file sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The option, without dashes.
    pub(crate) option: String,
    /// Its values as texts, several only if it takes a list.
    pub(crate) values: Vec<String>,
    /// The line where it stands, from 1.
    pub(crate) line: usize,
}

/// Reads the text of a file for a role. An error is one line that names the file, the line and the key.
pub(crate) fn read_file(path: &Path, text: &str, role: Role) -> Result<Vec<Entry>, Failure> {
    let at = |offset: usize| text.get(..offset).unwrap_or(text).matches('\n').count() + 1;
    let wrong = |line: usize, problem: String| {
        Failure::usage(format!("{}:{line}: {}", path.display(), problem.replace('\n', " ")))
    };
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| at(span.start));
        let key = text.lines().nth(line - 1).and_then(|line| line.split_once('='));
        let key = key.map(|(key, _)| format!("{}: ", key.trim())).unwrap_or_default();
        wrong(line, format!("{key}{}", error.message()))
    })?;
    let options = role.settings();
    let mut entries: Vec<Entry> = Vec::new();
    let mut problems = Vec::new();
    let mut take = |key: String, offset: usize, value: &DeValue<'_>| {
        let line = at(offset);
        match entry(&options, &key, value) {
            Ok((option, _)) if entries.iter().any(|entry| entry.option == option) => {
                problems.push((line, format!("{key}: this is set already")));
            }
            Ok((option, values)) => entries.push(Entry { option, values, line }),
            Err(problem) => problems.push((line, format!("{key}: {problem}"))),
        }
    };
    for (key, value) in document.get_ref() {
        let (name, offset) = (key.get_ref(), key.span().start);
        match value.get_ref() {
            DeValue::Table(table) if TABLES.contains(&&**name) => {
                for (key, value) in table {
                    take(format!("{name}.{}", key.get_ref()), key.span().start, value.get_ref());
                }
            }
            value => take(name.to_string(), offset, value),
        }
    }
    match problems.into_iter().min() {
        Some((line, problem)) => Err(wrong(line, problem)),
        None => Ok(entries),
    }
}

/// The option that a key stands for, and its values; or what is wrong.
fn entry(options: &Command, key: &str, value: &DeValue<'_>) -> Result<(String, Vec<String>), String> {
    let option = NAMED_OTHERWISE.iter().find(|(name, _)| *name == key);
    let option = option.map_or_else(|| key.replace('.', "-"), |(_, option)| (*option).into());
    let Some(argument) = options.get_arguments().find(|argument| argument.get_long() == Some(&option)) else {
        return Err(unknown_key(options, key, value));
    };
    let values = match value {
        DeValue::Array(values) if matches!(argument.get_action(), ArgAction::Append) => {
            values.iter().map(|value| scalar(value.get_ref())).collect::<Result<Vec<_>, _>>()?
        }
        DeValue::Array(_) => return Err("this takes one value, not a list".into()),
        value => vec![scalar(value)?],
    };
    for value in &values {
        let alone = Command::new("file").no_binary_name(true).disable_help_flag(true).arg(argument.clone());
        if let Err(error) = alone.try_get_matches_from([format!("--{option}={value}")]) {
            return Err(Refusal::new(&error).problem);
        }
    }
    Ok((option, values))
}

/// What a flag would be given.
fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().into()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.as_str().into()),
        DeValue::Boolean(yes) => Ok(if *yes { "yes" } else { "no" }.into()),
        DeValue::Datetime(_) => Err("this is a date: write a text in quotes, a number, or yes or no".into()),
        DeValue::Array(_) => Err("this is a list in a list: write one list".into()),
        DeValue::Table(_) => Err("this is a table: write a text in quotes, a number, or yes or no".into()),
    }
}

fn unknown_key(options: &Command, key: &str, value: &DeValue<'_>) -> String {
    let names = options.get_arguments().filter_map(clap::Arg::get_long);
    if let DeValue::Table(_) = value {
        return format!(
            "there is no such table; {}",
            did_you_mean(key, TABLES, "there are sctp, tcp, hunt and log")
        );
    }
    let wrong = key.replace('.', "-");
    let elsewhere = Role::ALL
        .iter()
        .find(|role| role.settings().get_arguments().any(|argument| argument.get_long() == Some(&wrong)));
    let otherwise = elsewhere.map_or_else(
        || "--print-config lists all".to_string(),
        |role| format!("{} has one, but this command has not", role.command()),
    );
    match elsewhere {
        Some(_) => format!("there is no such key here; {otherwise}"),
        None => format!("there is no such key; {}", did_you_mean(&wrong, names, &otherwise)),
    }
}

/// Lets the settings of a file be what holds if neither flag nor variable says otherwise.
pub(crate) fn with_file(command: Command, file: &[Entry]) -> Command {
    command.mut_args(|argument| {
        let entry = file.iter().find(|entry| argument.get_long() == Some(&entry.option));
        match entry {
            Some(entry) if !entry.values.is_empty() => argument.default_values(entry.values.clone()),
            _ => argument,
        }
    })
}
