//! The log's write path and read path in this process, each against the least the machine could do for the same work.

mod append;
mod fetch;
mod flush;

use anyhow::Result;
use gregor_harness::TestContext;

/// Runs the case and prints its tables.
pub fn run(context: &TestContext) -> Result<()> {
    append::run(&context.create_dir("append")?)?;
    fetch::run(&context.create_dir("fetch")?)?;
    flush::run(&context.create_dir("flush")?)
}
