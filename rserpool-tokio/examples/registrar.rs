//! A registrar on tokio, until Ctrl-C: `cargo run -p rserpool-tokio --example registrar -- 127.0.0.1:20001`.

use rserpool_tokio::{Preset, Registrar};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bind = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9899".into());
    let registrar = Registrar::builder().bind(bind.parse()?).preset(Preset::Fast).start().await?;
    println!("registrar {} listens on UDP {}", registrar.id(), registrar.local_addr());
    Ok(registrar.ended().await?)
}
