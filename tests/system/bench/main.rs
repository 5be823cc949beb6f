//! Benchmarks, run by tests/bench. Each case prints one table: Gregor's figures, and Apache Kafka's from the same run.

mod start;

use anyhow::{Result, bail};
use gregor_harness::TestContext;
use gregor_harness::java::kafka_libs;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let cases = if wanted.is_empty() { vec!["start".to_owned()] } else { wanted };
    let with_kafka = kafka_libs().is_ok();
    if !with_kafka {
        println!("(without Apache Kafka beside it: `tests/run interop` fetches its jars)");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for case in cases {
        let dir = tempfile::Builder::new().prefix("gregor-bench-").tempdir()?;
        let context = TestContext::in_directory(dir.path());
        match case.as_str() {
            "start" => runtime.block_on(start::run(&context, with_kafka))?,
            other => bail!("no benchmark is called {other}; there is: start"),
        }
    }
    Ok(())
}
