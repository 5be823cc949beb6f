//! ARCHITECTURE.md's code map names every crate of the workspace.

use super::{Complaint, SourceFile};

const PAGE: &str = "ARCHITECTURE.md";

/// Applies the rule.
pub fn check(files: &[SourceFile]) -> Vec<Complaint> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let Some(workspace) = find("Cargo.toml") else { return Vec::new() };
    let Some(page) = find(PAGE) else {
        return vec![workspace.complain(1, format!("{PAGE} is missing"))];
    };
    let missing = members(&workspace.text).filter(|member| !page.text.contains(&format!("`{member}")));
    missing
        .map(|member| page.complain(1, format!("the code map does not name the crate `{member}`")))
        .collect()
}

/// The paths in `members = [...]`.
fn members(manifest: &str) -> impl Iterator<Item = &str> {
    let list = manifest.split_once("members = [").map_or("", |(_, rest)| rest);
    let list = list.split_once(']').map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::file;

    #[test]
    fn every_member_is_named() {
        let manifest =
            file("Cargo.toml", "[workspace]\nmembers = [\n    \"broker/log\",\n    \"tools/cli\",\n]\n");
        for (page, expected) in [("`broker/log`, `tools/cli`", 0), ("`broker/log/src`", 1), ("", 2)] {
            assert_eq!(check(&[manifest.clone(), file(PAGE, page)]).len(), expected, "{page:?}");
        }
        assert_eq!(check(&[manifest]).len(), 1);
    }
}
