//! `/delegation_token/tokens/<id>` (`DelegationTokenInfoZNode`) and `/delegation_token/token_changes/token_change_<n>`.
//!
//! The HMAC is never stored: every broker computes it from the id and `delegation.token.secret.key`.

use gregor_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::config::{desanitize, sanitize};
use super::json::{self, DecodeError};

/// The parent of tokens.
pub const TOKENS_PATH: &str = "/delegation_token/tokens";
/// The parent of change notifications.
pub const CHANGES_PATH: &str = "/delegation_token/token_changes";
/// What a change's name starts with.
pub const CHANGE_NAME_PREFIX: &str = "token_change_";
/// What the path of a new change starts with; ZooKeeper appends the number.
pub const CHANGE_PREFIX: &str = "/delegation_token/token_changes/token_change_";

const FAMILY: &str = "/delegation_token/tokens/<id>";

/// The path of a token.
pub fn path(token_id: &str) -> String {
    format!("{TOKENS_PATH}/{token_id}")
}

/// A token (`TokenInformation`); principals as `Type:name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationToken {
    /// Its id.
    pub token_id: String,
    /// Who it stands for.
    pub owner: String,
    /// Who asked for it.
    pub requester: String,
    /// Who else may renew it.
    pub renewers: Vec<String>,
    /// When it was issued.
    pub issued: Timestamp,
    /// Until when it may be renewed.
    pub max: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: i32,
    owner: String,
    #[serde(rename = "tokenRequester")]
    requester: Option<String>,
    renewers: Vec<String>,
    // Numbers here, not strings as elsewhere.
    #[serde(rename = "issueTimestamp")]
    issued: i64,
    #[serde(rename = "maxTimestamp")]
    max: i64,
    #[serde(rename = "expiryTimestamp")]
    expires: i64,
    #[serde(rename = "tokenId")]
    token_id: String,
}

/// The content, in version 3.
pub fn encode(token: &DelegationToken) -> Vec<u8> {
    json::encode(&Content {
        version: 3,
        owner: sanitize(&token.owner),
        requester: Some(sanitize(&token.requester)),
        renewers: token.renewers.iter().map(|renewer| sanitize(renewer)).collect(),
        issued: token.issued.0,
        max: token.max.0,
        expires: token.expires.0,
        token_id: token.token_id.clone(),
    })
}

/// Reads versions 1 to 3; before 3 the owner was the requester.
pub fn decode(data: &[u8]) -> Result<DelegationToken, DecodeError> {
    let content: Content = json::decode(FAMILY, data)?;
    let principal = |text: &str| {
        desanitize(text).ok_or_else(|| DecodeError::new(FAMILY, data, format!("principal {text:?}")))
    };
    if !(1..=3).contains(&content.version) {
        return Err(DecodeError::new(FAMILY, data, "unknown version"));
    }
    let owner = principal(&content.owner)?;
    let requester = match (content.version, &content.requester) {
        (3.., Some(requester)) => principal(requester)?,
        (3.., None) => return Err(DecodeError::new(FAMILY, data, "no tokenRequester")),
        _ => owner.clone(),
    };
    Ok(DelegationToken {
        token_id: content.token_id,
        owner,
        requester,
        renewers: content.renewers.iter().map(|text| principal(text)).collect::<Result<_, _>>()?,
        issued: Timestamp(content.issued),
        max: Timestamp(content.max),
        expires: Timestamp(content.expires),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_and_round_trip() {
        let text = concat!(
            r#"{"version":3,"owner":"User%3Aalice","tokenRequester":"User%3Aalice","renewers":["User%3Abob"],"#,
            r#""issueTimestamp":1727771234567,"maxTimestamp":1728376034567,"expiryTimestamp":1727857634567,"#,
            r#""tokenId":"kP0mS1f8S9aQ3mO3b9T2xw"}"#
        );
        let token = decode(text.as_bytes()).unwrap();
        assert_eq!(token.owner, "User:alice");
        assert_eq!(String::from_utf8_lossy(&encode(&token)), text);
    }

    #[test]
    fn old_versions_have_no_requester() {
        let text = r#"{"version":1,"owner":"User%3Aa","renewers":[],"issueTimestamp":1,"maxTimestamp":2,"expiryTimestamp":3,"tokenId":"t"}"#;
        assert_eq!(decode(text.as_bytes()).unwrap().requester, "User:a");
        assert!(decode(text.replace(r#""version":1"#, r#""version":3"#).as_bytes()).is_err());
        assert!(decode(text.replace(r#""version":1"#, r#""version":9"#).as_bytes()).is_err());
        assert!(decode(text.replace("User%3Aa", "User%3").as_bytes()).is_err());
    }
}
