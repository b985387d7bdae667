//! A pool user on smol: sends each line of its input to a pool and prints the answers. Kill the
//! element that answers, and another goes on.
//!
//! ```text
//! cargo run -p rserpool-smol --example smol_echo_user -- EchoPool 127.0.0.1:20001
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use rserpool_smol::{PoolUser, Preset, ProtocolId, Session, SessionEvent};
use smol::Unblock;
use smol::io::{AsyncBufReadExt, BufReader};
use smol::stream::StreamExt;

const USAGE: &str = "usage: smol_echo_user POOL IP:PORT OF A REGISTRAR";

fn main() -> ExitCode {
    match smol::block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, pool, registrar] = &arguments[..] else { return Err(USAGE.into()) };
    let registrar: SocketAddr = registrar.parse().map_err(|_| USAGE)?;
    let user = PoolUser::builder().registrar(registrar).preset(Preset::Fast).start().await?;
    let session = user.connect(&**pool).await?;
    println!("element {} serves us", session.element());
    let mut lines = BufReader::new(Unblock::new(std::io::stdin())).lines();
    while let Some(line) = lines.next().await {
        let line = line?;
        // A message has at least one octet.
        if !line.is_empty() {
            println!("{}", ask(&session, line).await?);
        }
    }
    user.shutdown(Duration::from_secs(2)).await;
    Ok(())
}

/// Sends a request and waits for its answer, whoever gives it.
async fn ask(session: &Session, line: String) -> Result<String, Box<dyn Error>> {
    let request = session.request(ProtocolId(0), line).await?;
    while let Some(event) = session.next_event().await {
        match event {
            SessionEvent::Received { element, bytes, .. } => {
                session.answered(request).await?;
                return Ok(format!("{element}: {}", String::from_utf8_lossy(&bytes)));
            }
            SessionEvent::FailedOver { from, to, .. } => println!("moved from {from} to {to}"),
            SessionEvent::Closed { error: Some(error), .. } => return Err(error.into()),
            _ => {}
        }
    }
    Err("the session has ended".into())
}
