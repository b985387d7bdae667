//! The same under async-std, all in one program: a registrar, an echo server and a user.
//!
//! ```text
//! cargo run -p rserpool-smol --example async_std
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use async_std::task;
use rserpool_smol::{
    ElementEvent, PoolElement, PoolUser, Preset, ProtocolId, Refusal, Registrar, SessionEvent,
};

fn main() -> Result<(), Box<dyn Error>> {
    task::block_on(async {
        let registrar = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
        let address = registrar.local_addr();
        let server = PoolElement::builder("EchoPool").registrar(address).preset(Preset::Fast).start().await?;
        let echo = task::spawn(serve(server.clone()));

        let answer = ask(address, "hello").await?;
        println!("{answer}");

        server.shutdown(Duration::from_secs(2)).await;
        // The events end with the element.
        echo.await;
        registrar.shutdown(Duration::from_secs(2)).await;
        Ok(())
    })
}

async fn serve(element: PoolElement) {
    while let Some(event) = element.next_event().await {
        if let ElementEvent::Received { session, protocol, bytes, .. } = event {
            let sent = element.send(session, protocol, bytes).await;
            // A user that does not take its answers loses the session, and asks again in another one.
            if sent == Err(Refusal::Congested) {
                let _ = element.close(session).await;
            }
        }
    }
}

/// Opens a session, tries again while nobody has registered, and asks once.
async fn ask(registrar: SocketAddr, question: &'static str) -> Result<String, Box<dyn Error>> {
    let user = PoolUser::builder().registrar(registrar).preset(Preset::Fast).start().await?;
    let session = loop {
        match user.connect("EchoPool").await {
            Ok(session) => break session,
            Err(error) => println!("not yet: {error}"),
        }
        task::sleep(Duration::from_millis(50)).await;
    };
    session.request(ProtocolId(0), question).await?;
    loop {
        match session.next_event().await.ok_or("the session has ended")? {
            SessionEvent::Received { element, bytes, .. } => {
                return Ok(format!("{element}: {}", String::from_utf8_lossy(&bytes)));
            }
            event => println!("{event:?}"),
        }
    }
}
