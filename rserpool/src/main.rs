//! The `rserpool` program: registrar, elements, users, and tools to look at them.
//!
//! Each subcommand is a file. The program exits with 0 for success, 1 for a negative answer or a failure, 64
//! for bad flags or configuration, and 70 for a bug of ours.

mod background;
mod bench;
mod client;
mod connect;
mod decode;
mod demo;
mod discovery;
mod exit;
mod inspect;
mod logging;
mod output;
mod pools;
mod registrar;
mod resolve;
mod runtime;
mod serve;
mod settings;
mod shell;
mod signals;
mod stats;
mod survey;
mod table;
mod view;

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use exit::Failure;

/// Reliable Server Pooling (RFC 5351 to 5356): pools of servers that survive the death of a server.
#[derive(Debug, Parser)]
#[command(name = "rserpool", version, max_term_width = 100)]
#[command(after_help = "\
Every long option of a command can also be given in the environment, as RSERPOOL_ and its name in
capitals (RSERPOOL_KEEP_ALIVE_INTERVAL=5s), and in a TOML file with --config. An option comes before
the environment, the environment before the file, and the file before the preset.

Exits with 0 for success, 1 for a negative answer or a failure, 64 for bad options or configuration,
70 for an internal error.")]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Subcommand)]
enum Commands {
    Registrar(Box<registrar::RegistrarCommand>),
    Serve(Box<serve::ServeCommand>),
    Connect(Box<connect::ConnectCommand>),
    Resolve(Box<resolve::ResolveCommand>),
    Pools(Box<pools::PoolsCommand>),
    Stats(Box<stats::StatsCommand>),
    Decode(decode::DecodeCommand),
    Bench(Box<bench::BenchCommand>),
    Demo(demo::DemoCommand),
    #[command(hide = true)]
    DemoUser(Box<demo::DemoUserCommand>),
    #[command(hide = true)]
    Completions(shell::CompletionsCommand),
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

fn main() -> ExitCode {
    die_of_panics();
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let result = match cli.command {
        Commands::Registrar(command) => command.run(),
        Commands::Serve(command) => command.run(),
        Commands::Connect(command) => command.run(),
        Commands::Resolve(command) => command.run(),
        Commands::Pools(command) => command.run(),
        Commands::Stats(command) => command.run(),
        Commands::Decode(command) => command.run(),
        Commands::Bench(command) => command.run(),
        Commands::Demo(command) => command.run(),
        Commands::DemoUser(command) => command.run(),
        Commands::Completions(command) => command.run(Cli::command()),
        Commands::Man => shell::print_manual(Cli::command()),
    };
    output::flush();
    logging::flush();
    result.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

/// A panic is a bug of ours. It ends the process with 70 (the EX_SOFTWARE of BSD), in whichever task it
/// happens, so that a supervisor notices, instead of leaving a process that no longer answers.
fn die_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        output::last_remark(format_args!("internal error, please report it: {panic}"));
        std::process::exit(70);
    }));
}

fn parse() -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&with_environment(Cli::command()).try_get_matches()?)
}

/// Lets every option of the commands that have settings be given in the environment.
fn with_environment(command: Command) -> Command {
    command.mut_subcommands(|subcommand| subcommand.mut_args(from_environment))
}

fn from_environment(argument: Arg) -> Arg {
    let variable = match argument.get_long() {
        // Flags that ask for something else than the work are not for the environment.
        None | Some("help" | "version" | "validate") => return argument,
        Some(long) => settings::name_in_environment(long),
    };
    // clap wants names that live as long as the program; there are a few dozen.
    let variable: &'static OsStr = Box::leak(std::ffi::OsString::from(variable).into_boxed_os_str());
    let rare =
        argument.get_long().is_some_and(|long| ["sctp-", "tcp-"].iter().any(|rare| long.starts_with(rare)));
    argument.env(variable).hide_env(true).hide_short_help(rare)
}

/// Help goes to the output; an error becomes one line.
fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let help = error.render();
            let colours = std::io::stdout().is_terminal();
            let help = if colours { help.ansi().to_string() } else { help.to_string() };
            let shown = output::line(help.trim_end());
            shown.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(64)
        }
        _ => {
            let text = error.render().to_string();
            let text = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<&str> = text.split_whitespace().collect();
            let line = words.join(" ");
            Failure::usage(line.strip_prefix("error: ").unwrap_or(&line)).report()
        }
    }
}
