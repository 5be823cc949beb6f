//! A disk that can be frozen: an ext4 file system of its own in an image file. Whoever writes to a frozen file system hangs,
//! uninterruptibly, until it thaws; what is in memory can still be read. Needs root and loop devices.

use crate::TestContext;
use anyhow::{Context as _, Result, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A mounted disk. Thawed and unmounted when dropped: whatever uses it must have ended by then.
#[derive(Debug)]
pub struct Disk {
    mount: PathBuf,
    freezer: Option<Child>,
}

impl Disk {
    /// Makes a disk and mounts it at `mount`, an empty directory. An error where this machine cannot.
    pub fn mount(context: &TestContext, name: &str, mebibytes: u64, mount: &Path) -> Result<Disk> {
        let image = context.dir().join(format!("{name}.img"));
        File::create(&image)?.set_len(mebibytes << 20)?;
        let image = image.display().to_string();
        run("mkfs.ext4", &["-q", "-F", &image])?;
        run("mount", &["-o", "loop", &image, &mount.display().to_string()])?;
        let disk = Disk { mount: mount.to_owned(), freezer: None };
        // Not a partition's directory.
        fs::remove_dir(mount.join("lost+found"))?;
        Ok(disk)
    }

    /// Freezes the disk for so long. A process of its own thaws it, whatever becomes of this one.
    pub fn freeze_for(&mut self, time: Duration) -> Result<()> {
        let mount = self.mount.display().to_string();
        let script = r#"fsfreeze -f "$1" && echo frozen; sleep "$2"; fsfreeze -u "$1""#;
        let seconds = time.as_secs().to_string();
        let mut freezer = Command::new("sh")
            .args(["-c", script, "sh", &mount, &seconds])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting sh")?;
        let said = freezer.stdout.take().context("no output")?;
        self.freezer = Some(freezer);
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut line)?;
        ensure!(line.trim() == "frozen", "{mount} does not freeze");
        Ok(())
    }

    /// Whether it is frozen still.
    pub fn is_frozen(&mut self) -> Result<bool> {
        match &mut self.freezer {
            Some(freezer) => Ok(freezer.try_wait()?.is_none()),
            None => Ok(false),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mount = self.mount.display().to_string();
        if let Some(mut freezer) = self.freezer.take() {
            // Fails if it has thawed already.
            let _ = run("fsfreeze", &["-u", &mount]);
            let _ = freezer.kill();
            let _ = freezer.wait();
        }
        if let Err(error) = run("umount", &["-l", &mount]) {
            eprintln!("{mount} stays mounted: {error:#}");
        }
    }
}

fn run(program: &str, words: &[&str]) -> Result<()> {
    let output = Command::new(program).args(words).output().with_context(|| format!("running {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {}: {}", words.join(" "), said.trim());
    Ok(())
}
