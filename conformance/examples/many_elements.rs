//! Registers many elements at one registrar and keeps them there: to see what a registrar needs.
//!
//! ```text
//! rserpool registrar --bind 127.0.0.1:20001 &
//! cargo run --release -p conformance --example many_elements -- 127.0.0.1:20001 1000 30
//! ```

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rserpool_tokio::{ElementEvent, PoolElement};

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, registrar, count, seconds] = &arguments[..] else {
        return Err("usage: many_elements IP:PORT ELEMENTS SECONDS".into());
    };
    let registrar: SocketAddr = registrar.parse()?;
    let (count, seconds): (usize, u64) = (count.parse()?, seconds.parse()?);

    let begun = Instant::now();
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(start(registrar).await?);
    }
    for element in &elements {
        registered(element).await?;
    }
    println!("{count} elements registered after {:.2} s", begun.elapsed().as_secs_f64());
    tokio::time::sleep(Duration::from_secs(seconds)).await;

    for element in &elements {
        element.shutdown(Duration::from_secs(5)).await;
    }
    Ok(())
}

async fn start(registrar: SocketAddr) -> Result<PoolElement, Error> {
    let local = SocketAddr::new(registrar.ip(), 0);
    Ok(PoolElement::builder("EchoPool").registrar(registrar).bind(local).start().await?)
}

async fn registered(element: &PoolElement) -> Result<(), Error> {
    while let Some(event) = element.next_event().await {
        match event {
            ElementEvent::Registered { .. } => return Ok(()),
            ElementEvent::RegistrationFailed(error) => return Err(error.into()),
            _ => {}
        }
    }
    Err("the element has stopped".into())
}
