//! Connections to several servers, of which the first that is there is used (as RFC 8305 does with addresses).

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::choice::Target;

/// How attempts follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long one attempt may take.
    pub limit: Duration,
    /// After how long without an answer the next server is tried as well; `None`: only when the one before has failed.
    pub stagger: Option<Duration>,
}

/// Tries the targets in order until one is there. One that fails is followed by the next at once; one that is silent, after
/// the stagger. Attempts that have lost are dropped. `None` if all have failed. Each failure is told when it happens, so that
/// others need not make the same attempt.
///
/// Cancel safe: all attempts are dropped.
pub async fn race<T, F>(
    targets: &[Target],
    pace: Pace,
    connect: impl Fn(Target) -> F,
    mut failed: impl FnMut(Target, String),
) -> Option<(Target, T)>
where
    T: Send + 'static,
    F: Future<Output = std::io::Result<T>> + Send + 'static,
{
    let mut attempts = JoinSet::new();
    let mut waiting = targets.iter().copied();
    let mut next = Instant::now();
    let mut more = true;
    loop {
        if more && (attempts.is_empty() || Instant::now() >= next) {
            match waiting.next() {
                Some(target) => {
                    let attempt = tokio::time::timeout(pace.limit, connect(target));
                    attempts.spawn(async move { (target, attempt.await) });
                    let far = Duration::from_secs(86_400 * 365);
                    next = Instant::now() + pace.stagger.unwrap_or(far);
                }
                None => more = false,
            }
            continue;
        }
        if attempts.is_empty() {
            return None;
        }
        tokio::select! {
            Some(ended) = attempts.join_next() => match ended {
                Ok((target, Ok(Ok(connection)))) => return Some((target, connection)),
                Ok((target, Ok(Err(error)))) => {
                    failed(target, error.to_string());
                    next = Instant::now();
                }
                Ok((target, Err(_))) => {
                    failed(target, format!("no answer within {:?}", pace.limit));
                    next = Instant::now();
                }
                // A task of ours that has panicked has said so.
                Err(_) => next = Instant::now(),
            },
            () = tokio::time::sleep_until(next), if more => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};
    use std::net::SocketAddr;

    use rserpool_core::base::ElementId;

    use super::*;

    /// After how many milliseconds a server accepts (+) or refuses (-).
    async fn raced(servers: &[i64], limit: u64, stagger: Option<u64>) -> (Option<u32>, Vec<u32>, u128) {
        let targets: Vec<Target> = (0u32..)
            .zip(servers)
            .map(|(id, _)| Target { element: ElementId(id), address: SocketAddr::from(([127, 0, 0, 1], 80)) })
            .collect();
        let begin = Instant::now();
        let pace = Pace { limit: Duration::from_millis(limit), stagger: stagger.map(Duration::from_millis) };
        let servers = servers.to_vec();
        let mut failed = Vec::new();
        let connect = move |target: Target| {
            let after = servers[target.element.0 as usize];
            async move {
                tokio::time::sleep(Duration::from_millis(after.unsigned_abs())).await;
                if after >= 0 { Ok(()) } else { Err(Error::from(ErrorKind::ConnectionRefused)) }
            }
        };
        let won = race(&targets, pace, connect, |target, _| failed.push(target.element.0)).await;
        (won.map(|(target, ())| target.element.0), failed, begin.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_that_is_there_wins() {
        assert_eq!(raced(&[5, 0], 1000, Some(50)).await, (Some(0), vec![], 5));
        // Refused: the next one at once.
        assert_eq!(raced(&[-5, -1, 3], 1000, Some(50)).await, (Some(2), vec![0, 1], 9));
        // Silent: the next one after the stagger, and the silent one may still win.
        assert_eq!(raced(&[900, 3], 1000, Some(50)).await, (Some(1), vec![], 53));
        assert_eq!(raced(&[60, 900], 1000, Some(50)).await, (Some(0), vec![], 60));
        // Without a stagger, only one that has failed is followed.
        assert_eq!(raced(&[900, 3], 1000, None).await, (Some(0), vec![], 900));
        assert_eq!(raced(&[9000, 3], 1000, None).await, (Some(1), vec![0], 1003));
    }

    #[tokio::test(start_paused = true)]
    async fn a_race_that_nobody_wins_ends() {
        assert_eq!(raced(&[], 1000, Some(50)).await, (None, vec![], 0));
        assert_eq!(raced(&[-1, 9000], 1000, Some(50)).await, (None, vec![0, 1], 1001));
    }
}
