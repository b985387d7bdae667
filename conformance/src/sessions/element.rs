//! The element whose sessions are measured, a process of its own, so that it can be killed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::time::Duration;

use rserpool_core::base::{AssociationId, ElementId, ProtocolId};
use rserpool_driver::vocabulary::{Bytes, ElementEvent, Incoming, Preset};
use rserpool_tokio::PoolElement;

use super::Error;

/// The pool.
pub(super) const POOL: &str = "FiguresPool";

/// Calls that come back at once.
pub(super) const ECHO: ProtocolId = ProtocolId(0);
/// Calls that are recorded when they are carried out, and take 5 ms. Their content is their number.
pub(super) const WORK: ProtocolId = ProtocolId(1);
/// Calls that are counted; the count of the session is its state, and the answer. Their content is their number.
pub(super) const COUNT: ProtocolId = ProtocolId(2);

const WORK_TAKES: Duration = Duration::from_millis(5);

/// Serves until it is killed.
pub(super) async fn serve(registrar: &str, id: &str, record: &str) -> Result<(), Error> {
    let builder = PoolElement::builder(POOL).registrar(registrar.parse()?).id(ElementId(id.parse()?));
    let element = builder.preset(Preset::Fast).bind("127.0.0.1:0".parse()?).start().await?;
    let mut record = OpenOptions::new().append(true).create(true).open(record)?;
    let mut counts = BTreeMap::new();
    while let Some(event) = element.next_event().await {
        match Incoming::from_event(event) {
            Ok(call) => answer(&element, &mut record, &mut counts, call).await?,
            Err(ElementEvent::CookieEcho { session, cookie, .. }) => {
                counts.insert(session, u64::from_be_bytes(cookie[..].try_into()?));
            }
            Err(ElementEvent::SessionClosed { session, .. }) => drop(counts.remove(&session)),
            Err(_) => {}
        }
    }
    Ok(())
}

async fn answer(
    element: &PoolElement,
    record: &mut File,
    counts: &mut BTreeMap<AssociationId, u64>,
    call: Incoming,
) -> io::Result<()> {
    // An error says that the user has gone.
    match call.protocol {
        WORK => {
            record.write_all(&call.bytes)?;
            let element = element.clone();
            tokio::spawn(async move {
                tokio::time::sleep(WORK_TAKES).await;
                let _ = element.reply(&call, call.bytes.clone()).await;
            });
        }
        COUNT => {
            let count = counts.entry(call.session).or_default();
            if call.bytes[..] == (*count + 1).to_be_bytes() {
                *count += 1;
            }
            let count = Bytes::copy_from_slice(&count.to_be_bytes());
            let _ = element.send_cookie(call.session, count.clone()).await;
            let _ = element.reply(&call, count).await;
        }
        _ => drop(element.reply(&call, call.bytes.clone()).await),
    }
    Ok(())
}
