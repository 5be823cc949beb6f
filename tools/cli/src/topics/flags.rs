//! The flags of `gregor topics` and which of them go together (`TopicCommandOptions`). Pure.

use crate::command_line::{
    BOOTSTRAP_SERVER, COMMAND_CONFIG, COMMON, Flag, Given, Refusal, conflicting, help_or_version, one_action,
    parse, required,
};

/// The flags of kafka-topics.sh.
pub const FLAGS: [Flag; 23] = [
    BOOTSTRAP_SERVER,
    COMMAND_CONFIG,
    Flag::switch("list", "List the topics."),
    Flag::switch("create", "Create a topic."),
    Flag::switch("delete", "Delete topics."),
    Flag::switch("alter", "Add partitions to topics."),
    Flag::switch("describe", "Show partitions, replicas and configs of topics."),
    Flag::valued("topic", "topic", "The topic; except for --create, a regular expression over whole names."),
    Flag::valued("topic-id", "topic id", "The topic to describe, by its id."),
    Flag::valued("config", "name=value", "A config of the topic that is created; may be repeated."),
    Flag::valued("delete-config", "name", "Taken only to say that kafka-configs does this now."),
    Flag::valued(
        "partitions",
        "count",
        "How many partitions to create, or to grow to; the broker's default if not given.",
    ),
    Flag::valued(
        "replication-factor",
        "count",
        "How many replicas of each partition; the broker's default if not given.",
    ),
    Flag::valued(
        "replica-assignment",
        "0:1,1:2,...",
        "The brokers of each partition, the preferred leader first.",
    ),
    Flag::switch(
        "under-replicated-partitions",
        "Describe only partitions with fewer in-sync replicas than replicas.",
    ),
    Flag::switch("unavailable-partitions", "Describe only partitions without a living leader."),
    Flag::switch("under-min-isr-partitions", "Describe only partitions below min.insync.replicas."),
    Flag::switch("at-min-isr-partitions", "Describe only partitions exactly at min.insync.replicas."),
    Flag::switch(
        "topics-with-overrides",
        "Describe only topics with configs of their own, without partitions.",
    ),
    Flag::switch("if-exists", "Do nothing, rather than fail, where the topic does not exist."),
    Flag::switch("if-not-exists", "Do nothing, rather than fail, where the topic exists."),
    Flag::switch("exclude-internal", "Leave internal topics out."),
    Flag::valued(
        "partition-size-limit-per-response",
        "count",
        "Taken; answers are not cut into pages in ZooKeeper mode.",
    ),
];

const ACTIONS: [&str; 5] = ["create", "list", "alter", "describe", "delete"];

/// Every flag, for the parser and `--help`.
pub fn all_flags() -> Vec<Flag> {
    [&FLAGS[..], &COMMON[..]].concat()
}

/// Reads and checks a command line in the order in which Kafka's tool does.
pub fn read(arguments: &[String]) -> Result<Given, Refusal> {
    let given = parse(&all_flags(), arguments)?;
    let about = match arguments {
        [] => "Create, delete, describe, or change a topic.",
        _ => "This tool helps to create, delete, describe, or change a topic.",
    };
    help_or_version(arguments, &given, about)?;
    one_action(&given, &ACTIONS, "--list, --describe, --create, --alter or --delete")?;
    check_required(&given)?;
    check_combinations(&given)?;
    Ok(given)
}

fn check_required(given: &Given) -> Result<(), Refusal> {
    if !given.has("bootstrap-server") {
        return Err(Refusal::Plain("--bootstrap-server must be specified".to_owned()));
    }
    if given.has("describe") && given.has("if-exists") && !given.has("topic") && !given.has("topic-id") {
        return Err(Refusal::Usage("--topic or --topic-id is required to describe a topic".to_owned()));
    }
    if !given.has("list") && !given.has("describe") {
        required(given, &["topic"])?;
    }
    if given.has("alter") {
        if given.has("config") {
            return Err(Refusal::Usage(
                "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\" (the \
                 kafka-configs CLI supports altering topic configs with a --bootstrap-server option)"
                    .to_owned(),
            ));
        }
        required(given, &["partitions"])?;
    }
    Ok(())
}

/// A flag, and the flags it cannot go with.
type Conflict = (&'static str, &'static [&'static str]);

const CONFLICTS: [Conflict; 13] = [
    ("config", &["list", "describe", "delete"]),
    ("delete-config", &["create", "list", "describe", "delete", "bootstrap-server"]),
    ("partitions", &["list", "describe", "delete"]),
    ("replication-factor", &["alter", "list", "describe", "delete"]),
    ("replica-assignment", &["list", "describe", "delete"]),
    ("under-replicated-partitions", &["create", "list", "alter", "delete", "topics-with-overrides"]),
    ("under-min-isr-partitions", &["create", "list", "alter", "delete", "topics-with-overrides"]),
    ("at-min-isr-partitions", &["create", "list", "alter", "delete", "topics-with-overrides"]),
    ("unavailable-partitions", &["create", "list", "alter", "delete", "topics-with-overrides"]),
    ("topics-with-overrides", &["create", "list", "alter", "delete"]),
    ("if-exists", &["create", "list"]),
    ("if-not-exists", &["alter", "list", "describe", "delete"]),
    ("exclude-internal", &["create", "alter", "delete"]),
];

fn check_combinations(given: &Given) -> Result<(), Refusal> {
    let with_create: &[Conflict] = match given.has("create") {
        true => &[("replica-assignment", &["partitions", "replication-factor"])],
        false => &[],
    };
    CONFLICTS.iter().chain(with_create).try_for_each(|(used, others)| conflicting(given, used, others))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    #[track_caller]
    fn check(line: &str, expected: Result<(), &str>) {
        let words = words(line);
        let answer = read(&words).map(drop).map_err(|refusal| refusal.to_string());
        assert_eq!(answer, expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn combinations() {
        check("--list --bootstrap-server a:1", Ok(()));
        check("--list", Err("--bootstrap-server must be specified"));
        check("", Err("Create, delete, describe, or change a topic."));
        check(
            "--bootstrap-server a:1 --list --describe",
            Err("Command must include exactly one action: --list, --describe, --create, --alter or --delete"),
        );
        check("--bootstrap-server a:1 --create", Err("Missing required argument \"[topic]\""));
        check("--bootstrap-server a:1 --alter --topic t", Err("Missing required argument \"[partitions]\""));
        check(
            "--bootstrap-server a:1 --list --partitions 3",
            Err("Option \"[partitions]\" can't be used with option \"[list]\""),
        );
        check(
            "--bootstrap-server a:1 --create --topic t --replica-assignment 0 --partitions 1",
            Err("Option \"[replica-assignment]\" can't be used with option \"[partitions]\""),
        );
        check(
            "--bootstrap-server a:1 --describe --topics-with-overrides --unavailable-partitions",
            Err("Option \"[unavailable-partitions]\" can't be used with option \"[topics-with-overrides]\""),
        );
        check("--bootstrap-server a:1 --describe --under-min --topic t", Ok(()));
        check("--bootstrap-server a:1 --frobnicate", Err("frobnicate is not a recognized option"));
    }
}
