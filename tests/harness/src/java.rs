//! Where the Java programs are: Debian's ZooKeeper, and Apache Kafka's jars that `tests/run` fetches from Maven Central.

use crate::process::CommandLine;
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Debian's `zookeeper` package; its manifest names the other jars it needs.
const ZOOKEEPER_JAR: &str = "/usr/share/java/zookeeper.jar";
/// Makes ZooKeeper log to stderr where it is installed.
const SLF4J_JAR: &str = "/usr/share/java/slf4j-simple.jar";

/// Flags that make a JVM start fast and stay small; steady-state speed is not what tests are after.
const JVM_FLAGS: [&str; 4] = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/// The class path of a ZooKeeper server.
pub fn zookeeper_class_path() -> Result<String> {
    ensure!(
        Path::new(ZOOKEEPER_JAR).exists(),
        "{ZOOKEEPER_JAR} is missing: install Debian's package `zookeeper`"
    );
    Ok(format!("{ZOOKEEPER_JAR}:{SLF4J_JAR}"))
}

/// The directory with Apache Kafka's jars: `GREGOR_KAFKA_LIBS`, else where `tests/run interop` puts them.
pub fn kafka_libs() -> Result<PathBuf> {
    let dir = match std::env::var_os("GREGOR_KAFKA_LIBS") {
        Some(dir) => PathBuf::from(dir),
        None => target_dir().join("kafka").join("libs"),
    };
    let found = fs::read_dir(&dir)
        .map(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("kafka_2.13-"))
        })
        .unwrap_or(false);
    ensure!(
        found,
        "no Apache Kafka jars in {}: run `tests/run interop` once, or set GREGOR_KAFKA_LIBS",
        dir.display()
    );
    Ok(dir)
}

/// A directory with jars that `tests/run interop` fetches: `clients` (Apache Kafka's newest, and a compiler),
/// `clients-VERSION`, `applications`.
pub fn fetched(name: &str) -> Result<PathBuf> {
    let dir = target_dir().join("kafka").join(name);
    ensure!(dir.exists(), "no jars in {}: run `tests/run interop` once", dir.display());
    Ok(dir)
}

/// A Java program of ours that uses Apache Kafka's newest clients: compiles `source` below `dir`, and gives the command of
/// its class, which is named like the file.
pub async fn client_program(dir: &Path, source: &Path) -> Result<CommandLine> {
    fetched_program(dir, source, "clients").await
}

/// The same with the jars of another fetched directory.
pub async fn fetched_program(dir: &Path, source: &Path, libs: &str) -> Result<CommandLine> {
    program(dir, source, &fetched(libs)?, &[]).await
}

/// The same with Apache Kafka 3.9 and its tools instead of the newest clients, quiet as `kafka_tool`.
pub async fn kafka_program(dir: &Path, source: &Path) -> Result<CommandLine> {
    let log4j = format!("file:{}", write_log4j(dir, "OFF")?.display());
    program(dir, source, &kafka_libs()?, &[("log4j.configuration", &log4j)]).await
}

/// Compiles `source` with the jars of `libs`, and gives the command of its class.
async fn program(dir: &Path, source: &Path, libs: &Path, properties: &[(&str, &str)]) -> Result<CommandLine> {
    let jars = fs::read_dir(fetched("clients")?)?.flatten().map(|entry| entry.path());
    let is_compiler =
        |jar: &PathBuf| jar.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ecj-"));
    let compiler = jars.into_iter().find(is_compiler).context("no compiler beside the newest clients")?;
    let class = source.file_stem().context("a source without a name")?.to_string_lossy().into_owned();
    let of = libs.file_name().unwrap_or_default().to_string_lossy();
    let classes = dir.join(format!("classes-{class}-{of}"));
    let line = CommandLine::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-jar"])
        .arg(compiler.display().to_string())
        .args(["-17", "-nowarn", "-cp"])
        .arg(class_path_of(libs)?)
        .arg("-d")
        .arg(classes.display().to_string())
        .arg(source.display().to_string());
    let said = run_with_input(line.command(), b"").await?;
    ensure!(
        said.status.success(),
        "compiling {}: {}",
        source.display(),
        String::from_utf8_lossy(&said.stderr)
    );
    Ok(java(&format!("{}:{}/*", classes.display(), libs.display()), properties, &class))
}

/// Every jar of a directory, as a compiler wants them.
fn class_path_of(libs: &Path) -> Result<String> {
    let jars = fs::read_dir(libs)?.flatten().map(|entry| entry.path().display().to_string());
    Ok(jars.filter(|jar| jar.ends_with(".jar")).collect::<Vec<_>>().join(":"))
}

/// Cargo's target directory of this build.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    }
}

/// `java` with small-JVM flags, `properties` as `-D` flags, and a class path.
pub fn java(class_path: &str, properties: &[(&str, &str)], main_class: &str) -> CommandLine {
    CommandLine::new("java")
        .args(JVM_FLAGS)
        .arg("-Djava.awt.headless=true")
        .args(properties.iter().map(|(key, value)| format!("-D{key}={value}")))
        .args(["-cp", class_path, main_class])
}

/// The same command line with flags for steady-state speed, as Java servers are run in the field: a heap of that size, its
/// default collector, and the optimizing compiler.
#[must_use]
pub fn for_speed(mut line: CommandLine, heap_mebibytes: u32) -> CommandLine {
    line.words.retain(|word| word != "-XX:TieredStopAtLevel=1");
    for word in &mut line.words {
        match word.as_str() {
            "-Xmx256m" => *word = format!("-Xmx{heap_mebibytes}m"),
            "-XX:+UseSerialGC" => *word = "-XX:+UseG1GC".to_owned(),
            _ => {}
        }
    }
    line
}

/// One of Kafka's own programs, its log4j quiet unless told otherwise by `log4j`.
pub fn kafka(main_class: &str, log4j: &Path) -> Result<CommandLine> {
    let class_path = format!("{}/*", kafka_libs()?.display());
    let log4j = format!("file:{}", log4j.display());
    Ok(java(&class_path, &[("log4j.configuration", &log4j)], main_class))
}

/// Runs one of Kafka's tools to its end, with `input` on its stdin; `dir` is for its logging configuration.
pub async fn kafka_tool(dir: &Path, main_class: &str, args: &[&str], input: &[u8]) -> Result<Output> {
    let log4j = write_log4j(dir, "OFF")?;
    let line = kafka(main_class, &log4j)?.args(args.iter().copied());
    run_with_input(line.command(), input)
        .await
        .with_context(|| format!("running {main_class} {}", args.join(" ")))
}

/// Writes a log4j configuration that logs to stdout from `level` on.
pub fn write_log4j(dir: &Path, level: &str) -> Result<PathBuf> {
    let path = dir.join(format!("log4j-{level}.properties"));
    let text = format!(
        "log4j.rootLogger={level}, stdout\nlog4j.appender.stdout=org.apache.log4j.ConsoleAppender\n\
         log4j.appender.stdout.layout=org.apache.log4j.PatternLayout\n\
         log4j.appender.stdout.layout.ConversionPattern=%d{{HH:mm:ss.SSS}} %p %c{{1}} %m%n\n"
    );
    fs::write(&path, text)?;
    Ok(path)
}

/// Runs a command to its end off the runtime's threads, feeding it `input`.
pub async fn run_with_input(mut command: Command, input: &[u8]) -> Result<Output> {
    use std::io::Write as _;
    use std::process::Stdio;
    let input = input.to_vec();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Started here, because the child dies with the thread that starts it.
    let mut child = command.spawn()?;
    tokio::task::spawn_blocking(move || {
        let stdin = child.stdin.take();
        let feeder = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        let output = child.wait_with_output()?;
        // A program may end before it has read everything; its exit status tells whether that was wrong.
        let _ = feeder.join();
        Ok(output)
    })
    .await?
}
