//! The container image and the compose cluster, and the Debian package. What a Docker engine is needed for is skipped with one
//! line where none answers; how variables become properties is tested everywhere, as it is a script.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::broker::gregor_binary;
use gregor_harness::java::run_with_input;
use gregor_harness::{TestContext, run, run_within, wait};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// Compiling everything in a container takes long.
const BUILD_DEADLINE: Duration = Duration::from_secs(45 * 60);
/// A cluster of six containers on a small machine.
const CLUSTER_DEADLINE: Duration = Duration::from_secs(180);

fn docker_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docker")
}

/// Puts a program of that name into `dir` that prints its arguments and the variables that Gregor reads.
fn stand_in(dir: &Path, name: &str) -> Result<()> {
    let path = dir.join(name);
    fs::write(
        &path,
        "#!/bin/bash\nprintf 'arguments: %s\\n' \"$*\"\nenv | grep -E '^(GREGOR_|RUST_LOG)' | sort\n",
    )?;
    Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?)
}

/// What the image's entrypoint starts, with these variables and arguments.
async fn entrypoint(
    context: &TestContext,
    variables: &[(&str, &str)],
    arguments: &[&str],
) -> Result<Vec<String>> {
    let programs = context.create_dir("programs")?;
    stand_in(&programs, "gregor-broker")?;
    stand_in(&programs, "gregor")?;
    let mut command = Command::new(docker_dir().join("entrypoint"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    let output = run_with_input(command, b"").await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

#[test]
fn variables_become_properties_as_in_the_official_image() {
    run(async |context| {
        let said = entrypoint(
            context,
            &[
                ("KAFKA_BROKER_ID", "7"),
                ("KAFKA_LISTENER_NAME_A__B_SSL_KEYSTORE_LOCATION", "/x"),
                ("KAFKA_ADVERTISED_LISTENERS", "IN://one:19092,OUT://localhost:9092"),
                ("KAFKA_HEAP_OPTS", "-Xmx1G"),
                ("KAFKA_LOG4J_ROOT_LOGLEVEL", "WARN"),
                ("KAFKA_LOG4J_LOGGERS", "kafka.request.logger=DEBUG"),
                ("PATH_OF_NOBODY", "1"),
            ],
            &["--log-format", "json"],
        )
        .await?;
        let expected = [
            "arguments: --log-format json /etc/gregor/server.properties",
            "GREGOR_ADVERTISED_LISTENERS=IN://one:19092,OUT://localhost:9092",
            "GREGOR_BROKER_ID=7",
            "GREGOR_GREGOR_METRICS_LISTENER=:9404",
            "GREGOR_LISTENERS=IN://0.0.0.0:19092,OUT://0.0.0.0:9092",
            "GREGOR_LISTENER_NAME_A__B_SSL_KEYSTORE_LOCATION=/x",
            "RUST_LOG=warn,kafka.request.logger=debug,zookeeper_client=warn",
        ];
        ensure!(said == expected, "the broker is started with {said:#?}");
        let said = entrypoint(context, &[], &["gregor", "topics", "--list"]).await?;
        ensure!(said == ["arguments: topics --list"], "{said:?}");
        Ok(())
    });
}

#[test]
fn the_debian_package_holds_programs_and_unit() {
    run(async |context| {
        if Command::new("dpkg-deb").arg("--version").output().is_err() {
            println!("skipped: there is no dpkg-deb");
            return Ok(());
        }
        let mut command = Command::new(docker_dir().join("package"));
        let programs = gregor_binary("gregor")?.canonicalize()?;
        command.arg(context.dir()).env("GREGOR_BIN_DIR", programs.parent().context("a directory")?);
        let built = run_with_input(command, b"").await?;
        ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let package = String::from_utf8(built.stdout)?;
        let mut command = Command::new("dpkg-deb");
        command.args(["--contents", package.trim()]);
        let contents = String::from_utf8(run_with_input(command, b"").await?.stdout)?;
        for path in [
            "./usr/bin/gregor-broker",
            "./usr/bin/gregor",
            "./lib/systemd/system/gregor-broker.service",
            "./etc/gregor/server.properties",
            "./usr/share/bash-completion/completions/gregor",
        ] {
            ensure!(contents.lines().any(|line| line.ends_with(path)), "no {path} in {contents}");
        }
        Ok(())
    });
}

/// `docker compose` of the three-broker cluster, under a name of this test's own.
struct Compose {
    words: Vec<String>,
}

impl Compose {
    /// `None` where no engine answers.
    async fn find() -> Result<Option<Compose>> {
        let answers = async |words: &[&str]| -> bool {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]);
            run_with_input(command, b"").await.is_ok_and(|output| output.status.success())
        };
        if !answers(&["docker", "info"]).await {
            return Ok(None);
        }
        let words: &[&str] = match answers(&["docker", "compose", "version"]).await {
            true => &["docker", "compose"],
            false => &["docker-compose"],
        };
        let file = docker_dir().join("compose.yaml").display().to_string();
        let project = format!("gregor-test-{}", std::process::id());
        let words = words.iter().copied().chain(["-f", &file, "-p", &project]).map(str::to_owned);
        Ok(Some(Compose { words: words.collect() }))
    }

    async fn try_run(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).args(arguments);
        run_with_input(command, input.as_bytes()).await
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        let output = self.try_run(arguments, input).await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "compose {arguments:?}: {errors}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A tool of ours in a broker's container.
    async fn gregor(&self, container: &str, arguments: &[&str], input: &str) -> Result<String> {
        self.run(&[&["exec", "-T", container, "gregor"], arguments].concat(), input).await
    }
}

#[test]
fn a_compose_cluster_survives_the_loss_of_a_container() {
    run_within(BUILD_DEADLINE, async |_| {
        let Some(compose) = Compose::find().await? else {
            println!("skipped: no Docker engine answers");
            return Ok(());
        };
        compose.run(&["build"], "").await?;
        compose.run(&["up", "-d"], "").await?;
        let outcome = lose_a_container(&compose).await;
        if outcome.is_err() {
            println!("{}", compose.run(&["logs", "--tail", "40"], "").await.unwrap_or_default());
        }
        compose.run(&["down", "-v"], "").await?;
        outcome
    });
}

async fn lose_a_container(compose: &Compose) -> Result<()> {
    const SERVERS: [&str; 2] = ["--bootstrap-server", "broker-1:19092,broker-2:19092,broker-3:19092"];
    let create = ["--create", "--topic", "orders", "--partitions", "3", "--replication-factor", "3"];
    let create = [&["topics"], &SERVERS[..], &create].concat();
    wait::until_true("the topic to be created", CLUSTER_DEADLINE, async || {
        compose.gregor("broker-1", &create, "").await.map(|_| true)
    })
    .await?;
    let produce = [&["console-producer"], &SERVERS[..], &["--topic", "orders"]].concat();
    let lines = |range: std::ops::Range<u32>| range.map(|at| format!("line {at}\n")).collect::<String>();
    compose.gregor("broker-1", &produce, &lines(0..100)).await?;
    compose.run(&["kill", "-s", "SIGKILL", "broker-2"], "").await?;
    compose.gregor("broker-1", &produce, &lines(100..200)).await?;
    let consume = ["--topic", "orders", "--from-beginning", "--max-messages", "200"];
    let consume = [&["console-consumer"], &SERVERS[..], &consume].concat();
    let read = compose.gregor("broker-3", &consume, "").await?;
    let mut read: Vec<&str> = read.lines().collect();
    read.sort_unstable();
    let all = lines(0..200);
    let mut sent: Vec<&str> = all.lines().collect();
    sent.sort_unstable();
    ensure!(read == sent, "{} lines read, {} sent", read.len(), sent.len());
    compose.run(&["start", "broker-2"], "").await?;
    let describe = ["--describe", "--under-replicated-partitions"];
    let describe = [&["topics"], &SERVERS[..], &describe].concat();
    wait::until_true("every replica to be in sync", CLUSTER_DEADLINE, async || {
        Ok(compose.gregor("broker-1", &describe, "").await?.trim().is_empty())
    })
    .await?;
    compose.run(&["stop", "-t", "60"], "").await?;
    Ok(())
}
