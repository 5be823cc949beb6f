//! The flags of `gregor consumer-groups` and which of them go together (`ConsumerGroupCommandOptions`). Pure.

use crate::command_line::{
    BOOTSTRAP_SERVER, COMMAND_CONFIG, COMMON, Flag, Given, Refusal, conflicting, help_or_version, one_action,
    parse, required,
};

/// The flags of kafka-consumer-groups.sh, and `--json`.
pub fn flags() -> Vec<Flag> {
    [&WHAT[..], &RESET, &COMMON].concat()
}

const WHAT: [Flag; 17] = [
    BOOTSTRAP_SERVER,
    COMMAND_CONFIG,
    Flag::valued("timeout", "timeout (ms)", "How long each question may take. Default: 5000."),
    Flag::switch("list", "List the groups."),
    Flag::switch("describe", "Show offsets and lag of groups, or what the next flags say."),
    Flag::switch("delete", "Delete groups that have no members."),
    Flag::switch(
        "reset-offsets",
        "Set the offsets of groups that have no members; shows them only, without --execute.",
    ),
    Flag::switch("delete-offsets", "Delete what a group has committed for topics."),
    Flag::valued("group", "consumer group", "The group; may be repeated."),
    Flag::switch("all-groups", "All groups."),
    Flag::valued(
        "topic",
        "topic",
        "The topic of --reset-offsets or --delete-offsets, all its partitions or those after a colon: t:0,1; may be repeated.",
    ),
    Flag::switch("offsets", "With --describe: offsets and lag by partition, the default."),
    Flag::switch("members", "With --describe: the members."),
    Flag::switch("verbose", "With --describe: the members' partitions, too."),
    Flag::optional(
        "state",
        "state,...",
        "With --describe: the state. With --list: a column for it, or only groups in these states.",
    ),
    Flag::optional("type", "type,...", "With --list: a column for the type, or only groups of these types."),
    Flag::switch("json", "Print a JSON document instead, for scripts."),
];

const RESET: [Flag; 12] = [
    Flag::switch("all-topics", "With --reset-offsets: every topic the group has offsets of."),
    Flag::switch("dry-run", "With --reset-offsets: only show what would be set."),
    Flag::switch("execute", "With --reset-offsets: set the offsets."),
    Flag::switch("export", "With --reset-offsets: print CSV, which --from-file reads."),
    Flag::switch("to-earliest", "To where the partitions start."),
    Flag::switch("to-latest", "To where the partitions end."),
    Flag::switch("to-current", "To what is committed, or the end where nothing is."),
    Flag::valued("to-offset", "offset", "To this offset."),
    Flag::valued("shift-by", "number-of-offsets", "From what is committed forth, or back if negative."),
    Flag::valued(
        "to-datetime",
        "datetime",
        "To the first record at or after YYYY-MM-DDTHH:mm:SS.sss, in UTC or with a zone.",
    ),
    Flag::valued("by-duration", "duration", "To the first record at or after so long ago: PnDTnHnMnS."),
    Flag::valued(
        "from-file",
        "path to CSV file",
        "To the offsets in a file: topic,partition,offset, after the group if several are reset.",
    ),
];

/// What decides where offsets are reset to; one at a time.
const SCENARIOS: [&str; 8] = [
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "to-current",
    "shift-by",
    "from-file",
];
/// The same, in the order in which Kafka's tool looks for a second one.
const OTHERS: [&str; 8] = [
    "to-offset",
    "to-current",
    "to-datetime",
    "from-file",
    "by-duration",
    "to-earliest",
    "to-latest",
    "shift-by",
];
const ACTIONS: [&str; 5] = ["list", "describe", "delete", "reset-offsets", "delete-offsets"];

/// What is printed when nothing says that a reset is meant.
const DRY_RUN_WARNING: &str = "WARN: No action will be performed as the --execute option is missing.\
In a future major release, the default behavior of this command will be to prompt the user before executing the reset \
rather than doing a dry run. You should add the --dry-run option explicitly if you are scripting this command and want \
to keep the current default behavior without prompting.";

/// Reads and checks a command line in the order in which Kafka's tool does. Gives warnings for stderr, too.
pub fn read(arguments: &[String]) -> Result<(Given, Option<&'static str>), Refusal> {
    let given = parse(&flags(), arguments)?;
    check_available(&given)?;
    let about = "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or \
                 reset consumer group offsets.";
    help_or_version(arguments, &given, about)?;
    required(&given, &["bootstrap-server"])?;
    check_describe(&given)?;
    check_delete(&given)?;
    let warning = check_reset(&given)?;
    conflicting(&given, "group", &["all-groups"])?;
    conflicting(&given, "group", &["list"])?;
    conflicting(&given, "topic", &["list", "describe"])?;
    one_action(&given, &ACTIONS, "--list, --describe, --delete, --reset-offsets, --delete-offsets")?;
    Ok((given, warning))
}

fn usage<T>(message: &str) -> Result<T, Refusal> {
    Err(Refusal::Usage(message.to_owned()))
}

/// Some flags are there only with some actions.
fn check_available(given: &Given) -> Result<(), Refusal> {
    let with_describe = ["members", "verbose", "offsets"];
    let stray = with_describe.iter().find(|name| given.has(name) && !given.has("describe"));
    let state = given.has("state") && !given.has("describe") && !given.has("list");
    let group_type = given.has("type") && !given.has("list");
    match (stray, state, group_type) {
        (Some(name), _, _) => unavailable(name),
        (None, true, _) => unavailable("state"),
        (None, false, true) => unavailable("type"),
        (None, false, false) => Ok(()),
    }
}

fn unavailable(name: &str) -> Result<(), Refusal> {
    Err(Refusal::Plain(format!("Option(s) [{name}] are unavailable given other options on the command line")))
}

fn check_describe(given: &Given) -> Result<(), Refusal> {
    if !given.has("describe") {
        return Ok(());
    }
    if !given.has("group") && !given.has("all-groups") {
        return usage(
            "Option [describe] takes one of these options: [reset-offsets], [describe], [delete], [list]",
        );
    }
    if ["members", "offsets", "state"].iter().filter(|name| given.has(name)).count() > 1 {
        return usage("Option [describe] takes at most one of these options: [members], [offsets], [state]");
    }
    if given.value("state")?.is_some() {
        return usage("Option [describe] does not take a value for [state]");
    }
    Ok(())
}

fn check_delete(given: &Given) -> Result<(), Refusal> {
    let has_group = given.has("group") || given.has("all-groups");
    if given.has("delete") && !has_group {
        return usage("Option [delete] takes one of these options: [all-groups], [group]");
    }
    if given.has("delete") && given.has("topic") {
        return usage("The consumer does not support topic-specific offset deletion from a consumer group.");
    }
    if given.has("delete-offsets") && !(given.has("group") && given.has("topic")) {
        return usage("Option [delete-offsets] takes the following options: [all-groups], [group]");
    }
    Ok(())
}

fn check_reset(given: &Given) -> Result<Option<&'static str>, Refusal> {
    if !given.has("reset-offsets") {
        return Ok(None);
    }
    if given.has("dry-run") && given.has("execute") {
        return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
    }
    if !given.has("group") && !given.has("all-groups") {
        return usage("Option [reset-offsets] takes one of these options: [all-groups], [group]");
    }
    for scenario in SCENARIOS {
        let others: Vec<&str> = OTHERS.into_iter().filter(|other| *other != scenario).collect();
        conflicting(given, scenario, &others)?;
    }
    if !given.has("all-topics") && !given.has("topic") && !given.has("from-file") {
        return usage("One of the reset scopes should be defined: --all-topics, --topic.");
    }
    if !SCENARIOS.iter().any(|scenario| given.has(scenario)) {
        return usage(
            "Option '[reset-offsets]' requires one of the following scenarios: [[to-offset], [to-current], [to-datetime], \
             [from-file], [by-duration], [to-earliest], [to-latest], [shift-by]]",
        );
    }
    let is_quiet = given.has("dry-run") || given.has("execute");
    Ok((!is_quiet).then_some(DRY_RUN_WARNING))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    #[track_caller]
    fn check(line: &str, expected: Result<bool, &str>) {
        let line = format!("--bootstrap-server a:1 {line}");
        let words = words(&line);
        let answer = read(&words).map(|(_, warning)| warning.is_some());
        assert_eq!(answer.map_err(|refusal| refusal.to_string()), expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn combinations() {
        let actions = "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets";
        check("--list", Ok(false));
        check("--list --state stable,empty --type", Ok(false));
        check("", Err(actions));
        check("--list --delete --all-groups", Err(actions));
        check("--list --group g", Err("Option \"[group]\" can't be used with option \"[list]\""));
        let stray = "Option(s) [members] are unavailable given other options on the command line";
        check("--list --members", Err(stray));
        check("--describe --group g --state", Ok(false));
        check(
            "--describe --group g --state stable",
            Err("Option [describe] does not take a value for [state]"),
        );
        check(
            "--describe --group g --members --state",
            Err("Option [describe] takes at most one of these options: [members], [offsets], [state]"),
        );
        check("--delete", Err("Option [delete] takes one of these options: [all-groups], [group]"));
        check("--delete-offsets --group g --topic t", Ok(false));
    }

    #[test]
    fn resets() {
        check("--reset-offsets --group g --topic t --to-offset 5", Ok(true));
        check("--reset-offsets --all-groups --all-topics --shift-by -5 --execute", Ok(false));
        check("--reset-offsets --group g --from-file f --dry-run", Ok(false));
        check(
            "--reset-offsets --group g --topic t --to-latest --to-earliest",
            Err("Option \"[to-earliest]\" can't be used with option \"[to-latest]\""),
        );
        check(
            "--reset-offsets --group g --to-latest",
            Err("One of the reset scopes should be defined: --all-topics, --topic."),
        );
        check(
            "--reset-offsets --group g --topic t --dry-run --execute",
            Err("Option [reset-offsets] only accepts one of [execute] and [dry-run]"),
        );
    }
}
