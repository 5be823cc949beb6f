//! `gregor delegation-tokens`: kafka-delegation-tokens.sh (`org.apache.kafka.tools.DelegationTokenCommand`).

mod flags;

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::admin::principal::{NoPrincipal, Principal};
use crate::admin::tokens::DelegationToken;
use crate::admin::{Admin, AdminError, connect};
use crate::command_line::{FlagError, Given};
use crate::report;
use crate::table::fixed;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Flag(#[from] FlagError),
    #[error(transparent)]
    Principal(#[from] NoPrincipal),
    #[error("the HMAC is not in base 64: {0}")]
    Hmac(#[from] base64::DecodeError),
    #[error("{0}")]
    Connect(AdminError),
    #[error("{}", .0.java())]
    Admin(#[from] AdminError),
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::flags())
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let given = match flags::read(arguments) {
        Ok(given) => given,
        Err(refusal) => return refusal.report(&flags::flags()),
    };
    match act(&given).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::failure(failure),
    }
}

async fn act(given: &Given) -> Result<(), Failure> {
    let mut admin = connect(given).map_err(Failure::Connect)?;
    if given.has("create") {
        create(&mut admin, given).await
    } else if given.has("describe") {
        describe(&mut admin, given).await
    } else {
        prolong(&mut admin, given).await
    }
}

/// As Java shows a list.
fn list(principals: &[Principal]) -> String {
    format!("[{}]", principals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

async fn create(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let renewers = Principal::given(given, "renewer-principal")?;
    let owners = Principal::given(given, "owner-principal")?;
    let lifetime: i64 = given.number("max-life-time-period")?.unwrap_or(-1);
    let as_json = given.has("json");
    if !as_json {
        let renewers = list(&renewers);
        println!(
            "Calling create token operation with renewers :{renewers} , max-life-time-period :{lifetime}"
        );
    }
    let token = admin.create_token(owners.first(), &renewers, lifetime).await?;
    if as_json {
        println!("{}", document(std::slice::from_ref(&token)));
    } else {
        println!("Created delegation token with tokenId : {}", token.id);
        print!("{}", table(&[token], &TimeZone::system()));
    }
    Ok(())
}

/// `--renew` and `--expire`, which differ in words.
async fn prolong(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let (word, flag, called) = match given.has("renew") {
        true => ("renew", "renew-time-period", "renew-time-period"),
        false => ("expire", "expiry-time-period", "expire-time-period"),
    };
    let text = given.value("hmac")?.unwrap_or_default();
    let period: i64 = given.number(flag)?.unwrap_or(-1);
    let as_json = given.has("json");
    if !as_json {
        println!("Calling {word} token operation with hmac :{text} , {called} :{period}");
    }
    let hmac = Bytes::from(STANDARD.decode(text)?);
    let expiry_ms = match given.has("renew") {
        true => admin.renew_token(hmac, period).await?,
        false => admin.expire_token(hmac, period).await?,
    };
    if as_json {
        println!("{}", json!({ "expiryTimestampMs": expiry_ms }));
    } else {
        // Kafka's tool leaves the line open.
        println!("Completed {word} operation. New expiry date : {}", date(expiry_ms, &TimeZone::system()));
    }
    Ok(())
}

async fn describe(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let owners = Principal::given(given, "owner-principal")?;
    let as_json = given.has("json");
    match owners.len() {
        _ if as_json => {}
        0 => println!("Calling describe token operation for current user."),
        _ => println!("Calling describe token operation for owners: {}", list(&owners)),
    }
    let tokens = admin.describe_tokens(&owners).await?;
    if as_json {
        println!("{}", document(&tokens));
    } else {
        print!("Total number of tokens : {}", tokens.len());
        print!("{}", table(&tokens, &TimeZone::system()));
    }
    Ok(())
}

fn date(milliseconds: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(milliseconds) {
        Ok(timestamp) => timestamp.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M").to_string(),
        Err(_) => milliseconds.to_string(),
    }
}

fn table(tokens: &[DelegationToken], zone: &TimeZone) -> String {
    const WIDTHS: [usize; 8] = [15, 30, 15, 15, 25, 15, 15, 15];
    let line = |cells: [String; 8]| {
        let cells: Vec<(&str, usize)> = cells.iter().map(String::as_str).zip(WIDTHS).collect();
        format!("\n{}\n", fixed(&cells))
    };
    let header = ["TOKENID", "HMAC", "OWNER", "REQUESTER", "RENEWERS", "ISSUEDATE", "EXPIRYDATE", "MAXDATE"];
    let rows = tokens.iter().map(|token| {
        line([
            token.id.clone(),
            STANDARD.encode(&token.hmac),
            token.owner.to_string(),
            token.requester.to_string(),
            list(&token.renewers),
            date(token.issued_ms, zone),
            date(token.expiry_ms, zone),
            date(token.max_ms, zone),
        ])
    });
    line(header.map(str::to_owned)) + &rows.collect::<String>()
}

fn document(tokens: &[DelegationToken]) -> serde_json::Value {
    let entry = |token: &DelegationToken| {
        json!({
            "tokenId": token.id,
            "hmac": STANDARD.encode(&token.hmac),
            "owner": token.owner.to_string(),
            "requester": token.requester.to_string(),
            "renewers": token.renewers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "issueTimestampMs": token.issued_ms,
            "expiryTimestampMs": token.expiry_ms,
            "maxTimestampMs": token.max_ms,
        })
    };
    json!({ "tokens": tokens.iter().map(entry).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let alice = Principal::parse("User:alice").unwrap();
        let token = DelegationToken {
            id: "id".to_owned(),
            hmac: Bytes::from_static(b"secret"),
            owner: alice.clone(),
            requester: alice.clone(),
            renewers: vec![alice.clone(), Principal::parse("User:b:c").unwrap()],
            issued_ms: 0,
            expiry_ms: 86_400_000,
            max_ms: 1_700_000_000_000,
        };
        let text = table(std::slice::from_ref(&token), &TimeZone::UTC);
        let rows: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(
            rows[1],
            "id              c2VjcmV0                       User:alice      User:alice      [User:alice, User:b:c]    \
             1970-01-01T00:00 1970-01-02T00:00 2023-11-14T22:13"
        );
        assert_eq!(document(&[token])["tokens"][0]["hmac"], "c2VjcmV0");
    }
}
