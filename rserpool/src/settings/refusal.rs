//! What clap refuses, in one line and in the words of this program.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::nearest::nearest;

/// What is wrong, where it stands, and what may have been meant.
pub(crate) struct Refusal {
    /// The option or the argument, such as `--bind`, if the error is about one.
    pub(crate) option: Option<String>,
    /// What is wrong with it.
    pub(crate) problem: String,
}

impl Refusal {
    /// Reads an error of clap.
    pub(crate) fn new(error: &clap::Error) -> Self {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
            _ => None,
        };
        let option = text(ContextKind::InvalidArg).map(|name| first_word(name).to_string());
        let value = text(ContextKind::InvalidValue).unwrap_or_default();
        match error.kind() {
            ErrorKind::ValueValidation => {
                let problem = error.source().map_or_else(|| rendered(error), ToString::to_string);
                Self { option, problem }
            }
            ErrorKind::InvalidValue => {
                let valid = match error.get(ContextKind::ValidValue) {
                    Some(ContextValue::Strings(valid)) => valid.clone(),
                    _ => Vec::new(),
                };
                Self { option, problem: not_among(value, &valid) }
            }
            ErrorKind::UnknownArgument => {
                let name = option.unwrap_or_default();
                let meant = text(ContextKind::SuggestedArg).map(first_word);
                Self { option: None, problem: format!("there is no option {name}{}", question(meant)) }
            }
            ErrorKind::InvalidSubcommand => {
                let name = text(ContextKind::InvalidSubcommand).unwrap_or_default();
                let meant = text(ContextKind::SuggestedSubcommand);
                let otherwise = if meant.is_none() { "; see rserpool --help" } else { "" };
                let problem = format!("there is no command {name}{}{otherwise}", question(meant));
                Self { option: None, problem }
            }
            ErrorKind::MissingRequiredArgument => {
                let name = text(ContextKind::InvalidArg).unwrap_or_default();
                Self { option: None, problem: format!("{name} is missing; see --help") }
            }
            _ => Self { option: None, problem: rendered(error) },
        }
    }
}

/// A value that is none of those that there are.
fn not_among(value: &str, valid: &[String]) -> String {
    let list = valid.join(", ");
    if value.is_empty() {
        return format!("a value is missing: write one of {list}");
    }
    let meant = nearest(value, valid.iter().map(String::as_str));
    format!("\"{value}\" is none of {list}{}", question(meant))
}

fn question(meant: Option<&str>) -> String {
    meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

fn first_word(text: &str) -> &str {
    text.split([' ', '=']).next().unwrap_or_default()
}

/// The first paragraph of what clap would print.
fn rendered(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_string()
}
