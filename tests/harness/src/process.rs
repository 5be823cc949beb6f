//! A child process that writes to a log file, can be hurt, and never outlives the harness.

use crate::context::TestContext;
use crate::wait;
use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, OpenOptions};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running child. Dropping it kills it; so does the death of the thread that started it (`PR_SET_PDEATHSIG`, set by
/// util-linux's `setpriv`), so that not even a killed test run leaves a JVM behind.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
}

/// What to run: the program and its arguments, and the network namespace to run it in.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// Program and arguments.
    pub words: Vec<String>,
    /// Environment variables on top of ours.
    pub environment: Vec<(String, String)>,
    /// Network namespace, for brokers that will be cut off.
    pub namespace: Option<String>,
}

impl CommandLine {
    /// `program` with no arguments yet.
    pub fn new(program: impl Into<String>) -> Self {
        CommandLine { words: vec![program.into()], ..CommandLine::default() }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// The command to spawn: `[ip netns exec NAMESPACE] setpriv --pdeathsig KILL WORDS...`; each of these replaces itself by
    /// the next, so the child's id is the program's.
    pub fn command(&self) -> Command {
        let mut words: Vec<&str> = Vec::new();
        if let Some(namespace) = &self.namespace {
            words.extend(["ip", "netns", "exec", namespace]);
        }
        words.extend(["setpriv", "--pdeathsig", "KILL", "--"]);
        words.extend(self.words.iter().map(String::as_str));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        // Gregor takes GREGOR_... for configuration; what steers the harness is none of a broker's business.
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("GREGOR_")) {
            command.env_remove(key);
        }
        // cargo points it at the librdkafka it built, which kcat would load instead of its own.
        command.env_remove("LD_LIBRARY_PATH");
        command.envs(self.environment.iter().map(|(k, v)| (k, v))).stdin(Stdio::null());
        command
    }
}

impl Process {
    /// Starts `line`, its output appended to the context's log `name`.
    pub fn spawn(context: &TestContext, name: &str, line: &CommandLine) -> Result<Process> {
        let log = OpenOptions::new().create(true).append(true).open(context.log_file(name)?)?;
        let child = line
            .command()
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", line.words.join(" ")))?;
        Ok(Process { name: name.to_owned(), child })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal`; a process that is already gone is no error.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process(pid, signal);
        }
    }

    /// `kill -9`, and reaps it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM: the program is asked to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGSTOP: the process exists, its sockets stay open, and it does nothing.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// How the process ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the process to end by itself.
    pub async fn wait_for_exit(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        wait::until(&format!("{name} to exit"), deadline, || {
            let status = self.exited();
            async move { Ok(status) }
        })
        .await
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.status_bytes("VmRSS:")
    }

    /// The most that resident memory ever was, in bytes.
    pub fn peak_resident_bytes(&self) -> Result<u64> {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, key: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let line = line.with_context(|| format!("no {key} line"))?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib * 1024)
    }

    /// Processor time of all its threads so far.
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        // Fields are counted from behind the name, which may hold anything: user and system time are the 14th and 15th.
        let (_, rest) = stat.rsplit_once(") ").context("no name in stat")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks: u64 = fields
            .get(11..13)
            .context("a short stat")?
            .iter()
            .map(|f| f.parse::<u64>())
            .sum::<Result<_, _>>()?;
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
