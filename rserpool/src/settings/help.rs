//! The help: what the settings of a role add to it.

use std::collections::BTreeSet;

use clap::{Arg, Command};

use super::{PresetName, Role};

/// What the help says of the default of an option.
pub(super) fn by_default(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let text = help.rsplit_once("[default: ").map_or("", |(_, text)| text);
    text.split(']').next().unwrap_or_default().to_string()
}

/// Gives each setting its variable, and its help the defaults; and paragraphs that fit every terminal.
pub(crate) fn complete(program: Command) -> Command {
    let text = program.get_after_help().map(ToString::to_string).unwrap_or_default();
    program.after_help(flowing(&text)).mut_subcommands(|command| {
        let Some(text) = command.get_after_help().map(ToString::to_string) else { return command };
        let command = command.after_help(flowing(&text));
        let Some(role) = Role::of(command.get_name()) else { return command };
        let settings = role.settings();
        let names: BTreeSet<&str> = settings.get_arguments().filter_map(Arg::get_long).collect();
        let [rfc, fast, rack] = [PresetName::Rfc, PresetName::Fast, PresetName::Rack].map(|preset| role.preset(preset));
        let units = "TIME is a number with a unit, ns, us, ms, s, m, h or d, or several of them: 1m 30s. Sizes are \
                     in octets. Each setting can also be given in the environment";
        let units = format!("{units}, as {}BIND.", role.prefix());
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        command.after_help(format!("{examples}\n\n{units}")).mut_args(|argument| {
            let Some(option) = argument.get_long().map(str::to_string) else { return argument };
            if option != "config" && !names.contains(&*option) {
                return argument;
            }
            let rare = ["sctp-", "tcp-"].iter().any(|rare| option.starts_with(rare));
            let argument = argument.env(role.variable(&option)).hide_env(true).hide_short_help(rare);
            let value = |preset: &[(&'static str, String)]| {
                preset.iter().find(|(name, _)| *name == option).map(|(_, value)| value.clone())
            };
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            if help.contains("[default") {
                return argument;
            }
            let presets = [("default: ", &rfc), ("fast ", &fast), ("rack ", &rack)];
            let mut values = presets.map(|(name, preset)| (name, value(preset))).to_vec();
            if values.iter().all(|(_, value)| value.is_none()) {
                return argument;
            }
            // Each where it is another than the one before.
            values.dedup_by(|(_, value), (_, before)| value == before);
            let said = |(name, value): (&str, Option<String>)| name.to_string() + value.as_deref().unwrap_or("not set");
            let values: Vec<String> = values.into_iter().map(said).collect();
            argument.help(format!("{help} [{}]", values.join("; ")))
        })
    })
}

/// A text whose paragraphs are one line each, to be broken where the terminal ends. Lines that begin with a space, and
/// what leads to them, stay as they are.
fn flowing(text: &str) -> String {
    let mut flowing = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        flowing += line;
        let goes_on = |next: &&str| !line.is_empty() && !next.is_empty() && !next.starts_with(' ');
        match lines.peek() {
            Some(next) if goes_on(next) && !line.starts_with(' ') => flowing.push(' '),
            Some(_) => flowing.push('\n'),
            None => {}
        }
    }
    flowing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_flow_and_examples_stay() {
        let text = "Examples:\n  one\n  two\n\nThis is\na sentence.\nAnother.\n\nThe end.";
        assert_eq!(flowing(text), "Examples:\n  one\n  two\n\nThis is a sentence. Another.\n\nThe end.");
    }
}
