//! A pool element on smol that sends back what it gets, until Ctrl-C. A registrar notices that it is
//! gone by itself; call `PoolElement::shutdown` to leave properly.
//!
//! ```text
//! cargo run -p rserpool-smol --example smol_echo_element -- EchoPool 127.0.0.1:20001
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use rserpool_smol::{ElementEvent, PoolElement, Preset, Refusal};

const USAGE: &str = "usage: smol_echo_element POOL IP:PORT OF A REGISTRAR";

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
    let builder = PoolElement::builder(&**pool).registrar(registrar).preset(Preset::Fast);
    let element = builder.start().await?;
    println!("element {} on UDP {}", element.id(), element.local_addr());
    while let Some(event) = element.next_event().await {
        match event {
            ElementEvent::Registered { registrar, .. } => println!("registered at {registrar}"),
            ElementEvent::RegistrationFailed(error) => return Err(error.into()),
            ElementEvent::Received { session, protocol, bytes, .. } => {
                // A user that does not read its answers loses them.
                let sent = element.send(session, protocol, bytes).await;
                // A user that does not take its answers loses the session, and asks again in another one.
                if sent == Err(Refusal::Congested) {
                    let _ = element.close(session).await;
                }
            }
            event => println!("{event:?}"),
        }
    }
    Ok(())
}
