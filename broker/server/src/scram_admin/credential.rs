//! SCRAM credentials as Kafka stores them (`ScramFormatter`, `ScramCredentialUtils`): what proves a password, not the
//! password. Pure.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

/// How a user proves that they know the password (`ScramMechanism`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramMechanism {
    /// All, in the order in which they are told.
    pub const ALL: [ScramMechanism; 2] = [ScramMechanism::Sha256, ScramMechanism::Sha512];

    /// The fewest rounds that a credential may have.
    pub const ITERATIONS_MIN: i32 = 4096;
    /// The most, so that no login keeps a broker busy.
    pub const ITERATIONS_MAX: i32 = 16384;

    /// The mechanism with that id on the wire.
    pub fn from_wire(id: i8) -> Option<ScramMechanism> {
        Some(match id {
            1 => ScramMechanism::Sha256,
            2 => ScramMechanism::Sha512,
            _ => return None,
        })
    }

    /// The id on the wire.
    pub fn wire_id(self) -> i8 {
        match self {
            ScramMechanism::Sha256 => 1,
            ScramMechanism::Sha512 => 2,
        }
    }

    /// The name, which is also the key under which a user's node holds the credential.
    pub fn as_str(self) -> &'static str {
        match self {
            ScramMechanism::Sha256 => "SCRAM-SHA-256",
            ScramMechanism::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            ScramMechanism::Sha256 => mac::<Hmac<Sha256>>(key, text),
            ScramMechanism::Sha512 => mac::<Hmac<Sha512>>(key, text),
        }
    }

    fn hash(self, text: &[u8]) -> Vec<u8> {
        match self {
            ScramMechanism::Sha256 => Sha256::digest(text).to_vec(),
            ScramMechanism::Sha512 => Sha512::digest(text).to_vec(),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The stored text of the credential that a salted password gives.
pub fn stored(mechanism: ScramMechanism, salt: &[u8], salted_password: &[u8], iterations: i32) -> String {
    let client_key = mechanism.hmac(salted_password, b"Client Key");
    let stored_key = mechanism.hash(&client_key);
    let server_key = mechanism.hmac(salted_password, b"Server Key");
    let base64 = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    format!(
        "salt={},stored_key={},server_key={},iterations={iterations}",
        base64(salt),
        base64(&stored_key),
        base64(&server_key)
    )
}

/// How many rounds a stored credential has; `None` when it is none.
pub fn iterations(text: &str) -> Option<i32> {
    let fields: HashMap<&str, &str> = text.split(',').filter_map(|field| field.split_once('=')).collect();
    let decodes = |name| fields.get(name).is_some_and(|value| BASE64_STANDARD.decode(value).is_ok());
    let complete = fields.len() == 4 && ["salt", "stored_key", "server_key"].into_iter().all(decodes);
    if complete { fields.get("iterations")?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_rfc_7677() {
        // The example of RFC 7677: user "user", password "pencil", 4096 rounds.
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base 64");
        let mut salted_password = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(b"pencil", &salt, 4096, &mut salted_password);
        let text = stored(ScramMechanism::Sha256, &salt, &salted_password, 4096);
        assert_eq!(
            text,
            "salt=W22ZaJ0SNY7soEsUEjb6gQ==,stored_key=WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,server_key=wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=,iterations=4096"
        );
        assert_eq!(iterations(&text), Some(4096));
    }

    #[test]
    fn what_is_no_credential() {
        for text in ["", "salt=AA==", "salt=!,stored_key=AA==,server_key=AA==,iterations=1", "a,b,c,d"] {
            assert_eq!(iterations(text), None, "{text}");
        }
    }
}
