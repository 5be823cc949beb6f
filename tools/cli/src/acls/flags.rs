//! The flags of `gregor acls` and which of them go together (`AclCommandOptions.checkArgs`). Pure.

use crate::admin::acls::PatternType;
use crate::command_line::{
    BOOTSTRAP_SERVER, COMMAND_CONFIG, COMMON, Flag, FlagError, Given, Refusal, conflicting, help_or_version,
    one_action, parse, required,
};

const FLAGS: [Flag; 26] = [
    BOOTSTRAP_SERVER,
    COMMAND_CONFIG,
    Flag::valued("authorizer", "class", "Taken only to say that --bootstrap-server does this now."),
    Flag::valued("authorizer-properties", "key=value", "Belongs to --authorizer."),
    Flag::valued("zk-tls-config-file", "properties file", "Belongs to --authorizer."),
    Flag::switch("add", "Add ACLs."),
    Flag::switch("remove", "Remove ACLs."),
    Flag::switch("list", "List ACLs."),
    Flag::valued("topic", "topic", "The topic; * is all of them."),
    Flag::switch("cluster", "The cluster."),
    Flag::valued("group", "group", "The consumer group; * is all of them."),
    Flag::valued("transactional-id", "id", "The transactional id; * is all of them."),
    Flag::valued("delegation-token", "token", "The delegation token; * is all of them."),
    Flag::valued("user-principal", "principal", "The user, as what is protected."),
    Flag::valued(
        "resource-pattern-type",
        "literal|prefixed|any|match",
        "How names are meant; any and match only with --list and --remove. Default: literal.",
    ),
    Flag::valued("operation", "operation", "What may be done, or not. Default: All."),
    Flag::valued("allow-principal", "type:name", "Who may."),
    Flag::valued("deny-principal", "type:name", "Who may not, which goes before who may."),
    Flag::valued("allow-host", "host", "From where those who may may; from anywhere if it is not given."),
    Flag::valued(
        "deny-host",
        "host",
        "From where those who may not may not; from anywhere if it is not given.",
    ),
    Flag::optional("principal", "type:name", "With --list: only this one's."),
    Flag::switch(
        "producer",
        "What a producer needs: Write, Describe and Create of topics, Write and Describe of transactional ids.",
    ),
    Flag::switch("consumer", "What a consumer needs: Read and Describe of topics, Read of groups."),
    Flag::switch("idempotent", "With --producer: IdempotentWrite of the cluster, too."),
    Flag::switch("force", "Do not ask."),
    Flag::switch("json", "With --list: print a JSON document instead, for scripts."),
];

/// Every flag.
pub fn flags() -> Vec<Flag> {
    [&FLAGS[..], &COMMON].concat()
}

fn usage<T>(message: &str) -> Result<T, Refusal> {
    Err(Refusal::Usage(message.to_owned()))
}

/// Reads and checks a command line in the order in which Kafka's tool does.
pub fn read(arguments: &[String]) -> Result<Given, Refusal> {
    let given = parse(&flags(), arguments)?;
    pattern_type(&given)?;
    help_or_version(arguments, &given, "This tool helps to manage acls on kafka.")?;
    check_connection(&given)?;
    one_action(&given, &["add", "remove", "list"], "--list, --add, --remove. ")?;
    let not_listed = ["producer", "consumer", "allow-host", "allow-principal", "deny-host", "deny-principal"];
    conflicting(&given, "list", &not_listed)?;
    for role in ["producer", "consumer"] {
        conflicting(&given, role, &["operation", "deny-principal", "deny-host"])?;
    }
    if given.has("principal") && !given.has("list") {
        return usage("The --principal option is only available if --list is set");
    }
    if given.has("producer") && !given.has("topic") {
        return usage("With --producer you must specify a --topic");
    }
    if given.has("idempotent") && !given.has("producer") {
        return usage("The --idempotent option is only available if --producer is set");
    }
    let stray = !given.has("producer") && (given.has("cluster") || given.has("transactional-id"));
    if given.has("consumer") && (!given.has("topic") || !given.has("group") || stray) {
        return usage(
            "With --consumer you must specify a --topic and a --group and no --cluster or --transactional-id option should \
             be specified.",
        );
    }
    Ok(given)
}

fn check_connection(given: &Given) -> Result<(), Refusal> {
    if given.has("bootstrap-server") && given.has("authorizer") {
        return usage("Only one of --bootstrap-server or --authorizer must be specified");
    }
    if given.has("authorizer-properties") && given.has("bootstrap-server") {
        return usage("The --authorizer-properties option can only be used with --authorizer option");
    }
    if given.has("authorizer") || given.has("authorizer-properties") {
        let message =
            "--authorizer-properties is deprecated and not taken: ACLs are changed with --bootstrap-server";
        return Err(Refusal::Plain(message.to_owned()));
    }
    required(given, &["bootstrap-server"])
}

/// `--resource-pattern-type`.
pub fn pattern_type(given: &Given) -> Result<PatternType, FlagError> {
    match given.value("resource-pattern-type")? {
        None => Ok(PatternType::LITERAL),
        Some(text) => PatternType::named(&text.to_ascii_uppercase())
            .ok_or_else(|| FlagError::NotANumber { name: "resource-pattern-type", value: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    #[track_caller]
    fn check(line: &str, expected: Result<(), &str>) {
        let line = format!("--bootstrap-server a:1 {line}");
        let words = words(&line);
        let answer = read(&words).map(drop).map_err(|refusal| refusal.to_string());
        assert_eq!(answer, expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn combinations() {
        let actions = "Command must include exactly one action: --list, --add, --remove. ";
        check("--list", Ok(()));
        check("--list --add", Err(actions));
        check("", Err(actions));
        check("--add --producer", Err("With --producer you must specify a --topic"));
        check("--add --producer --topic t --idempotent", Ok(()));
        check("--add --idempotent", Err("The --idempotent option is only available if --producer is set"));
        check("--add --principal User:a", Err("The --principal option is only available if --list is set"));
        check("--add --consumer --topic t --group g", Ok(()));
        let consumer = "With --consumer you must specify a --topic and a --group and no --cluster or --transactional-id option should \
             be specified.";
        check("--add --consumer --topic t", Err(consumer));
        check("--add --consumer --topic t --group g --cluster", Err(consumer));
        check(
            "--list --allow-principal User:a",
            Err("Option \"[list]\" can't be used with option \"[allow-principal]\""),
        );
        check(
            "--add --producer --topic t --operation Read",
            Err("Option \"[producer]\" can't be used with option \"[operation]\""),
        );
        check(
            "--list --resource-pattern-type odd",
            Err("Cannot parse argument 'odd' of option resource-pattern-type"),
        );
        check(
            "--list --authorizer x",
            Err("Only one of --bootstrap-server or --authorizer must be specified"),
        );
    }
}
