//! A download that goes on at the octet where its server died.
//!
//! ```text
//! cargo run -p rserpool-tokio --example download
//! ```
//!
//! Starts a registrar and four servers that hold the same file, downloads it, and kills the server in use after each
//! quarter. Ends with 0 only if what has arrived is the file.

#[path = "../stage/mod.rs"]
mod stage;

mod server;
mod user;

use sha2::{Digest, Sha256};
use stage::{Error, Stage};

const POOL: &str = "Downloads";
const SERVERS: u32 = 4;
const LENGTH: usize = 32 << 20;

#[tokio::main]
async fn main() -> Result<(), Error> {
    stage::run(play, async |registrar, id| server::serve(registrar, id, file().into()).await).await
}

async fn play() -> Result<(), Error> {
    let mut stage = Stage::new(POOL).await?;
    for id in 1..=SERVERS {
        stage.serve(id)?;
    }
    let session = stage.user().await?.connect(POOL).await?;
    println!("{} octets from {}", LENGTH, session.element());
    let mut quarter = 1;
    let file_that_came = user::download(&session, |octets| {
        if octets * 4 < quarter * LENGTH || quarter == 4 {
            return Ok(());
        }
        println!("{octets:>9} octets have come: {} is killed", session.element());
        quarter += 1;
        stage.kill(session.element())
    });
    let came = Sha256::digest(file_that_came.await?);
    if came != Sha256::digest(file()) {
        return Err("what has come is not the file".into());
    }
    println!("{LENGTH:>9} octets have come: all of the file, and its SHA-256 is right");
    Ok(())
}

/// The file, which every server has: octets that look random.
fn file() -> Vec<u8> {
    let mut state = 1_u64;
    let octets = (0..LENGTH / 8).flat_map(|_| {
        // The generator xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    });
    octets.collect()
}
