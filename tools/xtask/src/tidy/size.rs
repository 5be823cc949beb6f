//! Files and functions stay small enough to enter. Relies on rustfmt's layout: a function ends at the first `}` indented as
//! its `fn`.

use super::{Complaint, SourceFile};

const FILE_LINES_MAX: usize = 600;
/// As `.clippy.toml` has it; clippy does not count blank lines and comments, nor do we.
const FUNCTION_LINES_MAX: usize = 80;

/// Applies the rules.
pub fn check(file: &SourceFile) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        complaints
            .push(file.complain(1, format!("{lines} lines, the bar is {FILE_LINES_MAX}: cut it by noun")));
    }
    let product: Vec<(usize, &str)> = file.product_lines().collect();
    for (index, (number, line)) in product.iter().enumerate() {
        if !starts_function(line) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", &line[..indent]);
        let body = product[index + 1..].iter().map(|(_, line)| *line).take_while(|line| *line != end);
        let length =
            body.filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//")).count();
        // A declaration without body runs into the next function's end; it ends in a semicolon before.
        let has_body = !line.trim_end().ends_with(';');
        if has_body && length > FUNCTION_LINES_MAX {
            let what = format!("a function of {length} lines, the bar is {FUNCTION_LINES_MAX}");
            complaints.push(file.complain(*number, what));
        }
    }
    complaints
}

fn starts_function(line: &str) -> bool {
    let line = line.trim_start();
    let line =
        line.strip_prefix("pub").map_or(line, |rest| rest.trim_start_matches(|c| c != ' ').trim_start());
    let line = line.strip_prefix("const ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.starts_with("fn ") && line.ends_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::file;

    #[test]
    fn rules() {
        let body = |count: usize| "        work();\n".repeat(count);
        for (text, expected) in [
            (format!("impl A {{\n    pub(crate) async fn f() {{\n{}    }}\n}}\n", body(81)), 1),
            (format!("impl A {{\n    fn f() {{\n{}    }}\n}}\n", body(80)), 0),
            (format!("#[cfg(test)]\nmod tests {{\n    fn f() {{\n{}    }}\n}}\n", body(100)), 0),
            ("//\n".repeat(601), 1),
        ] {
            assert_eq!(check(&file("a/src/a.rs", &text)).len(), expected, "{text}");
        }
    }
}
