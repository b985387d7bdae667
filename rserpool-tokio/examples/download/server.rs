//! A server: sends the file to whoever asks, from where a cookie says that it stopped.
//!
//! A piece is its offset (8 octets) and what is there in the file; the last one is empty. The cookie is the offset
//! (8 octets) up to which all was sent, and the SHA-256 of the file up to there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rserpool_tokio::{
    AssociationId, Bytes, ElementEvent, ElementId, PoolElement, Preset, ProtocolId, Refusal,
};
use sha2::{Digest, Sha256};

use crate::POOL;
use crate::stage::Error;

/// Ours, for all messages.
pub(crate) const PROTOCOL: ProtocolId = ProtocolId(0x646f_776e);
const PIECE: usize = 32 << 10;

/// How far one user has come.
#[derive(Default)]
struct Download {
    offset: usize,
    /// Of all up to there.
    hash: Sha256,
    finished: bool,
}

impl Download {
    fn cookie(&self) -> Vec<u8> {
        let offset = (self.offset as u64).to_be_bytes();
        [&offset[..], &self.hash.clone().finalize()[..]].concat()
    }

    /// Goes on where another server stopped, if that one had the same file up to there.
    fn restored(file: &Bytes, cookie: &[u8]) -> Option<Self> {
        let (offset, expected) = cookie.split_first_chunk()?;
        let offset = usize::try_from(u64::from_be_bytes(*offset)).ok()?;
        let hash = Sha256::new_with_prefix(file.get(..offset)?);
        let same = hash.clone().finalize()[..] == *expected;
        same.then_some(Self { offset, hash, finished: false })
    }
}

pub(crate) async fn serve(registrar: SocketAddr, id: ElementId, file: Bytes) -> Result<(), Error> {
    let builder = PoolElement::builder(POOL).registrar(registrar).id(id).preset(Preset::Fast);
    let element = builder.bind("127.0.0.1:0".parse()?).start().await?;
    let mut downloads = BTreeMap::new();
    while let Some(event) = element.next_event().await {
        match event {
            // Comes before any message of that session.
            ElementEvent::CookieEcho { session, cookie, .. } => match Download::restored(&file, &cookie) {
                Some(download) => {
                    println!("          {id} goes on at octet {}", download.offset);
                    downloads.insert(session, download);
                }
                // Another file, or nonsense. The user tries the next server.
                None => element.close(session).await?,
            },
            ElementEvent::Received { session, .. } => {
                send(&element, &file, session, downloads.entry(session).or_default()).await;
            }
            ElementEvent::Writable { session, .. } => {
                if let Some(download) = downloads.get_mut(&session) {
                    send(&element, &file, session, download).await;
                }
            }
            // In a clean stop, which ends that session when it has got the last state.
            ElementEvent::CookieWanted { session, .. } => {
                let cookie = downloads.entry(session).or_default().cookie();
                let _ = element.send_cookie(session, cookie).await;
            }
            ElementEvent::SessionClosed { session, .. } => drop(downloads.remove(&session)),
            ElementEvent::RegistrationFailed(error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Sends pieces as long as there is room; `Writable` tells when there is some again.
async fn send(element: &PoolElement, file: &Bytes, session: AssociationId, download: &mut Download) {
    while !download.finished {
        let offset = download.offset;
        let piece = &file[offset..file.len().min(offset + PIECE)];
        let message = [&(offset as u64).to_be_bytes()[..], piece].concat();
        match element.send(session, PROTOCOL, message).await {
            Ok(()) => {}
            // Full, or the session has ended, which another event tells.
            Err(Refusal::Congested) => return,
            Err(_) => return,
        }
        download.offset += piece.len();
        download.hash.update(piece);
        download.finished = piece.is_empty();
        // After the piece that it covers: if this server dies between the two, the next one sends the piece again.
        let _ = element.send_cookie(session, download.cookie()).await;
    }
}
