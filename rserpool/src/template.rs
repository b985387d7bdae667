//! `rserpool template`: a file that follows a pool, for programs that read their servers from one.

use std::path::PathBuf;
use std::time::Duration;

use rserpool_core::user::Notice;
use rserpool_proxy::choice::Target;
use rserpool_proxy::command;
use rserpool_proxy::template::{self, Template};
use rserpool_tokio::{PoolState, PoolUser};
use serde_json::json;
use tokio::time::Instant;

use crate::client::{self, Client};
use crate::exit::Failure;
use crate::output;
use crate::runtime::run_async;
use crate::settings::{Given, Named, PoolName, Source, Time, UserSettings};
use crate::signals::Termination;

/// Write a file whenever a pool changes, and run a command, for programs that read their servers from a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool template --pool Web --in upstreams.tmpl --out upstreams.conf --reload 'nginx -s reload'
  rserpool template --pool Web --in hosts.tmpl --out hosts --once

A template is a text. What stands between a line {{#elements}} and a line {{/elements}} is repeated for each
element of the pool that serves by TCP, in the order of their identifiers, with {{id}}, {{address}}, {{ip}} and {{port}}
replaced; {{pool}} and {{count}} may stand anywhere.

The file is replaced as a whole, and only if its text is another one. If the file cannot be written or the
command fails, both are tried again. Ctrl-C ends.")]
pub(crate) struct TemplateCommand {
    /// The pool
    #[arg(long, value_name = "NAME", value_parser = PoolName::parser())]
    pool: PoolName,
    /// The template
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The file to write
    #[arg(long = "out", value_name = "FILE")]
    output: PathBuf,
    /// A command of the shell to run when the file has changed
    #[arg(long, value_name = "COMMAND")]
    reload: Option<String>,
    /// How long the command may take [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = Time::parser())]
    reload_timeout: Option<Time>,
    /// The shortest time between two changes of the file [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = Time::parser())]
    pause: Option<Time>,
    /// Write the file also when the pool has no element any more; otherwise the last one stays
    #[arg(long)]
    write_empty: bool,
    /// End when the file has been written for the first time
    #[arg(long)]
    once: bool,
    /// Print events as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    settings: UserSettings,
}

/// How long the command may take, if nothing else is set.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The shortest time between two changes, if nothing else is set.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before what has failed is tried again.
const TRY_AGAIN_MAX: Duration = Duration::from_secs(30);

impl TemplateCommand {
    pub(crate) fn run(self, given: &Given) -> Result<(), Failure> {
        let text = std::fs::read_to_string(&self.input).map_err(|error| {
            Failure::usage(format!("--in: cannot read {}: {error}", self.input.display()))
        })?;
        let template = Template::read(&text)
            .map_err(|error| Failure::usage(format!("--in: {}: {error}", self.input.display())))?;
        let prepared = Client::prepare(given, &self.source, &self.settings, self.json)?;
        let Some(client) = prepared else { return Ok(()) };
        run_async(async {
            let termination = Termination::new()?;
            let running = client.start().await?;
            let user = running.user.clone();
            running.finish(termination, self.follow(&user, &template)).await
        })
    }

    async fn follow(&self, user: &PoolUser, template: &Template) -> Result<(), Failure> {
        let watched = user.watch(self.pool.clone()).await;
        let mut pool = watched.map_err(|error| client::explain(&self.pool, &error))?;
        let mut work = Work::default();
        let mut complained = false;
        loop {
            tokio::select! {
                state = pool.changed() => {
                    complained = false;
                    let elements = match state {
                        Some(PoolState::Elements(now)) => {
                            let mut elements: Vec<Target> = now.elements.iter().filter_map(Target::of).collect();
                            elements.sort_by_key(|target| target.element);
                            elements
                        }
                        Some(_) => Vec::new(),
                        None => return Err(Failure::failed("the user has ended")),
                    };
                    if elements.is_empty() && !self.write_empty {
                        self.say("kept", format_args!("the pool {} has no element; {} stays as it is", self.pool, self.output.display()))?;
                        work.text = None;
                    } else {
                        work.text = Some((template.fill(&self.pool.to_string(), &elements), elements.len()));
                    }
                }
                () = work.due() => {
                    if self.carry_out(&mut work).await? && self.once {
                        return Ok(());
                    }
                }
                Some(notice) = user.next_event() => if let Notice::NoRegistrar { tried, .. } = notice
                    && !std::mem::replace(&mut complained, true)
                {
                    output::remark(format_args!("{}; Ctrl-C ends", client::no_registrar(&tried)));
                },
            }
        }
    }

    /// Writes the file and runs the command; whether all of it is done.
    async fn carry_out(&self, work: &mut Work) -> Result<bool, Failure> {
        let pause = self.pause.map_or(PAUSE, Duration::from);
        if let Some((text, elements)) = &work.text {
            match template::write(&self.output, text) {
                Ok(true) => {
                    self.say(
                        "written",
                        format_args!("{} has {}", self.output.display(), output::count(*elements, "element")),
                    )?;
                    work.reload = self.reload.is_some();
                }
                Ok(false) => {}
                Err(error) => {
                    self.fail(format_args!("cannot write {}: {error}", self.output.display()));
                    work.again(pause);
                    return Ok(false);
                }
            }
            work.text = None;
        }
        if let (true, Some(reload)) = (work.reload, &self.reload) {
            let limit = self.reload_timeout.map_or(RELOAD_TIMEOUT, Duration::from);
            match command::run_with(reload, &[], limit).await {
                Ok(_) => self.say("reloaded", format_args!("{reload}: done"))?,
                Err(error) => {
                    self.fail(format_args!("{reload}: {error}"));
                    work.again(pause);
                    return Ok(false);
                }
            }
        }
        work.done(pause);
        Ok(true)
    }

    fn say(&self, event: &str, text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
        match self.json {
            true => output::json(
                &json!({ "event": event, "pool": self.pool.to_string(), "file": self.output.display().to_string() }),
            ),
            false => output::line(text),
        }
    }

    fn fail(&self, text: std::fmt::Arguments<'_>) {
        output::remark(format_args!("{text}; it is tried again"));
    }
}

/// What is to be done, and when.
#[derive(Default)]
struct Work {
    /// The text to write, and how many elements are in it.
    text: Option<(String, usize)>,
    /// Whether the command is to be run.
    reload: bool,
    not_before: Option<Instant>,
    failures: u32,
}

impl Work {
    /// Waits until there is something to do, and the time for it has come. Cancel safe.
    async fn due(&self) {
        if self.text.is_none() && !self.reload {
            std::future::pending::<()>().await;
        }
        if let Some(at) = self.not_before {
            tokio::time::sleep_until(at).await;
        }
    }

    fn done(&mut self, pause: Duration) {
        (self.reload, self.failures) = (false, 0);
        self.not_before = Some(Instant::now() + pause);
    }

    /// Something has failed: again after a pause that doubles.
    fn again(&mut self, pause: Duration) {
        let factor = 1 << self.failures.min(5);
        self.failures += 1;
        self.not_before =
            Some(Instant::now() + (pause * factor).clamp(Duration::from_millis(100), TRY_AGAIN_MAX));
    }
}
