//! Decision logic is pure: no IO, clock, randomness or await below a path that says `machine`, nor in crates that are pure as
//! a whole, nor in a module whose own first paragraph ends its promise with the word `Pure.`.

use super::{Complaint, SourceFile};

/// Pure as a whole.
const PURE_CRATES: [&str; 2] = ["controller/machine/src/", "broker/records/src/"];

/// What a pure module does not do, and what to do instead.
const FORBIDDEN: [(&str, &str); 10] = [
    ("std::fs", "no files"),
    ("std::net::Tcp", "no network"),
    ("std::thread", "no threads"),
    ("tokio::", "no runtime"),
    (".await", "no waiting"),
    ("async fn", "no waiting"),
    ("SystemTime::now", "take `now` as an argument"),
    ("Instant::now", "take `now` as an argument"),
    ("rand::", "take random bytes as an argument"),
    ("Uuid::new_v4", "take random bytes as an argument"),
];

/// Applies the rule.
pub fn check(file: &SourceFile) -> Vec<Complaint> {
    if !is_pure(file) {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (number, line) in file.product_lines() {
        let code = line.split("//").next().unwrap_or_default();
        for (word, instead) in FORBIDDEN.iter().filter(|(word, _)| code.contains(word)) {
            complaints.push(file.complain(number, format!("{word} in a pure module: {instead}")));
        }
    }
    complaints
}

fn is_pure(file: &SourceFile) -> bool {
    let named = file.path.ends_with("/machine.rs") || file.path.contains("/machine/");
    let crate_wide = PURE_CRATES.iter().any(|start| file.path.starts_with(start));
    let head = file.text.lines().take_while(|line| line.starts_with("//!"));
    let promised = head.into_iter().any(|line| line.trim_end().ends_with(" Pure."));
    named || crate_wide || promised
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::file;

    #[test]
    fn rules() {
        let clock = "//! X.\nfn f() { let now = Instant::now(); }\n";
        for (path, text, expected) in [
            ("controller/machine/src/a.rs", clock, 1),
            ("broker/coordinator/src/group/machine/a.rs", clock, 1),
            ("broker/replication/src/partition/machine.rs", clock, 1),
            ("broker/server/src/a.rs", clock, 0),
            ("broker/server/src/a.rs", "//! Names. Pure.\nasync fn f() { g().await }\n", 2),
            ("controller/machine/src/a.rs", "//! X.\n// Instant::now() is the caller's.\n", 0),
            ("controller/machine/src/a.rs", "//! X.\n#[cfg(test)]\nmod tests { use std::fs; }\n", 0),
        ] {
            assert_eq!(check(&file(path, text)).len(), expected, "{path}: {text}");
        }
    }
}
