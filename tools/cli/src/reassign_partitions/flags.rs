//! The flags of `gregor reassign-partitions` and which of them go together (`ReassignPartitionsCommandOptions`). Pure.

use crate::command_line::{
    BOOTSTRAP_SERVER, COMMAND_CONFIG, COMMON, Flag, Given, Refusal, help_or_version, parse, required,
};

/// The flags of kafka-reassign-partitions.sh, and `--wait` and `--json`.
pub const FLAGS: [Flag; 18] = [
    Flag::switch(
        "verify",
        "Say how far the reassignment in --reassignment-json-file is; when it is over, lift throttles.",
    ),
    Flag::switch("generate", "Propose an assignment of topics to brokers; nothing is changed."),
    Flag::switch("execute", "Start the reassignment in --reassignment-json-file."),
    Flag::switch("cancel", "Cancel the reassignment in --reassignment-json-file."),
    Flag::switch("list", "List the reassignments under way."),
    BOOTSTRAP_SERVER,
    COMMAND_CONFIG,
    Flag::valued(
        "reassignment-json-file",
        "assignment json file path",
        "The plan: {\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"replicas\":[1,2],\"log_dirs\":[\"any\",\"/data\"]}]}; \
         log_dirs may be left out.",
    ),
    Flag::valued(
        "topics-to-move-json-file",
        "topics json file path",
        "With --generate: {\"version\":1,\"topics\":[{\"topic\":\"t\"}]}.",
    ),
    Flag::valued(
        "broker-list",
        "broker ids",
        "With --generate: the brokers that are to have the replicas, by commas.",
    ),
    Flag::switch("disable-rack-aware", "With --generate: do not spread replicas over racks."),
    Flag::valued("throttle", "bytes/s", "With --execute: how fast replicas may move between brokers."),
    Flag::valued(
        "replica-alter-log-dirs-throttle",
        "bytes/s",
        "With --execute: how fast replicas may move between log directories of a broker.",
    ),
    Flag::valued(
        "timeout",
        "ms",
        "How long to wait for moves between log directories to begin. Default: 10000.",
    ),
    Flag::switch(
        "additional",
        "With --execute: even though reassignments are under way; also changes their throttle.",
    ),
    Flag::switch("preserve-throttles", "With --verify and --cancel: leave throttles as they are."),
    Flag::switch(
        "wait",
        "With --execute and --verify: wait until the reassignment is over, showing progress on a terminal, and verify it.",
    ),
    Flag::switch("json", "With --generate and --list: print nothing but a JSON document, for scripts."),
];

const ABOUT: &str = "This tool helps to move topic partitions between replicas.";

/// An action with the flags it needs and those it takes.
type Action = (&'static str, &'static [&'static str], &'static [&'static str]);

const ACTIONS: [Action; 5] = [
    ("generate", &["topics-to-move-json-file", "broker-list"], &["disable-rack-aware", "json"]),
    (
        "execute",
        &["reassignment-json-file"],
        &[
            "additional",
            "throttle",
            "replica-alter-log-dirs-throttle",
            "timeout",
            "wait",
            "preserve-throttles",
        ],
    ),
    ("verify", &["reassignment-json-file"], &["preserve-throttles", "wait"]),
    ("cancel", &["reassignment-json-file"], &["preserve-throttles", "timeout"]),
    ("list", &[], &["json"]),
];

/// Every flag.
pub fn flags() -> Vec<Flag> {
    [&FLAGS[..], &COMMON].concat()
}

/// Reads and checks a command line in the order in which Kafka's tool does.
pub fn read(arguments: &[String]) -> Result<Given, Refusal> {
    let given = parse(&flags(), arguments)?;
    help_or_version(arguments, &given, ABOUT)?;
    let mut actions = ACTIONS.iter().filter(|(name, _, _)| given.has(name));
    let (Some((action, needed, taken)), None) = (actions.next(), actions.next()) else {
        return usage(
            "Command must include exactly one action: --generate, --execute, --verify, --cancel, --list"
                .to_owned(),
        );
    };
    if !given.has("bootstrap-server") {
        return usage("Please specify --bootstrap-server".to_owned());
    }
    required(&given, needed)?;
    let everywhere = ["bootstrap-server", "command-config"];
    let is_taken = |name: &str| {
        name == *action || needed.contains(&name) || taken.contains(&name) || everywhere.contains(&name)
    };
    let is_wait = *action == "execute" && !given.has("wait");
    for Flag { name, .. } in FLAGS {
        if given.has(name) && (!is_taken(name) || is_wait && name == "preserve-throttles") {
            return usage(format!("Option \"[{name}]\" can't be used with action \"[{action}]\""));
        }
    }
    Ok(given)
}

fn usage<T>(message: String) -> Result<T, Refusal> {
    Err(Refusal::Usage(message))
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
        let actions =
            "Command must include exactly one action: --generate, --execute, --verify, --cancel, --list";
        check("--bootstrap-server a:1 --list", Ok(()));
        check("--bootstrap-server a:1 --list --execute", Err(actions));
        check("--bootstrap-server a:1", Err(actions));
        check("--list", Err("Please specify --bootstrap-server"));
        check("", Err(ABOUT));
        check(
            "--bootstrap-server a:1 --verify",
            Err("Missing required argument \"[reassignment-json-file]\""),
        );
        check(
            "--bootstrap-server a:1 --generate --topics-to-move-json-file f",
            Err("Missing required argument \"[broker-list]\""),
        );
        check(
            "--bootstrap-server a:1 --verify --reassignment-json-file f --throttle 5",
            Err("Option \"[throttle]\" can't be used with action \"[verify]\""),
        );
        check(
            "--bootstrap-server a:1 --execute --reassignment-json-file f --preserve-throttles",
            Err("Option \"[preserve-throttles]\" can't be used with action \"[execute]\""),
        );
        check(
            "--bootstrap-server a:1 --execute --reassignment-json-file f --preserve-throttles --wait",
            Ok(()),
        );
        check(
            "--bootstrap-server a:1 --execute --reassignment-json-file f --throttle 5 --additional",
            Ok(()),
        );
    }
}
