//! `gregor console`: a web page over a cluster, read-only, until Ctrl-C. The page itself is crate `gregor-console`.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, Parser};
use gregor_console::{Cluster, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::command_line::clap_arguments;

/// Serves a web page that shows a cluster: brokers, topics, consumer groups with lag, messages. It changes nothing.
#[derive(Clone, Debug, Parser)]
#[command(name = "gregor console")]
pub struct Flags {
    /// Brokers to begin with
    #[arg(long, value_name = "HOST:PORT,...")]
    bootstrap_server: String,
    /// Where the page listens. Whoever reaches it reads every topic: keep it on loopback or behind a proxy that asks who comes
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// This tool's flags.
pub fn command() -> clap::Command {
    Flags::command()
}

/// Serves until it is told to stop.
pub async fn run(arguments: &[String]) -> ExitCode {
    let flags: Flags = match clap_arguments(arguments) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    match serve_page(&flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gregor console: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve_page(flags: &Flags) -> Result<()> {
    let cluster = Cluster::new(&flags.bootstrap_server).context("--bootstrap-server")?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let listener =
        TcpListener::bind(flags.listen).await.with_context(|| format!("listening on {}", flags.listen))?;
    println!("ready: http://{}", listener.local_addr()?);
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    serve(listener, cluster, stop).await.context("serving the page")
}
