//! Keeps one worker thread of the runtime out of appends, whatever the disks do.
//!
//! An append is a write into the page cache: it takes microseconds, and is done where the request is, as handing it to
//! another thread would cost more. But a stalled disk makes it hang, and a few of them would hold every worker thread: no
//! heartbeat, no fetch, no other partition would go on. So all but one worker may append in place. Whoever comes beyond them
//! waits a moment, as they are done soon; if they are not, they hang, and it hands its worker's duties to another thread.
//! That thread is not for every day: a broker whose workers gave way at each chance had a hundred of them, and their memory.
//!
//! A worker kept out is not yet a worker awake. Workers without work sleep, all but the one that waits for sockets and timers;
//! if it is that one that goes to append, and hangs, nobody hears of anything any more. So while somebody is inside an
//! append in place, a watch on another runtime wakes a worker now and then, which takes the waiting over.
//! Owner: `Shared`. Invariant: at most `in_place_max` workers are inside an append in place.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// Requests that may be inside appends on other threads at a time; more of them wait without a thread. The runtime has 512
/// threads for blocking, and what else needs them must go on.
const ELSEWHERE_MAX: usize = 256;

/// Appends in place that take longer than this hang in a disk.
const PATIENCE: Duration = Duration::from_millis(20);

/// How long the runtime may be without a worker awake while one hangs.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);

/// Where appends are counted.
#[derive(Debug)]
pub(crate) struct SpareWorker {
    in_place: Semaphore,
    in_place_max: usize,
    elsewhere: Semaphore,
    /// Nobody who appends in place has come back since somebody waited for it in vain.
    hanging: AtomicBool,
    /// The watch looks; otherwise it sleeps until it is told that somebody appends in place.
    is_watched: AtomicBool,
    call_watch: Notify,
}

/// A place among those who append. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    owner: &'a SpareWorker,
    is_in_place: bool,
    /// `None` never comes, as the semaphores are not closed.
    _permit: Option<SemaphorePermit<'a>>,
}

impl SpareWorker {
    /// For the runtime this is called in. One with a single thread has none to spare: there all appends are in place.
    pub(crate) fn new() -> SpareWorker {
        let in_place_max = match Handle::try_current() {
            Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
                handle.metrics().num_workers().saturating_sub(1)
            }
            _ => Semaphore::MAX_PERMITS,
        };
        SpareWorker {
            in_place: Semaphore::new(in_place_max),
            in_place_max,
            elsewhere: Semaphore::new(ELSEWHERE_MAX),
            hanging: AtomicBool::new(false),
            is_watched: AtomicBool::new(false),
            call_watch: Notify::new(),
        }
    }

    /// Keeps a worker of `workers`, the runtime that appends, awake while others are inside appends. For ever; polled by
    /// another runtime. Costs nothing while nobody appends.
    pub(crate) async fn watch(&self, workers: Handle) {
        loop {
            self.call_watch.notified().await;
            loop {
                tokio::time::sleep(WATCH_INTERVAL).await;
                if self.is_quiet() {
                    self.is_watched.store(false, Ordering::Relaxed);
                    // Who gets a place from now on calls; who has got one since is seen here.
                    fence(Ordering::SeqCst);
                    if self.is_quiet() || self.is_watched.swap(true, Ordering::Relaxed) {
                        break;
                    }
                }
                workers.spawn(async {});
            }
        }
    }

    fn is_quiet(&self) -> bool {
        self.in_place.available_permits() == self.in_place_max
    }

    /// Sees to it that whoever is in place now is watched.
    fn ensure_watched(&self) {
        // See `watch`.
        fence(Ordering::SeqCst);
        if !self.is_watched.load(Ordering::Relaxed) && !self.is_watched.swap(true, Ordering::Relaxed) {
            self.call_watch.notify_one();
        }
    }

    /// A place among those who append, in the order in which they ask.
    pub(crate) async fn place(&self) -> Place<'_> {
        if let Ok(permit) = self.in_place.try_acquire() {
            return self.in_place(permit);
        }
        if !self.hanging.load(Ordering::Relaxed) {
            if let Ok(Ok(permit)) = tokio::time::timeout(PATIENCE, self.in_place.acquire()).await {
                return self.in_place(permit);
            }
            self.hanging.store(true, Ordering::Relaxed);
        }
        Place { owner: self, is_in_place: false, _permit: self.elsewhere.acquire().await.ok() }
    }

    fn in_place<'a>(&'a self, permit: SemaphorePermit<'a>) -> Place<'a> {
        self.ensure_watched();
        Place { owner: self, is_in_place: true, _permit: Some(permit) }
    }
}

impl Place<'_> {
    /// Does something that may hang in a disk.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.is_in_place { work() } else { tokio::task::block_in_place(work) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_in_place && self.owner.hanging.load(Ordering::Relaxed) {
            self.owner.hanging.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;
    use tokio::net::UnixDatagram;

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
                runtime.spawn(async move { spare.place().await.run(|| frozen.lock().recv().is_ok()) })
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
        assert_eq!(spare.in_place.available_permits(), 1);
        assert_eq!(spare.elsewhere.available_permits(), ELSEWHERE_MAX);
    }

    #[test]
    fn who_waits_for_events_is_replaced_when_it_hangs() {
        let build = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let (workers, control) = (build().unwrap(), build().unwrap());
        let spare = Arc::new(workers.block_on(async { SpareWorker::new() }));
        let (watched, handle) = (Arc::clone(&spare), workers.handle().clone());
        control.spawn(async move { watched.watch(handle).await });
        for _ in 0..10 {
            let (thaw, frozen) = mpsc::channel::<()>();
            let (begin, begun) = mpsc::channel();
            let (first, ring_first) = bell(&workers);
            let append = Arc::clone(&spare);
            let hanging = workers.spawn(async move {
                first.readable().await.unwrap();
                let place = append.place().await;
                place.run(|| begin.send(()).is_ok() && frozen.recv().is_ok())
            });
            let (second, ring_second) = bell(&workers);
            let (done, other) = mpsc::channel();
            workers.spawn(async move { done.send(second.readable().await.is_ok()) });
            // Heard by the worker that waits for sockets, while the other sleeps: a count is odd while its worker is parked.
            let is_awake = |worker| workers.metrics().worker_park_unpark_count(worker) % 2 == 0;
            while (0..2).any(is_awake) {
                std::thread::yield_now();
            }
            ring_first.send(&[1]).unwrap();
            begun.recv().unwrap();
            ring_second.send(&[1]).unwrap();
            assert!(other.recv_timeout(Duration::from_secs(60)).expect("a worker that hears the socket"));
            drop(thaw);
            assert!(!workers.block_on(hanging).unwrap());
        }
    }

    /// A socket that a task waits for, and what rings it.
    fn bell(runtime: &tokio::runtime::Runtime) -> (UnixDatagram, std::os::unix::net::UnixDatagram) {
        let (heard, rings) = std::os::unix::net::UnixDatagram::pair().unwrap();
        heard.set_nonblocking(true).unwrap();
        let _entered = runtime.enter();
        (UnixDatagram::from_std(heard).unwrap(), rings)
    }

    #[test]
    fn who_comes_back_soon_is_waited_for() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(async {
            let spare = SpareWorker::new();
            let first = spare.place().await;
            let (second, ()) = tokio::join!(spare.place(), async {
                tokio::task::yield_now().await;
                drop(first);
            });
            assert!(second.is_in_place);
            let third = spare.place().await;
            assert!(!third.is_in_place && spare.hanging.load(Ordering::Relaxed));
            drop(third);
            assert!(
                spare.hanging.load(Ordering::Relaxed),
                "only who was waited for tells that it does not hang"
            );
            drop(second);
            assert!(!spare.hanging.load(Ordering::Relaxed));
        });
    }

    #[tokio::test]
    async fn a_single_thread_does_everything_itself() {
        assert_eq!(SpareWorker::new().place().await.run(|| 3), 3);
    }
}
