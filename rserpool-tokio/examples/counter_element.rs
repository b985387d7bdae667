//! A server with a task for each session: it numbers the requests of a session, and goes on where the one before stopped.

use rserpool_tokio::{ElementSession, PoolElement, Refusal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (pool, registrar) = (args.next().ok_or("which pool?")?, args.next().ok_or("which registrar?")?);
    let element = PoolElement::builder(&*pool).registrar(registrar.parse()?).start().await?;
    while let Some(session) = element.accept().await {
        tokio::spawn(async move {
            if let Err(refusal) = count(&session).await {
                eprintln!("{}: {refusal}", session.peer());
            }
        });
    }
    Ok(())
}

async fn count(session: &ElementSession) -> Result<(), Refusal> {
    let state = session.restored().and_then(|cookie| <[u8; 8]>::try_from(&cookie[..]).ok());
    let mut count = state.map_or(0, u64::from_be_bytes);
    while let Some(message) = session.recv().await {
        count += 1;
        session.reply(&message, count.to_string()).await?;
        session.send_cookie(count.to_be_bytes().to_vec()).await?;
    }
    Ok(())
}
