//! `rserpool demo`: a pool that survives the death of servers and registrars, played in real
//! processes.

mod judge;
mod registrars;
mod stage;
mod timeline;
mod user;

pub(crate) use user::DemoUserCommand;

use crate::exit::Failure;
use crate::output;
use crate::runtime::run_async;
use crate::settings::{Named, PresetName};
use crate::signals::Termination;

/// Show a pool that survives the death of its servers and of its registrars.
///
/// Starts three registrars, three echo elements and a user as separate processes on loopback. The user
/// sends a numbered request every 20 ms, and the elements count them, whichever it is at. The element in use is killed, the next one frozen and thawed,
/// another one stopped cleanly, and a new one joins. Then a request takes a second, and the user takes no
/// answers for another: nobody fails by that. At last the home registrar of the element in use is killed,
/// comes back and catches up, and the registrar from which it did so is killed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool demo
  rserpool demo --json | tail -1

Exits with 0 only if no request was lost, every request outside a failover was answered once, without
being sent again, within 500 ms (within 1.5 s if it was slow, or the user took no answers), the gap of
every failover was below 500 ms, every answer bore the count of its request, and every element had a new home at every registrar within 1.5 s after
its own was killed. That takes the fast preset: with rfc, a failure is noticed after many seconds, as in
the RFCs.")]
pub(crate) struct DemoCommand {
    /// Print one JSON object per event
    #[arg(long)]
    json: bool,
    /// Which timers and limits the processes start from
    #[arg(long, default_value = "fast", value_parser = PresetName::parser())]
    preset: PresetName,
}

impl DemoCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        run_async(async {
            let mut termination = Termination::new()?;
            let mut stage = stage::Stage::new(self.json, self.preset)?;
            let result = tokio::select! {
                result = stage.play() => result,
                () = termination.wait() => Err(Failure::failed("interrupted")),
            };
            stage.clear().await;
            if result.is_ok() && !self.json {
                output::hint("the same by hand: rserpool --help says what to type in three terminals");
            }
            result
        })
    }
}
