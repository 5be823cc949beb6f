//! Rules of this repository that neither compiler nor clippy checks. Each rule is a pure function from a file's path and
//! text to complaints; this module only walks and reads.

mod architecture;
mod purity;
mod size;
mod words;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Something to put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The file, relative to the root.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// A file of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the root, with slashes.
    pub path: String,
    /// What it holds.
    pub text: String,
}

impl SourceFile {
    fn complain(&self, line: usize, what: impl Into<String>) -> Complaint {
        Complaint { path: self.path.clone(), line, what: what.into() }
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is test code.
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// The lines before the test module, numbered from 1.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let all = if self.is_test() { "" } else { self.text.as_str() };
        (1..).zip(all.lines()).take_while(|(_, line)| *line != "#[cfg(test)]")
    }
}

/// Applies every rule below `root`.
pub fn run(root: &Path) -> Result<Vec<Complaint>> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut complaints = architecture::check(&files);
    complaints.extend(crate::configs::check(root));
    for file in &files {
        complaints.extend(words::check(file));
        if file.is_rust() {
            complaints.extend(size::check(file));
            complaints.extend(purity::check(file));
        }
    }
    complaints.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok(complaints)
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<SourceFile>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_hidden = name.starts_with('.') && name != ".ci";
        if is_hidden || name == "target" || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if is_source(&path) {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            // Golden bytes are no text, and none of our words.
            if let Ok(text) = fs::read_to_string(&path) {
                files.push(SourceFile { path: relative, text });
            }
        }
    }
    Ok(())
}

/// Sources, scripts (no extension), configuration and pages.
fn is_source(path: &Path) -> bool {
    const ENDS: [&str; 5] = ["rs", "toml", "md", "sh", "yml"];
    path.extension().is_none_or(|end| ENDS.iter().any(|known| end == *known)) && !is_golden(path)
}

fn is_golden(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "golden")
}

#[cfg(test)]
fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}
