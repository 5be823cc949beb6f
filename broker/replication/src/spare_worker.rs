//! Keeps one worker thread of the runtime out of appends, whatever the disks do.
//!
//! An append is a write into the page cache: it takes microseconds, and is done where the request is, as handing it to
//! another thread would cost more. But a stalled disk makes it hang, and a few of them would hold every worker thread: no
//! heartbeat, no fetch, no other partition would go on. So all but one worker may append in place; whoever comes beyond
//! them first hands its worker's duties to another thread, which costs little when the append is quick.
//! Owner: `Shared`. Invariant: at most `in_place_max` workers are inside an append in place.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Requests that may be inside appends at a time; more of them wait without a thread. The runtime has 512 threads for
/// blocking, and what else needs them must go on.
const APPENDS_MAX: usize = 256;

/// Where appends are counted.
#[derive(Debug)]
pub(crate) struct SpareWorker {
    in_place: AtomicUsize,
    in_place_max: usize,
    places: Semaphore,
}

/// Counts one append in place, also if it panics.
struct InPlace<'a>(&'a AtomicUsize);

impl Drop for InPlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SpareWorker {
    /// For the runtime this is called in. One with a single thread has none to spare: there all appends are in place.
    pub(crate) fn new() -> SpareWorker {
        let in_place_max = match Handle::try_current() {
            Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
                handle.metrics().num_workers().saturating_sub(1)
            }
            _ => usize::MAX,
        };
        SpareWorker { in_place: AtomicUsize::new(0), in_place_max, places: Semaphore::new(APPENDS_MAX) }
    }

    /// A place among the requests that append; `None` never comes, as places are not closed.
    pub(crate) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// Does something that may hang in a disk.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.in_place.fetch_add(1, Ordering::Relaxed);
        let counted = InPlace(&self.in_place);
        if before < self.in_place_max {
            return work();
        }
        drop(counted);
        tokio::task::block_in_place(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn however_many_hang_a_worker_goes_on() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let spare = Arc::new(runtime.block_on(async { SpareWorker::new() }));
        let (thaw, frozen) = mpsc::channel::<()>();
        let frozen = Arc::new(parking_lot::Mutex::new(frozen));
        let hanging: Vec<_> = (0..8)
            .map(|_| {
                let (spare, frozen) = (Arc::clone(&spare), Arc::clone(&frozen));
                // The first waits for the channel, the others for the lock.
                runtime.spawn(async move { spare.run(|| frozen.lock().recv().is_ok()) })
            })
            .collect();
        let others = runtime.spawn(async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let deadline = Duration::from_secs(60);
        runtime.block_on(async { tokio::time::timeout(deadline, others).await }).unwrap().unwrap();
        drop(thaw);
        for hung in hanging {
            assert!(!runtime.block_on(hung).unwrap());
        }
        assert_eq!(spare.in_place.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_single_thread_does_everything_itself() {
        assert_eq!(SpareWorker::new().run(|| 3), 3);
    }
}
