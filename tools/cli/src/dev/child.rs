//! One process of the cluster: its output goes to a log file, and it does not outlive this program.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

/// A controlled shutdown moves leaders first.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// A running process.
#[derive(Debug)]
pub struct Child {
    /// What it is, for messages.
    pub name: String,
    /// Where it writes.
    pub log: PathBuf,
    process: std::process::Child,
}

impl Child {
    /// Starts `words`, its output appended to `data`/logs/`name`.log. Where util-linux's `setpriv` is there, the kernel stops
    /// the child should this program be killed.
    pub fn start(name: &str, words: &[String], data: &Path) -> Result<Child> {
        let logs = data.join("logs");
        fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{name}.log"));
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        let mut all: Vec<&str> = Vec::new();
        if find_program("setpriv").is_some() {
            all.extend(["setpriv", "--pdeathsig", "TERM", "--"]);
        }
        all.extend(words.iter().map(String::as_str));
        let process = Command::new(all[0])
            .args(&all[1..])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name} ({})", words.join(" ")))?;
        Ok(Child { name: name.to_owned(), log, process })
    }

    /// SIGTERM.
    pub fn ask_to_stop(&self) {
        if let Some(pid) = Pid::from_raw(self.process.id() as i32) {
            // It may be gone already.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// Waits for the end that was asked for; kills the process if it takes too long.
    pub async fn wait_or_kill(&mut self) {
        let start = Instant::now();
        while self.ended().is_none() && start.elapsed() < STOP_DEADLINE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.kill();
    }

    fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where the shell would find a program.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|program| program.is_file())
}
