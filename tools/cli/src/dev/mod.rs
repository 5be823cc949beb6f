//! `gregor dev`: a whole cluster on this machine, for development: a real ZooKeeper, brokers, one line to connect to, and
//! everything stopped on Ctrl-C. The data stays.
//!
//! Owns every process it starts, each in a process group of its own, so that Ctrl-C reaches only this program and brokers
//! are stopped before the ZooKeeper they say goodbye to.

mod broker;
mod child;
mod zookeeper;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{CommandFactory as _, Parser};
use gregor_config::Properties;
use tokio::signal::unix::{SignalKind, signal};

use crate::admin::Admin;
use crate::command_line::clap_arguments;
use child::Child;

/// How long brokers may take to find each other.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// ZooKeeper's ports follow the brokers' at this distance, three for each server.
const ZOOKEEPER_PORTS: u16 = 100;

/// Runs a whole cluster on this machine, for development, until Ctrl-C.
#[derive(Clone, Debug, Parser)]
#[command(name = "gregor dev")]
pub struct Flags {
    /// How many brokers
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=50))]
    brokers: u16,
    /// How many ZooKeeper servers
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=7))]
    zookeepers: u16,
    /// Where data and logs are kept; a cluster found there goes on
    #[arg(long, value_name = "DIR", default_value = "gregor-dev")]
    data: PathBuf,
    /// Port of the first broker; the others take the next, and ZooKeeper those from 100 above
    #[arg(long, default_value_t = 9092, value_parser = clap::value_parser!(u16).range(1024..=65000))]
    port: u16,
    /// A ZooKeeper that runs already, instead of starting one
    #[arg(long, value_name = "CONNECT")]
    zookeeper: Option<String>,
}

/// This tool's flags.
pub fn command() -> clap::Command {
    Flags::command()
}

/// Runs the cluster until it is told to stop or one of its processes ends.
pub async fn run(arguments: &[String]) -> ExitCode {
    let flags: Flags = match clap_arguments(arguments) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    let mut cluster = Processes::default();
    let outcome = tokio::select! {
        outcome = start_and_watch(&flags, &mut cluster) => outcome,
        told = told_to_stop() => told,
    };
    println!("stopping");
    cluster.stop().await;
    println!("stopped; data is kept in {}", flags.data.display());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gregor dev: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What runs, in the order it was started.
#[derive(Debug, Default)]
struct Processes {
    zookeepers: Vec<Child>,
    brokers: Vec<Child>,
}

impl Processes {
    async fn stop(&mut self) {
        for group in [&mut self.brokers, &mut self.zookeepers] {
            group.iter().for_each(Child::ask_to_stop);
            for child in group {
                child.wait_or_kill().await;
            }
        }
    }

    /// Waits until any process ends, which none should.
    async fn one_ended(&mut self) -> Result<()> {
        loop {
            for child in self.zookeepers.iter_mut().chain(&mut self.brokers) {
                if let Some(status) = child.ended() {
                    bail!("{} ended with {status}; its log is {}", child.name, child.log.display());
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn start_and_watch(flags: &Flags, cluster: &mut Processes) -> Result<()> {
    std::fs::create_dir_all(&flags.data).with_context(|| format!("creating {}", flags.data.display()))?;
    let data = flags.data.canonicalize()?;
    let ports: Vec<u16> = (0..flags.brokers).map(|index| flags.port.saturating_add(index)).collect();
    ports.iter().try_for_each(|port| check_port(*port))?;
    let connect = match &flags.zookeeper {
        Some(connect) => connect.clone(),
        None => start_zookeeper(flags, &data, cluster).await?,
    };
    let program = broker::find()?;
    for (id, port) in (0..).zip(&ports) {
        let settings =
            broker::Settings { id, port: *port, zookeeper_connect: &connect, brokers: flags.brokers };
        cluster.brokers.push(broker::start(&program, &data, &settings)?);
    }
    let bootstrap: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let bootstrap = bootstrap.join(",");
    tokio::select! {
        ended = cluster.one_ended() => return ended,
        ready = wait_until_ready(&bootstrap, flags.brokers) => ready?,
    }
    println!("logs are in {}", data.join("logs").display());
    println!("ready: {} broker(s), --bootstrap-server {bootstrap}", flags.brokers);
    println!("stop everything with Ctrl-C");
    cluster.one_ended().await
}

async fn start_zookeeper(flags: &Flags, data: &Path, cluster: &mut Processes) -> Result<String> {
    let first = flags.port.saturating_add(ZOOKEEPER_PORTS);
    let servers = zookeeper::lay_out(data, flags.zookeepers, first)?;
    for port in servers.iter().flat_map(|server| server.ports) {
        check_port(port)?;
    }
    let installation = zookeeper::find()?;
    for server in &servers {
        cluster.zookeepers.push(server.start(&installation, data)?);
    }
    tokio::select! {
        ended = cluster.one_ended() => ended?,
        ready = zookeeper::wait_until_serving(&servers) => ready?,
    }
    let connect = zookeeper::connect_string(&servers);
    println!("ZooKeeper: {} server(s) at {connect}", servers.len());
    Ok(connect)
}

fn check_port(port: u16) -> Result<()> {
    TcpListener::bind(("127.0.0.1", port))
        .with_context(|| format!("port {port} cannot be used; choose others with --port"))
        .map(drop)
}

async fn wait_until_ready(bootstrap: &str, brokers: u16) -> Result<()> {
    let start = Instant::now();
    loop {
        let every = bootstrap.split(',');
        let mut ready = 0;
        for address in every {
            // Each broker must know all of them.
            let answer = quick_look(address).await.unwrap_or_default();
            ready += usize::from(answer == usize::from(brokers));
        }
        if ready == usize::from(brokers) {
            return Ok(());
        }
        ensure!(
            start.elapsed() < READY_DEADLINE,
            "the brokers did not find each other within {READY_DEADLINE:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many brokers the one at `address` knows, if it answers at once.
async fn quick_look(address: &str) -> Result<usize> {
    let mut properties = Properties::new();
    properties.set("default.api.timeout.ms", "500");
    properties.set("request.timeout.ms", "500");
    Ok(Admin::new(address, &properties)?.live_brokers().await?.len())
}

async fn told_to_stop() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
