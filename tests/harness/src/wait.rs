//! Waiting for a condition, with a deadline: the only way a test lets time pass.

use anyhow::{Result, bail};
use std::future::Future;
use std::time::{Duration, Instant};

/// How long to rest between two looks at a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Calls `look` until it gives a value, and returns that value. An error from `look` counts as "not yet"; the last one is told
/// when `deadline` passes.
pub async fn until<T, F, Fut>(what: &str, deadline: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let start = Instant::now();
    let mut last_error = None;
    loop {
        match tokio::time::timeout(deadline.saturating_sub(start.elapsed()), look()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => last_error = None,
            Ok(Err(error)) => last_error = Some(error),
            Err(_) => {}
        }
        if start.elapsed() >= deadline {
            match last_error {
                Some(error) => bail!("waited {deadline:?} for {what}; the last try said: {error:#}"),
                None => bail!("waited {deadline:?} for {what}"),
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// `until` for a plain yes or no.
pub async fn until_true<F, Fut>(what: &str, deadline: Duration, mut look: F) -> Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<bool>>,
{
    until(what, deadline, || {
        let answer = look();
        async move { Ok(answer.await?.then_some(())) }
    })
    .await
}
