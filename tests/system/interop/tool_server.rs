//! Apache Kafka's tools, one after another in one JVM (java/ToolServer.java): starting one for every command would take most
//! of a test's time.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::java;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::Mutex;

/// More than any tool says.
const MAX_OUTPUT: usize = 64 << 20;

/// The JVM. Dropping it ends it.
#[derive(Debug)]
pub struct ToolServer {
    pipes: Mutex<(ChildStdin, ChildStdout)>,
    _child: Child,
}

impl ToolServer {
    /// Starts the JVM in `dir`: file names in the tools' arguments are relative to it.
    pub async fn start(dir: &Path) -> Result<ToolServer> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/java/ToolServer.java");
        let mut command = java::kafka_program(dir, &source).await?.command();
        command.current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take().context("a pipe to the JVM")?;
        let stdout = child.stdout.take().context("a pipe from the JVM")?;
        Ok(ToolServer { pipes: Mutex::new((stdin, stdout)), _child: child })
    }

    /// Runs the tool of this class with `input` on its stdin.
    pub async fn run(&self, class: &str, arguments: &[String], input: &str) -> Result<Output> {
        let (stdin, stdout) = &mut *self.pipes.lock().await;
        let words: Vec<&str> = [class].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        ensure!(words.iter().all(|word| !word.contains('\n')), "a line break in {words:?}");
        let line = format!("{}\n{}\n", words.join("\u{1f}"), input.replace('\n', "\u{1e}"));
        stdin.write_all(line.as_bytes()).await.with_context(|| format!("asking for {class}"))?;
        stdin.flush().await?;
        let code = stdout.read_i32().await.with_context(|| format!("the JVM ended with {class}"))?;
        let (said, complained) = (read_text(stdout).await?, read_text(stdout).await?);
        Ok(Output { status: ExitStatus::from_raw(code << 8), stdout: said, stderr: complained })
    }
}

async fn read_text(stdout: &mut ChildStdout) -> Result<Vec<u8>> {
    let length = usize::try_from(stdout.read_i32().await?)?;
    ensure!(length <= MAX_OUTPUT, "a tool said {length} bytes");
    let mut text = vec![0; length];
    stdout.read_exact(&mut text).await?;
    Ok(text)
}
