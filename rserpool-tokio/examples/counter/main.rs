//! A counter that never goes back and never skips, although its servers die.
//!
//! ```text
//! cargo run -p rserpool-tokio --example counter
//! ```
//!
//! Starts a registrar and three servers, counts to 1,000 in one session, and kills the server in use at each hundred; a
//! new one takes its place. Ends with 0 only if every answer was the next number.

#[path = "../stage/mod.rs"]
mod stage;

mod server;

use rserpool_tokio::{ElementId, Session, SessionEvent};
use server::PROTOCOL;
use stage::{Error, Stage};

const POOL: &str = "Counters";
const SERVERS: u32 = 3;
const LAST: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Error> {
    stage::run(play, server::serve).await
}

async fn play() -> Result<(), Error> {
    let mut stage = Stage::new(POOL).await?;
    for id in 1..=SERVERS {
        stage.serve(id)?;
    }
    let session = stage.user().await?.connect(POOL).await?;
    // Beside the calls, so that `element` is right, and the element need not wait until they are taken.
    tokio::spawn(follow(session.clone()));
    for number in 1..=LAST {
        // The number of the call, by which a server knows one that it, or another, has counted already.
        let answer = session.call(PROTOCOL, number.to_be_bytes().to_vec()).await?;
        let count = u64::from_be_bytes(answer[..].try_into()?);
        if count != number {
            return Err(format!("call {number} was answered with {count}").into());
        }
        if number % 100 == 0 && number < LAST {
            let ElementId(id) = session.element();
            println!("{count:>4}  {} is killed", ElementId(id));
            stage.kill(ElementId(id))?;
            stage.serve(id + SERVERS)?;
        }
    }
    println!("{LAST:>4}  it never went back and never skipped");
    Ok(())
}

async fn follow(session: Session) {
    while let Some(event) = session.next_event().await {
        if let SessionEvent::FailedOver { from, to, .. } = event {
            println!("      moved from {from} to {to}");
        }
    }
}
