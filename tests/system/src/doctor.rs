//! `gregor doctor` on a corpus of damaged directories: every damage is named, losses are told exactly, and what it repaired
//! it finds sound.

use crate::damages::{DAMAGES, Damage, batch_of};
use crate::data_dir::DataDir;
use anyhow::{Context as _, Result, ensure};
use gregor_harness::broker::gregor_binary;
use gregor_harness::java::run_with_input;
use gregor_harness::process::CommandLine;
use gregor_harness::run;
use std::process::Output;

/// Runs `gregor doctor DIR ARGUMENTS`.
pub async fn doctor(dir: &DataDir, arguments: &[&str], input: &str) -> Result<Output> {
    let line = CommandLine::new(gregor_binary("gregor")?.display().to_string())
        .arg("doctor")
        .args(arguments.iter().copied())
        .arg(dir.path().display().to_string());
    run_with_input(line.command(), input.as_bytes()).await
}

/// What is found: kind, and what a repair loses, if there is one.
pub fn findings(output: &Output) -> Result<Vec<(String, Option<String>)>> {
    let text = std::str::from_utf8(&output.stdout)?;
    let document: serde_json::Value =
        serde_json::from_str(text).with_context(|| format!("no JSON: {text}"))?;
    let rows = document["findings"].as_array().context("no findings")?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    rows.iter()
        .map(|row| Ok((text(&row["kind"]).context("no kind")?, text(&row["repair"]["loses"]))))
        .collect()
}

#[test]
fn a_sound_directory_has_nothing_wrong() {
    run(async |_| {
        let dir = DataDir::build()?;
        let output = doctor(&dir, &["--records"], "").await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && text.contains(": 0 damages, 0 notes\n"), "{text}");
        ensure!(text.starts_with("4 partitions, "), "{text}");
        Ok(())
    });
}

#[test]
fn every_damage_is_named_with_what_its_repair_loses() {
    run(async |_| {
        let good = DataDir::build()?;
        let mut wrong = Vec::new();
        for damage in DAMAGES {
            if let Err(error) = check(&good, damage).await {
                wrong.push(format!("{}: {error:#}", damage.name));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    });
}

async fn check(good: &DataDir, damage: &Damage) -> Result<()> {
    let dir = good.copy()?;
    (damage.inflict)(&dir)?;
    let output = doctor(&dir, &["--json"], "").await?;
    let found = findings(&output)?;
    let sorted = |kinds: Vec<&str>| {
        let mut kinds = kinds;
        kinds.sort_unstable();
        kinds.join(" ")
    };
    let kinds = sorted(found.iter().map(|(kind, _)| kind.as_str()).collect());
    let expected = sorted(damage.kinds.to_vec());
    ensure!(kinds == expected, "found {kinds}, not {expected}: {}", String::from_utf8_lossy(&output.stdout));
    if let Some(loses) = damage.loses {
        let expected = loses(good)?;
        let told = found.iter().filter_map(|(_, loses)| loses.as_ref()).any(|loses| *loses == expected);
        ensure!(told, "no repair loses {expected:?}: {found:?}");
    }

    // Nothing is changed without a word.
    let refused = doctor(&dir, &["--repair"], "n\n").await?;
    ensure!(findings(&doctor(&dir, &["--json"], "").await?)? == found, "something was changed: {refused:?}");
    let repaired = doctor(&dir, &["--repair", "--yes"], "").await?;
    let left = findings(&doctor(&dir, &["--json"], "").await?)?;
    ensure!(left.iter().all(|(_, loses)| loses.is_none()), "left after the repair: {left:?} {repaired:?}");
    Ok(())
}

#[test]
fn a_damaged_batch_alone_can_be_taken_out() {
    run(async |_| {
        let good = DataDir::build()?;
        let damage =
            DAMAGES.iter().find(|damage| damage.name.contains("in the middle")).context("a damage")?;
        let (first, last, size) = batch_of(&good, 1, 1)?;
        (damage.inflict)(&good)?;
        let before = findings(&doctor(&good, &["--json", "--drop-damaged"], "").await?)?;
        let [(kind, Some(loses))] = &before[..] else { anyhow::bail!("found {before:?}") };
        ensure!(kind == "wrong-checksum", "found {kind}");
        let expected = format!("offsets {first} to {last} ({size} bytes: {size} damaged)");
        ensure!(*loses == expected, "it loses {loses}, not {expected}");
        doctor(&good, &["--repair", "--yes", "--drop-damaged"], "").await?;
        let left = findings(&doctor(&good, &["--json", "--records"], "").await?)?;
        ensure!(left.is_empty(), "left after the repair: {left:?}");
        Ok(())
    });
}
