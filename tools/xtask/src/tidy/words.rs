//! Words that do not belong in a finished tree, file names that say nothing, and modules that do not say what they are.

use super::{Complaint, SourceFile};

/// Split, so that this file does not complain about itself.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("#[ign", "ore]")];

const EMPTY_NAMES: [&str; 5] = ["util", "utils", "helper", "helpers", "common"];

/// Applies the rules.
pub fn check(file: &SourceFile) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
            complaints.push(
                file.complain(number, format!("{word} has no place here: finish it, or open an issue")),
            );
        }
    }
    if file.is_rust() {
        let stem = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        if EMPTY_NAMES.contains(&stem) {
            complaints.push(file.complain(1, "name the module after what it holds"));
        }
        if !file.is_test() && !file.text.starts_with("//!") {
            complaints
                .push(file.complain(1, "a module starts with a //! paragraph: purpose, owner, invariant"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::file;

    #[test]
    fn rules() {
        for (path, text, expected) in [
            ("a/src/segment.rs", "//! Segments.\nfn f() {}\n".to_owned(), 0),
            ("a/src/segment.rs", "fn f() {}\n".to_owned(), 1),
            ("a/src/tests.rs", "fn f() {}\n".to_owned(), 0),
            ("a/src/utils.rs", "//! Things.\n".to_owned(), 1),
            ("a/run", format!("# {}: later\n", UNFINISHED[0]), 1),
            ("a/src/x.rs", format!("//! X.\n{}\nfn t() {{}}\n", UNFINISHED[3]), 1),
        ] {
            assert_eq!(check(&file(path, &text)).len(), expected, "{path}: {text}");
        }
    }
}
