//! The runtime of the ZooKeeper session, of the controller and of the watch over appends: a thread of their own.
//!
//! Appends and reads block the thread that serves a request while the disk works. When the disk stalls, every thread of
//! the main runtime may be stuck; the session must be kept alive all the same, and a controller must go on electing.

use std::future::Future;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// The runtime; stopped, without waiting, when it is dropped.
pub struct ControlRuntime {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl ControlRuntime {
    /// Starts its thread.
    pub fn start() -> Result<ControlRuntime> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("control")
            .enable_all()
            .build()
            .context("cannot start the controller's runtime")?;
        Ok(ControlRuntime { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs a future there; the tasks it spawns stay there.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        Ok(self.handle.spawn(work).await?)
    }

    /// Calls a function that spawns tasks: they run there.
    pub fn enter<T>(&self, start: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        start()
    }
}

impl Drop for ControlRuntime {
    fn drop(&mut self) {
        // Its owner is a task of the main runtime, which must not wait for threads.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn its_tasks_go_on_while_the_main_runtime_is_stuck() {
        let control = ControlRuntime::start().unwrap();
        let (ticks, ticked) = mpsc::channel();
        control.enter(|| {
            tokio::spawn(async move {
                while ticks.send(()).is_ok() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
        });
        // This blocks the only thread of the test's runtime.
        for _ in 0..10 {
            ticked.recv_timeout(Duration::from_secs(30)).expect("a tick");
        }
        assert_eq!(control.run(async { 7 }).await.unwrap(), 7);
    }
}
