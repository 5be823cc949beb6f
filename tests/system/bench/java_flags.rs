//! Apache Kafka as it is run in the field, not as tests run it: its own heap and collector, and the optimizing compiler.

use gregor_harness::process::CommandLine;

/// The command line of the harness with flags for steady-state speed.
pub fn for_speed(mut line: CommandLine) -> CommandLine {
    line.words.retain(|word| word != "-XX:TieredStopAtLevel=1");
    for word in &mut line.words {
        match word.as_str() {
            "-Xmx256m" => *word = "-Xmx1g".to_owned(),
            "-XX:+UseSerialGC" => *word = "-XX:+UseG1GC".to_owned(),
            _ => {}
        }
    }
    line
}
