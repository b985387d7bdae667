//! `rserpool completions` and `rserpool man`: for packagers.

use clap_complete::Shell;

use crate::exit::Failure;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

impl CompletionsCommand {
    pub(crate) fn run(self, mut program: clap::Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "rserpool", &mut script);
        crate::output::line(String::from_utf8_lossy(&script))
    }
}

/// Print the manual page, with one section for each command.
pub(crate) fn print_manual(mut program: clap::Command) -> Result<(), Failure> {
    let mut page = Vec::new();
    program.build();
    clap_mangen::Man::new(program.clone()).render(&mut page)?;
    for subcommand in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("rserpool-{}", subcommand.get_name());
        clap_mangen::Man::new(subcommand.clone()).title(name).render(&mut page)?;
    }
    crate::output::line(String::from_utf8_lossy(&page))
}
