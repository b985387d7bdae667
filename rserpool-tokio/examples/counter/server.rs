//! A server: counts the calls of each session. The count is in the cookie, sealed, so that no user can alter it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rserpool_tokio::{
    CookieKey, CookieKeys, ElementEvent, ElementId, Incoming, PoolElement, Preset, ProtocolId,
};

use crate::POOL;
use crate::stage::Error;

/// Ours.
pub(crate) const PROTOCOL: ProtocolId = ProtocolId(0x636f_756e);
/// All servers of the pool have the same. A real one is drawn at random, and is no part of the program.
const SECRET: &[u8] = b"an example, which is no secret at all";

pub(crate) async fn serve(registrar: SocketAddr, id: ElementId) -> Result<(), Error> {
    let keys = CookieKeys::new(CookieKey::new(1, SECRET)?);
    let builder = PoolElement::builder(POOL).registrar(registrar).id(id).preset(Preset::Fast);
    let element = builder.cookie_keys(keys).bind("127.0.0.1:0".parse()?).start().await?;
    let mut counts = BTreeMap::new();
    while let Some(event) = element.next_event().await {
        let call = match Incoming::from_event(event) {
            Ok(call) => call,
            // What another server has left, before any call of that session.
            Err(ElementEvent::CookieEcho { session, cookie, .. }) => {
                counts.insert(session, u64::from_be_bytes(cookie[..].try_into()?));
                continue;
            }
            // In a clean stop, which ends that session when it has got the last state.
            Err(ElementEvent::CookieWanted { session, .. }) => {
                let count = counts.get(&session).copied().unwrap_or_default();
                let _ = element.send_cookie(session, count.to_be_bytes().to_vec()).await;
                continue;
            }
            Err(ElementEvent::SessionClosed { session, .. }) => {
                counts.remove(&session);
                continue;
            }
            Err(ElementEvent::RegistrationFailed(error)) => return Err(error.into()),
            Err(_) => continue,
        };
        let count = counts.entry(call.session).or_default();
        // The user counts its calls: one that comes again is not counted again.
        if call.bytes[..] == (*count + 1).to_be_bytes() {
            *count += 1;
        }
        // Before the answer: whoever has the answer has the cookie, too, because both go the same way.
        let (session, octets) = (call.session, count.to_be_bytes().to_vec());
        let _ = element.send_cookie(session, octets.clone()).await;
        // If the user has gone, it asks elsewhere.
        let _ = element.reply(&call, octets).await;
    }
    Ok(())
}
