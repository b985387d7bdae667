//! Many sessions of one user at one element, which is killed.

use std::time::{Duration, Instant};

use rserpool_core::base::ElementId;
use rserpool_driver::vocabulary::SessionEvent;
use rserpool_tokio::Session;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::element::{COUNT, POOL};
use super::stage::Stage;
use super::{Error, ms};

/// How many are opened at the same time.
const OPENED_AT_ONCE: usize = 50;

/// Opens so many sessions, has each counted once, kills their element, and has each counted again.
pub(super) async fn measure(sessions: usize) -> Result<Value, Error> {
    let mut stage = Stage::new(1).await?;
    let first = ElementId(1);
    let element = stage.process(first).ok_or("no element")?;
    let before = [resident(std::process::id())?, resident(element)?];
    let mut open = Vec::new();
    while open.len() < sessions {
        let mut opening = JoinSet::new();
        for _ in 0..OPENED_AT_ONCE.min(sessions - open.len()) {
            let user = stage.user.clone();
            opening.spawn(async move {
                let session = user.connect(POOL).await?;
                let count = session.call(COUNT, 1_u64.to_be_bytes().to_vec()).await?;
                if count[..] == 1_u64.to_be_bytes() { Ok(session) } else { Err(Error::from("not counted")) }
            });
        }
        while let Some(session) = opening.join_next().await {
            open.push(session??);
        }
    }
    let after = [resident(std::process::id())?, resident(element)?];
    stage.start()?;
    stage.ready().await?;
    let killed = Instant::now();
    stage.kill(first)?;
    let mut moving: JoinSet<Result<Duration, Error>> =
        open.into_iter().map(|session| moved(session, killed)).collect();
    let mut times = Vec::new();
    while let Some(time) = moving.join_next().await {
        times.push(time??);
    }
    times.sort();
    let each = |index: usize| (after[index].saturating_sub(before[index])) / sessions.max(1);
    Ok(json!({
        "sessions": sessions, "octets_each_user": each(0), "octets_each_element": each(1),
        "half_moved_ms": ms(times[times.len() / 2]), "all_moved_ms": ms(times[times.len() - 1]),
    }))
}

/// Waits until the session has moved and counts on; how long the move took.
async fn moved(session: Session, killed: Instant) -> Result<Duration, Error> {
    loop {
        match session.next_event().await {
            Some(SessionEvent::FailedOver { .. }) => break,
            Some(SessionEvent::Closed { error, .. }) => return Err(format!("closed: {error:?}").into()),
            Some(_) => {}
            None => return Err("the user has ended".into()),
        }
    }
    let took = killed.elapsed();
    let count = session.call(COUNT, 2_u64.to_be_bytes().to_vec()).await?;
    if count[..] == 2_u64.to_be_bytes() { Ok(took) } else { Err("the count went back".into()) }
}

/// The resident memory of a process, in octets.
fn resident(process: u32) -> Result<usize, Error> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: usize = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
