//! The flags of `gregor delegation-tokens` and which of them go together (`DelegationTokenCommandOptions`). Pure.

use crate::command_line::{
    BOOTSTRAP_SERVER, COMMON, Flag, Given, Refusal, conflicting, help_or_version, one_action, parse, required,
};

const FLAGS: [Flag; 13] = [
    BOOTSTRAP_SERVER,
    Flag::valued(
        "command-config",
        "property file",
        "REQUIRED: client properties; tokens are given to authenticated clients only.",
    ),
    Flag::switch("create", "Create a token."),
    Flag::switch("renew", "Renew a token."),
    Flag::switch("expire", "Let a token end."),
    Flag::switch("describe", "Show tokens."),
    Flag::optional("owner-principal", "type:name", "Whose token; may be repeated."),
    Flag::optional("renewer-principal", "type:name", "Who may renew it; may be repeated."),
    Flag::optional(
        "max-life-time-period",
        "ms",
        "For how long it can be renewed; -1 is the broker's default.",
    ),
    Flag::optional(
        "renew-time-period",
        "ms",
        "For how long it holds from now on; -1 is the broker's default.",
    ),
    Flag::optional("expiry-time-period", "ms", "For how long it still holds; -1 is not at all."),
    Flag::optional("hmac", "hmac", "The token's HMAC, in base 64."),
    Flag::switch("json", "Print a JSON document instead, for scripts."),
];

/// Every flag.
pub fn flags() -> Vec<Flag> {
    [&FLAGS[..], &COMMON].concat()
}

/// A flag, and the flags it cannot go with.
const CONFLICTS: [(&str, &[&str]); 4] = [
    ("create", &["hmac", "renew-time-period", "expiry-time-period"]),
    ("renew", &["renewer-principal", "max-life-time-period", "expiry-time-period", "owner-principal"]),
    ("expire", &["renew-time-period", "max-life-time-period", "owner-principal"]),
    ("describe", &["renew-time-period", "max-life-time-period", "hmac", "expiry-time-period"]),
];

/// Reads and checks a command line in the order in which Kafka's tool does.
pub fn read(arguments: &[String]) -> Result<Given, Refusal> {
    let given = parse(&flags(), arguments)?;
    let about = "This tool helps to create, renew, expire, or describe delegation tokens.";
    help_or_version(arguments, &given, about)?;
    let actions = ["create", "renew", "expire", "describe"];
    one_action(&given, &actions, "--create, --renew, --expire or --describe")?;
    required(&given, &["bootstrap-server", "command-config"])?;
    if given.has("create") {
        required(&given, &["max-life-time-period"])?;
    }
    if given.has("renew") {
        required(&given, &["hmac", "renew-time-period"])?;
    }
    if given.has("expire") {
        required(&given, &["hmac", "expiry-time-period"])?;
    }
    CONFLICTS.iter().try_for_each(|(used, others)| conflicting(&given, used, others))?;
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    #[track_caller]
    fn check(line: &str, expected: Result<(), &str>) {
        let line = format!("--bootstrap-server a:1 --command-config f {line}");
        let words = words(&line);
        let answer = read(&words).map(drop).map_err(|refusal| refusal.to_string());
        assert_eq!(answer, expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn combinations() {
        check("--create --max-life-time-period -1 --renewer-principal User:a", Ok(()));
        check("--create", Err("Missing required argument \"[max-life-time-period]\""));
        check("--renew --hmac x --renew-time-period 5", Ok(()));
        check("--expire --hmac x", Err("Missing required argument \"[expiry-time-period]\""));
        check("--describe --owner-principal User:a", Ok(()));
        check("--describe --hmac x", Err("Option \"[describe]\" can't be used with option \"[hmac]\""));
        check(
            "--describe --create",
            Err("Command must include exactly one action: --create, --renew, --expire or --describe"),
        );
    }
}
