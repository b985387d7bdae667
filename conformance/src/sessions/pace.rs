//! How many calls of 200 octets a session makes in a second, with so many under way at the same time.

use std::time::{Duration, Instant};

use rserpool_tokio::Session;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::element::{ECHO, POOL};
use super::stage::Stage;
use super::{Error, us};

const SPAN: Duration = Duration::from_secs(1);
/// What is shown is the round in the middle.
const ROUNDS: usize = 3;
const LENGTH: usize = 200;

pub(super) async fn measure() -> Result<Value, Error> {
    let stage = Stage::new(1).await?;
    let session = stage.user.connect(POOL).await?;
    let mut figures = Vec::new();
    for under_way in [1, 16, 256] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(round(&session, under_way).await?);
        }
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (rate, median) = rounds[ROUNDS / 2];
        figures.push(
            json!({ "under_way": under_way, "calls_per_second": rate.round(), "median_us": us(median) }),
        );
    }
    Ok(figures.into())
}

/// Calls in a second, and the median of how long one took.
async fn round(session: &Session, under_way: usize) -> Result<(f64, Duration), Error> {
    let begin = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..under_way {
        let session = session.clone();
        callers.spawn(async move {
            let mut times = Vec::new();
            while begin.elapsed() < SPAN {
                let sent = Instant::now();
                session.call(ECHO, vec![7; LENGTH]).await?;
                times.push(sent.elapsed());
            }
            Ok::<_, Error>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(caller) = callers.join_next().await {
        times.extend(caller??);
    }
    times.sort();
    Ok((times.len() as f64 / begin.elapsed().as_secs_f64(), times[times.len() / 2]))
}
