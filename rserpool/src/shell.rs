//! `rserpool completions` and `rserpool man`: for packagers.

use std::path::PathBuf;

use clap_complete::Shell;

use crate::exit::Failure;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

impl CompletionsCommand {
    pub(crate) fn run(self, program: &clap::Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut visible(program), "rserpool", &mut script);
        crate::output::line(String::from_utf8_lossy(&script))
    }
}

/// Print the manual page of the program or of one command, or write all pages into a directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool man > rserpool.1
  rserpool man stats | man -l -
  rserpool man --into /usr/local/share/man/man1")]
pub(crate) struct ManCommand {
    /// The command [default: the program as a whole]
    command: Option<String>,
    /// The directory into which to write all pages: rserpool.1, rserpool-registrar.1 and so on
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "command")]
    into: Option<PathBuf>,
}

impl ManCommand {
    pub(crate) fn run(self, program: &clap::Command) -> Result<(), Failure> {
        let mut program = visible(program).disable_help_subcommand(true);
        if let Some(directory) = self.into {
            return clap_mangen::generate_to(program, &directory).map_err(|error| {
                Failure::failed(format!("cannot write to {}: {error}", directory.display()))
            });
        }
        program.build();
        let command = match self.command {
            None => &program,
            Some(name) => program.find_subcommand(&name).ok_or_else(|| {
                Failure::usage(format!("man: there is no command {name}; rserpool --help lists all"))
            })?,
        };
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
        crate::output::line(String::from_utf8_lossy(&page).trim_end())
    }
}

/// The program with the commands that people use.
fn visible(program: &clap::Command) -> clap::Command {
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set());
    let mut visible = clap::Command::new("rserpool").about(program.get_about().cloned().unwrap_or_default());
    visible = visible.after_help(program.get_after_help().cloned().unwrap_or_default());
    visible.version(crate::VERSION).subcommands(commands.cloned())
}
