//! The `rserpool` program: registrar, elements, users, and tools to look at them.
//!
//! Each subcommand is a file. [`exit`] says what the exit codes mean.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic when a stream is closed or full")]

#[cfg(feature = "proxy")]
mod attach;
mod background;
mod bench;
mod calcapp;
mod children;
mod client;
mod connect;
mod daemon;
mod decode;
mod demo;
mod discovery;
mod exit;
mod health;
mod inspect;
mod live;
mod logging;
mod output;
mod pingpong;
mod policies;
mod pools;
#[cfg(feature = "proxy")]
mod proxy;
mod registrar;
mod resolve;
mod runtime;
mod serve;
mod settings;
mod shell;
mod signals;
mod stats;
mod status;
mod survey;
mod table;
#[cfg(feature = "proxy")]
mod template;
mod view;
mod watch;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use exit::Failure;
use settings::{Given, Refusal, Refused};

/// The version, and the commit if it is known.
const VERSION: &str = env!("PROGRAM_VERSION");

/// Reliable Server Pooling (RFC 5351 to 5356): pools of servers that survive the death of a server.
#[derive(Debug, Parser)]
#[command(name = "rserpool", version = VERSION, max_term_width = 100)]
#[command(after_help = "\
Begin with three terminals:
  rserpool registrar --bind 127.0.0.1:20001
  rserpool serve echo --registrar 127.0.0.1:20001
  rserpool connect EchoPool --registrar 127.0.0.1:20001

Then add a second registrar and a second element, each in a terminal of its own:
  rserpool registrar --bind 127.0.0.1:20002 --peer 127.0.0.1:20001
  rserpool serve echo --registrar 127.0.0.1:20001,127.0.0.1:20002

Type lines into connect; kill the element that answers (Ctrl-\\ in its terminal), and type on: after five
seconds the other one answers. rserpool demo plays all this by itself, with faster timers.

Every setting of registrar, serve, attach, proxy, connect, resolve, watch, pools, stats and health can also be given in the
environment, under the name of its role (RSERPOOL_REGISTRAR_BIND, RSERPOOL_ELEMENT_BIND,
RSERPOOL_ATTACH_BIND, RSERPOOL_PROXY_BIND, RSERPOOL_USER_BIND, RSERPOOL_INSPECTOR_BIND), and in a TOML file with --config. An option comes before
the environment, the environment before the file, and the file before the preset.

Exits with 0 for success, 1 if the answer is no or something failed, 2 if nobody answered, 64 for bad
options or configuration, 70 for an internal error.

For packagers: rserpool completions SHELL, rserpool man --into DIRECTORY.")]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Subcommand)]
enum Commands {
    Registrar(Box<registrar::RegistrarCommand>),
    Serve(Box<serve::ServeCommand>),
    #[cfg(feature = "proxy")]
    Attach(Box<attach::AttachCommand>),
    #[cfg(feature = "proxy")]
    Proxy(Box<proxy::ProxyCommand>),
    Connect(Box<connect::ConnectCommand>),
    Resolve(Box<resolve::ResolveCommand>),
    Watch(Box<watch::WatchCommand>),
    #[cfg(feature = "proxy")]
    Template(Box<template::TemplateCommand>),
    #[command(name = "pingpong")]
    PingPong(Box<pingpong::PingPongCommand>),
    #[command(name = "calcapp")]
    CalcApp(Box<calcapp::CalcAppCommand>),
    Pools(Box<pools::PoolsCommand>),
    Stats(Box<stats::StatsCommand>),
    Health(Box<health::HealthCommand>),
    Policies(policies::PoliciesCommand),
    Decode(decode::DecodeCommand),
    Bench(Box<bench::BenchCommand>),
    Demo(demo::DemoCommand),
    #[command(hide = true)]
    DemoUser(Box<demo::DemoUserCommand>),
    #[command(hide = true)]
    Completions(shell::CompletionsCommand),
    #[command(hide = true)]
    Man(shell::ManCommand),
}

fn main() -> ExitCode {
    die_of_panics();
    // What is wrong with the arguments is to be JSON, too, if they ask for it.
    if std::env::args_os().any(|argument| argument == "--json") {
        output::failures_as_json();
    }
    let (matches, given) = match Given::read(Cli::command, std::env::args_os().collect()) {
        Ok(read) => read,
        Err(Refused::Shown(text)) => return show(&text),
        Err(Refused::Wrong(failure)) => return end(&failure, None),
    };
    if given.wants_json() {
        output::failures_as_json();
    }
    let command = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli.command,
        Err(error) => return end(&Failure::usage(Refusal::new(&error).problem), None),
    };
    let result = match command {
        Commands::Registrar(command) => command.run(&given),
        Commands::Serve(command) => command.run(&given),
        #[cfg(feature = "proxy")]
        Commands::Attach(command) => command.run(&given),
        #[cfg(feature = "proxy")]
        Commands::Proxy(command) => command.run(&given),
        Commands::Connect(command) => command.run(&given),
        Commands::Resolve(command) => command.run(&given),
        Commands::Watch(command) => command.run(&given),
        #[cfg(feature = "proxy")]
        Commands::Template(command) => command.run(&given),
        Commands::PingPong(command) => command.run(&given),
        Commands::CalcApp(command) => command.run(&given),
        Commands::Pools(command) => command.run(&given),
        Commands::Stats(command) => command.run(&given),
        Commands::Health(command) => command.run(&given),
        Commands::Policies(command) => command.run(),
        Commands::Decode(command) => command.run(),
        Commands::Bench(command) => command.run(),
        Commands::Demo(command) => command.run(),
        Commands::DemoUser(command) => command.run(),
        Commands::Completions(command) => command.run(&settings::complete(Cli::command())),
        Commands::Man(command) => command.run(&settings::complete(Cli::command())),
    };
    output::flush();
    logging::flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure, Some(&given)),
    }
}

/// A panic is a bug of ours. It ends the process with 70 (the EX_SOFTWARE of BSD), in whichever task it
/// happens, so that a supervisor notices, instead of leaving a process that no longer answers.
fn die_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        output::last_remark(format_args!("internal error, please report it: {panic}"));
        std::process::exit(70);
    }));
}

/// Says why the program ends. A value that cannot work is named with the place where it is set.
fn end(failure: &Failure, given: Option<&Given>) -> ExitCode {
    match (failure, given) {
        (Failure::BrokenPipe, _) => {}
        (Failure::Usage(message), Some(given)) => output::last_failure(failure, given.locate(message)),
        _ => output::last_failure(failure, failure.to_string()),
    }
    ExitCode::from(failure.code())
}

/// Help and version go to the output. The help that comes because a command is missing is an error.
fn show(text: &clap::Error) -> ExitCode {
    let rendered = text.render();
    let colours = std::io::stdout().is_terminal();
    let rendered = if colours { rendered.ansi().to_string() } else { rendered.to_string() };
    match (output::line(rendered.trim_end()), text.kind()) {
        (Err(failure), _) => end(&failure, None),
        (Ok(()), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) => ExitCode::from(64),
        (Ok(()), _) => ExitCode::SUCCESS,
    }
}
