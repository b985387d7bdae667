//! A pool user on tokio that sends ten requests, one each second, and follows its session to another
//! element when one dies.
//!
//! ```text
//! cargo run -p rserpool-tokio --example echo_user -- EchoPool 127.0.0.1:20001
//! ```

use std::time::Duration;

use rserpool_tokio::{PoolUser, Preset, ProtocolId, SessionEvent};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [handle, registrar] = &arguments[..] else { return Err("usage: echo_user POOL IP:PORT".into()) };
    let user = PoolUser::builder().registrar(registrar.parse()?).preset(Preset::Fast).start().await?;
    let session = user.connect(handle.as_str()).await?;
    for number in 1..=10 {
        let request = session.request(ProtocolId(0), format!("request {number}")).await?;
        while let Some(event) = session.next_event().await {
            match event {
                SessionEvent::Received { element, bytes, .. } => {
                    session.answered(request).await?;
                    println!("{element}: {}", String::from_utf8_lossy(&bytes));
                    break;
                }
                SessionEvent::FailedOver { from, to, .. } => println!("moved from {from} to {to}"),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    user.shutdown(Duration::from_secs(2)).await;
    Ok(())
}
