//! One test's surroundings: its directory, its logs, and what happens to them when it passes or fails.

use anyhow::{Context as _, Result, anyhow};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Lines of each log shown when a test fails.
const TAIL_LINES: usize = 40;

/// A test may take this long unless it says otherwise.
const DEADLINE: Duration = Duration::from_secs(150);

/// What a test owns. Clones are the same context.
#[derive(Clone, Debug)]
pub struct TestContext {
    dir: PathBuf,
    logs: Arc<Mutex<Vec<PathBuf>>>,
}

impl TestContext {
    /// A context over `dir`, for programs (benchmarks) that are not tests.
    pub fn in_directory(dir: impl Into<PathBuf>) -> Self {
        TestContext { dir: dir.into(), logs: Arc::default() }
    }

    /// The test's own directory, removed when the test passes.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes `name` below the test's directory, with all parents.
    pub fn create_dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(path)
    }

    /// Where process `name` writes; the tail is printed when the test fails.
    pub fn log_file(&self, name: &str) -> Result<PathBuf> {
        let path = self.create_dir("logs")?.join(format!("{name}.log"));
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if !logs.contains(&path) {
            logs.push(path.clone());
        }
        Ok(path)
    }

    fn print_tails(&self) {
        for path in self.logs.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(TAIL_LINES);
            println!("---- {} (last {} of {} lines)", path.display(), lines.len() - from, lines.len());
            lines[from..].iter().for_each(|line| println!("{line}"));
        }
    }
}

/// Runs one test on its own runtime and directory. Panics when it fails, after printing the logs' tails.
pub fn run<F>(body: F)
where
    F: AsyncFnOnce(&TestContext) -> Result<()>,
{
    run_within(DEADLINE, body);
}

/// `run` with the test's own deadline.
pub fn run_within<F>(deadline: Duration, body: F)
where
    F: AsyncFnOnce(&TestContext) -> Result<()>,
{
    let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
    let dir =
        tempfile::Builder::new().prefix(&format!("gregor-{name}-")).tempdir().expect("a temporary directory");
    let context = TestContext::in_directory(dir.path());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a tokio runtime");
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            tokio::time::timeout(deadline, body(&context))
                .await
                .unwrap_or_else(|_| Err(anyhow!("the test did not end within {deadline:?}")))
        })
    }));
    runtime.shutdown_background();
    if matches!(outcome, Ok(Ok(()))) {
        return;
    }
    context.print_tails();
    println!("---- kept: {}", dir.keep().display());
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("{error:#}"),
        Err(panic) => resume_unwind(panic),
    }
}
