//! The user: asks once, and takes pieces until the empty one. It knows nothing of cookies.

use std::time::Duration;

use rserpool_tokio::{RequestLimits, Session, SessionEvent};

use crate::server::PROTOCOL;
use crate::stage::Error;

/// Downloads the file; `progress` hears how many octets have come.
pub(crate) async fn download(
    session: &Session,
    mut progress: impl FnMut(usize) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    // Sent again to each server that the session moves to, for as long as a download may take.
    let limits = RequestLimits::default().deadline(Duration::from_secs(600)).deliveries(100);
    let request = session.request_within(PROTOCOL, "the file, please", limits).await?;
    let mut file = Vec::new();
    while let Some(event) = session.next_event().await {
        match event {
            SessionEvent::Received { bytes, .. } => {
                let (offset, piece) = bytes.split_first_chunk().ok_or("a piece without an offset")?;
                let offset = usize::try_from(u64::from_be_bytes(*offset))?;
                // What has come already comes again if the last server died before its cookie was sent.
                let known = file.len().checked_sub(offset).ok_or("octets are missing")?;
                if piece.is_empty() {
                    session.answered(request).await?;
                    return Ok(file);
                }
                file.extend(piece.iter().skip(known));
                progress(file.len())?;
            }
            SessionEvent::FailedOver { from, to, .. } => println!("          moved from {from} to {to}"),
            SessionEvent::Unanswered { reason, .. } => return Err(reason.to_string().into()),
            SessionEvent::Closed { error, .. } => {
                return Err(format!("the session has ended: {error:?}").into());
            }
            _ => {}
        }
    }
    Err("the user has ended".into())
}
