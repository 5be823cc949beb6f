//! How a tool says that it failed: always one line on stderr. Where Kafka's tool says it on stdout, scripts look there, so
//! it is said there, too (Kafka's log repeats it on stderr, as well); but not twice on one terminal.

use std::io::IsTerminal as _;
use std::process::ExitCode;

/// Says `message` on stderr.
pub fn failure(message: impl std::fmt::Display) -> ExitCode {
    eprintln!("{}", one_line(&message.to_string()));
    ExitCode::FAILURE
}

/// Says `message` on stderr, and on stdout, where Kafka's tool says it.
pub fn failure_on_stdout(message: impl std::fmt::Display) -> ExitCode {
    say_on_stdout(&message.to_string());
    failure(message)
}

/// Says `message` on stderr, and on stdout, where Kafka's tool says it and ends with exit code 0 all the same.
pub fn remark_on_stdout(message: impl std::fmt::Display) {
    failure_on_stdout(message);
}

/// Prints what Kafka's tool prints on stdout about a failure, unless the same terminal shows stderr.
fn say_on_stdout(message: &str) {
    if !(std::io::stdout().is_terminal() && std::io::stderr().is_terminal()) {
        println!("{message}");
    }
}

/// A message without line breaks.
fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_line() {
        for (message, expected) in [("bad", "bad"), ("\nError: bad\n", "Error: bad"), ("a:\n  b", "a: b")] {
            assert_eq!(one_line(message), expected);
        }
    }
}
