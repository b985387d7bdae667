//! A pool element on tokio that sends back what it receives.
//!
//! ```text
//! cargo run -p rserpool-tokio --example echo_element -- EchoPool 127.0.0.1:20001
//! ```

use rserpool_tokio::{ElementEvent, PoolElement, Preset, Refusal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [handle, registrar] = &arguments[..] else { return Err("usage: echo_element POOL IP:PORT".into()) };
    let builder = PoolElement::builder(handle.as_str()).registrar(registrar.parse()?).preset(Preset::Fast);
    let element = builder.start().await?;
    while let Some(event) = element.next_event().await {
        match event {
            ElementEvent::Registered { registrar, .. } => println!("registered at {registrar}"),
            ElementEvent::RegistrationFailed(error) => return Err(error.into()),
            ElementEvent::Received { session, protocol, bytes, .. } => {
                // The session may have ended meanwhile; its user goes on elsewhere.
                let sent = element.send(session, protocol, bytes).await;
                // A user that does not take its answers loses the session, and asks again in another one.
                if sent == Err(Refusal::Congested) {
                    let _ = element.close(session).await;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
