//! SCRAM credentials of users. What goes over the wire is a salted hash: brokers never learn the password.

use bytes::Bytes;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, ApiKey, DescribeUserScramCredentialsRequest,
};
use pbkdf2::pbkdf2_hmac;
use sha2::{Sha256, Sha512};

use super::{Admin, AdminError, Target, text};

/// A way to hash (`ScramMechanism`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256 = 1,
    /// SCRAM-SHA-512.
    Sha512 = 2,
}

/// How often a password must be hashed at least, and how often it is if nobody says.
pub const ITERATIONS_MIN: i32 = 4_096;
/// More than this a broker refuses.
const ITERATIONS_MAX: i32 = 16_384;

impl ScramMechanism {
    /// By its name in configs.
    pub fn of(name: &str) -> Option<ScramMechanism> {
        match name {
            "SCRAM-SHA-256" => Some(ScramMechanism::Sha256),
            "SCRAM-SHA-512" => Some(ScramMechanism::Sha512),
            _ => None,
        }
    }

    /// By the protocol's number.
    fn of_wire(number: i8) -> Option<ScramMechanism> {
        match number {
            1 => Some(ScramMechanism::Sha256),
            2 => Some(ScramMechanism::Sha512),
            _ => None,
        }
    }

    /// Its name in configs.
    pub fn name(self) -> &'static str {
        match self {
            ScramMechanism::Sha256 => "SCRAM-SHA-256",
            ScramMechanism::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// `SaltedPassword` of RFC 5802.
    fn salted_password(self, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            ScramMechanism::Sha256 => {
                let mut hash = vec![0; 32];
                pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, iterations, &mut hash);
                hash
            }
            ScramMechanism::Sha512 => {
                let mut hash = vec![0; 64];
                pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, iterations, &mut hash);
                hash
            }
        }
    }
}

/// A credential to give a user.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// How to hash.
    pub mechanism: ScramMechanism,
    /// How often.
    pub iterations: i32,
    /// What.
    pub password: String,
}

/// Without the password.
impl std::fmt::Debug for NewCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with {} iterations", self.mechanism.name(), self.iterations)
    }
}

/// A user's credentials: mechanisms and iterations, or why they cannot be had.
pub type UserCredentials = (String, Result<Vec<(ScramMechanism, i32)>, AdminError>);

const RESOURCE_NOT_FOUND: i16 = 91;

impl Admin {
    /// The credentials of these users, all if none is named. Users without are left out.
    pub async fn describe_scram_credentials(
        &mut self,
        users: &[&str],
    ) -> Result<Vec<UserCredentials>, AdminError> {
        let named = users.iter().map(|user| UserName::default().with_name(text(user))).collect();
        let users = (!users.is_empty()).then_some(named);
        let build = |_| DescribeUserScramCredentialsRequest::default().with_users(users.clone());
        let key = ApiKey::DescribeUserScramCredentials;
        let answer = self
            .call("describeUserScramCredentials", key, Target::Any, build, |answer| answer.error_code)
            .await?;
        AdminError::check(answer.error_code, answer.error_message.as_deref())?;
        let found = answer.results.iter().filter(|result| result.error_code != RESOURCE_NOT_FOUND);
        let users = found.map(|result| {
            let infos = result.credential_infos.iter();
            let credentials =
                infos.filter_map(|info| Some((ScramMechanism::of_wire(info.mechanism)?, info.iterations)));
            let outcome = AdminError::check(result.error_code, result.error_message.as_deref());
            (result.user.to_string(), outcome.map(|()| credentials.collect()))
        });
        Ok(users.collect())
    }

    /// Gives a user credentials, each hashed with a salt of its own, and takes others away.
    pub async fn alter_scram_credentials(
        &mut self,
        user: &str,
        new: &[NewCredential],
        deleted: &[ScramMechanism],
    ) -> Result<(), AdminError> {
        let upsertions = new.iter().map(|credential| upsertion(user, credential, rand::random()));
        let deletions = deleted.iter().map(|mechanism| {
            ScramCredentialDeletion::default().with_name(text(user)).with_mechanism(*mechanism as i8)
        });
        let request = AlterUserScramCredentialsRequest::default()
            .with_upsertions(upsertions.collect())
            .with_deletions(deletions.collect());
        let build = |_| request.clone();
        let key = ApiKey::AlterUserScramCredentials;
        let answer = self
            .call("alterUserScramCredentials", key, Target::Controller, build, |answer| {
                answer.results.first().map_or(0, |result| result.error_code)
            })
            .await?;
        answer
            .results
            .iter()
            .try_for_each(|result| AdminError::check(result.error_code, result.error_message.as_deref()))
    }
}

fn upsertion(user: &str, credential: &NewCredential, salt: [u8; 32]) -> ScramCredentialUpsertion {
    let NewCredential { mechanism, iterations, password } = credential;
    // A broker refuses more; hashing for it would only take time.
    let counted = u32::try_from((*iterations).clamp(1, ITERATIONS_MAX)).unwrap_or(1);
    ScramCredentialUpsertion::default()
        .with_name(text(user))
        .with_mechanism(*mechanism as i8)
        .with_iterations(*iterations)
        .with_salt(Bytes::copy_from_slice(&salt))
        .with_salted_password(mechanism.salted_password(password, &salt, counted).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From RFC 7677, section 3: user `user`, password `pencil`.
    #[test]
    fn passwords_are_salted_as_the_rfc_says() {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let salted = ScramMechanism::Sha256.salted_password("pencil", &salt, 4_096);
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let sign = |key: &[u8], text: &[u8]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        };
        let signature = sign(&sign(&salted, b"Server Key"), message.as_bytes());
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn mechanisms_have_names_and_numbers() {
        for mechanism in [ScramMechanism::Sha256, ScramMechanism::Sha512] {
            assert_eq!(ScramMechanism::of(mechanism.name()), Some(mechanism));
            assert_eq!(ScramMechanism::of_wire(mechanism as i8), Some(mechanism));
        }
        assert_eq!(ScramMechanism::of("PLAIN"), None);
        let credential = NewCredential {
            mechanism: ScramMechanism::Sha512,
            iterations: 4_096,
            password: "secret".to_owned(),
        };
        assert!(!format!("{credential:?}").contains("secret"));
        assert_eq!(upsertion("u", &credential, [7; 32]).salted_password.len(), 64);
    }
}
