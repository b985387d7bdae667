//! What a cookie costs: calls of 200 octets to an element that sends none, and to one that sends a cookie before each answer.
//! User, element and registrar run in one thread, with sockets in memory: every octet and all the work is theirs.

use std::time::Instant;

use rserpool_core::base::ProtocolId;
use rserpool_driver::vocabulary::{Bytes, ElementEvent, Incoming, Preset};
use rserpool_driver::{PoolElement, PoolUser, Registrar, Runtime, Session};
use serde_json::{Value, json};

use super::Error;
use crate::scenarios::World;

const POOL: &str = "FiguresPool";
const CALLS: u32 = 2_000;
/// What is shown is the quickest round, the one that the rest of the machine has disturbed least.
const ROUNDS: usize = 10;
const LENGTH: usize = 200;
/// Octets of the cookies; `None` is no cookie.
const COOKIES: [Option<u16>; 4] = [None, Some(16), Some(256), Some(4_096)];

pub(super) fn measure() -> Result<Value, Error> {
    World::block_on(async {
        let local = "127.0.0.1:0".parse()?;
        let registrar = Registrar::<World>::builder().bind(local).preset(Preset::Fast).start().await?;
        let builder = PoolElement::<World>::builder(POOL).registrar(registrar.local_addr()).bind(local);
        let element = builder.preset(Preset::Fast).start().await?;
        while !matches!(element.next_event().await, Some(ElementEvent::Registered { .. })) {}
        World::default().spawn(Box::pin(serve(element)));
        let user = PoolUser::<World>::builder().registrar(registrar.local_addr()).bind(local);
        let session = user.preset(Preset::Fast).start().await?.connect(POOL).await?;
        World::default().spawn(Box::pin(follow(session.clone())));
        let mut rounds = COOKIES.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (cookie, rounds) in COOKIES.iter().zip(&mut rounds) {
                rounds.push(round(&session, *cookie).await?);
            }
        }
        let lines = rounds.map(|mut rounds| {
            rounds.sort_by(|a, b| a.1.total_cmp(&b.1));
            rounds[0]
        });
        let [none, ..] = lines;
        let figures = COOKIES.iter().zip(lines).map(|(cookie, (octets, us))| {
            let round = |value: f64| (value * 10.0).round() / 10.0;
            json!({
                "cookie": cookie, "octets_a_call": round(octets), "us_a_call": round(us),
                "octets_more": round(octets - none.0), "us_more": round(us - none.1),
            })
        });
        Ok(figures.collect())
    })
}

/// Octets of UDP payload, and microseconds of work, for each call.
async fn round(session: &Session<World>, cookie: Option<u16>) -> Result<(f64, f64), Error> {
    let length = cookie.unwrap_or_default();
    let protocol = ProtocolId(u32::from(cookie.is_some()));
    let mut request = vec![7; LENGTH];
    request[..2].copy_from_slice(&length.to_be_bytes());
    let (begin, octets) = (Instant::now(), World::octets());
    for _ in 0..CALLS {
        session.call(protocol, request.clone()).await?;
    }
    let octets = (World::octets() - octets) as f64;
    Ok((octets / f64::from(CALLS), begin.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)))
}

/// Answers calls; a call begins with the length of the cookie that it wants, and says by its protocol whether it wants one.
async fn serve(element: PoolElement<World>) {
    while let Some(event) = element.next_event().await {
        let Ok(call) = Incoming::from_event(event) else { continue };
        if call.protocol == ProtocolId(1) {
            let length = usize::from(call.bytes[0]) << 8 | usize::from(call.bytes[1]);
            let _ = element.send_cookie(call.session, Bytes::from(vec![9; length])).await;
        }
        let _ = element.reply(&call, call.bytes.clone()).await;
    }
}

async fn follow(session: Session<World>) {
    while session.next_event().await.is_some() {}
}
