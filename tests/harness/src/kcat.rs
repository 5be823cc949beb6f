//! kcat, the command-line client people use.

use crate::java::run_with_input;
use crate::process::CommandLine;
use anyhow::{Result, ensure};

/// Runs kcat against a cluster.
#[derive(Clone, Debug)]
pub struct Kcat {
    bootstrap: String,
}

impl Kcat {
    /// kcat that starts from the brokers `bootstrap`.
    pub fn new(bootstrap: impl Into<String>) -> Kcat {
        Kcat { bootstrap: bootstrap.into() }
    }

    /// Sends each line of `input` as a message to `topic`; `args` go to kcat (`-X acks=all`, `-p 0`, `-z zstd`, ...).
    pub async fn produce(&self, topic: &str, args: &[&str], input: &str) -> Result<()> {
        self.run(&[&["-P", "-t", topic], args].concat(), input).await.map(drop)
    }

    /// Reads `topic` from the beginning to its end and returns what kcat prints.
    pub async fn consume(&self, topic: &str, args: &[&str]) -> Result<String> {
        // The end is known when a fetch comes back empty, which brokers are not to think about for long.
        let common = ["-C", "-q", "-e", "-o", "beginning", "-X", "fetch.wait.max.ms=20", "-t", topic];
        self.run(&[&common, args].concat(), "").await
    }

    /// Lists the cluster's metadata (`-L`).
    pub async fn metadata(&self) -> Result<String> {
        self.run(&["-L"], "").await
    }

    async fn run(&self, args: &[&str], input: &str) -> Result<String> {
        let line = CommandLine::new("kcat").args(["-b", &self.bootstrap]).args(args.iter().copied());
        let output = run_with_input(line.command(), input.as_bytes()).await?;
        ensure!(
            output.status.success(),
            "kcat {} ended with {}: {}",
            args.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}
