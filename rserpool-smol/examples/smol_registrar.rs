//! A registrar on smol, until Ctrl-C. Peers are other registrars, of this kind or `rserpool registrar`.
//!
//! ```text
//! cargo run -p rserpool-smol --example smol_registrar -- 127.0.0.1:20001
//! cargo run -p rserpool-smol --example smol_registrar -- 127.0.0.1:20002 127.0.0.1:20001
//! ```

use std::error::Error;
use std::process::ExitCode;

use rserpool_smol::{Preset, Registrar};

const USAGE: &str = "usage: smol_registrar IP:PORT [IP:PORT OF A PEER]...";

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
    let mut addresses = Vec::new();
    for argument in std::env::args().skip(1) {
        addresses.push(argument.parse().map_err(|_| USAGE)?);
    }
    let [bind, peers @ ..] = &addresses[..] else { return Err(USAGE.into()) };
    let builder = Registrar::builder().bind(*bind).preset(Preset::Fast);
    let registrar = peers.iter().fold(builder, |builder, peer| builder.peer(*peer)).start().await?;
    println!("registrar {} listens on UDP {}", registrar.id(), registrar.local_addr());
    // Only a second registrar with the same identifier ends it.
    Ok(registrar.ended().await?)
}
