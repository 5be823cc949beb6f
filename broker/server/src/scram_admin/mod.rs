//! SCRAM credentials of users in ZooKeeper (`ZkAdminManager.describeUserScramCredentials`, `alterUserScramCredentials`).
//! Logging in with them is not this module's business.

mod credential;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gregor_controller_service::admin::{ConfigWriteError, change_configs};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::config::{Configs, Entity, EntityType, desanitize, sanitize};
use gregor_zookeeper::store::Store;

pub use credential::ScramMechanism;

/// A change of one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialChange {
    /// The user.
    pub user: String,
    /// The mechanism's id, known or not.
    pub mechanism: i8,
    /// What is new; `None` deletes.
    pub upsertion: Option<Upsertion>,
}

/// A new credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upsertion {
    /// How many rounds the password was salted with.
    pub iterations: i32,
    /// The salt.
    pub salt: Vec<u8>,
    /// The salted password.
    pub salted_password: Vec<u8>,
}

/// Why a user's credentials were not told or changed; the texts are Kafka's.
#[derive(Debug, thiserror::Error)]
pub enum ScramError {
    /// UNACCEPTABLE_CREDENTIAL.
    #[error("Username must not be empty")]
    EmptyUser,
    /// RESOURCE_NOT_FOUND: the same, when it is only asked for.
    #[error("Username must not be empty")]
    EmptyUserAsked,
    /// UNSUPPORTED_SASL_MECHANISM.
    #[error("Unknown SCRAM mechanism")]
    UnknownMechanism,
    /// UNACCEPTABLE_CREDENTIAL.
    #[error("Too few iterations")]
    TooFewIterations,
    /// UNACCEPTABLE_CREDENTIAL.
    #[error("Too many iterations")]
    TooManyIterations,
    /// DUPLICATE_RESOURCE.
    #[error("A user credential cannot be altered twice in the same request")]
    AlteredTwice,
    /// DUPLICATE_RESOURCE.
    #[error("Cannot describe SCRAM credentials for the same user twice in a single request: {0}")]
    AskedTwice(String),
    /// RESOURCE_NOT_FOUND.
    #[error("Attempt to delete a user credential that does not exist")]
    NothingToDelete,
    /// RESOURCE_NOT_FOUND.
    #[error("Attempt to describe a user credential that does not exist: {0}")]
    NoCredential(String),
    /// UNKNOWN_SERVER_ERROR.
    #[error("the stored credential of {0} is not readable")]
    Stored(String),
    /// UNKNOWN_SERVER_ERROR.
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
    /// STALE_CONTROLLER_EPOCH, or UNKNOWN_SERVER_ERROR.
    #[error(transparent)]
    Write(#[from] ConfigWriteError),
}

/// A user's mechanisms, each with how many rounds its credential has.
pub type Credentials = Vec<(ScramMechanism, i32)>;

/// What became of each user of a request.
pub type PerUser<T> = Vec<(String, Result<T, ScramError>)>;

/// Reads and changes SCRAM credentials.
pub struct ScramAdmin {
    store: Store,
}

impl ScramAdmin {
    /// On what ZooKeeper holds.
    pub fn new(store: Store) -> ScramAdmin {
        ScramAdmin { store }
    }

    /// The credentials of these users, each named once; of none named, of all that have some.
    pub async fn describe(&self, users: &[String]) -> Result<PerUser<Credentials>, ZooKeeperError> {
        if users.is_empty() {
            return self.describe_all().await;
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for user in users {
            *counts.entry(user).or_default() += 1;
        }
        let mut seen = BTreeSet::new();
        let mut described = Vec::new();
        for user in users.iter().filter(|user| seen.insert(user.as_str())) {
            let found = if user.is_empty() {
                Err(ScramError::EmptyUserAsked)
            } else if counts.get(user.as_str()).is_some_and(|count| *count > 1) {
                Err(ScramError::AskedTwice(user.clone()))
            } else {
                let configs = self.store.configs(&node(user)).await?;
                credentials(user, &configs)
                    .and_then(|found| found.ok_or_else(|| ScramError::NoCredential(user.clone())))
            };
            described.push((user.clone(), found));
        }
        Ok(described)
    }

    async fn describe_all(&self) -> Result<PerUser<Credentials>, ZooKeeperError> {
        let nodes = self.store.entities(EntityType::Users).await?;
        let stored = self.store.configs_of(&nodes).await?;
        let mut described: PerUser<Credentials> = nodes
            .iter()
            .zip(&stored)
            .filter_map(|(node, configs)| {
                let user = desanitize(&node.name)?;
                Some((credentials(&user, configs).transpose()?, user))
            })
            .map(|(found, user)| (user, found))
            .collect();
        described.sort_by(|(first, _), (second, _)| first.cmp(second));
        Ok(described)
    }

    /// Changes credentials: all of a user's, or none of them.
    pub async fn alter(&self, changes: &[CredentialChange]) -> PerUser<()> {
        let mut altered = Vec::new();
        for (user, changes) in by_user(changes) {
            let outcome = self.alter_user(&user, &changes).await;
            altered.push((user, outcome));
        }
        altered
    }

    async fn alter_user(&self, user: &str, changes: &[&CredentialChange]) -> Result<(), ScramError> {
        check(user, changes)?;
        let node = node(user);
        let mut configs = self.store.configs(&node).await?;
        apply(&mut configs, changes)?;
        change_configs(&self.store, &node, &configs).await?;
        tracing::info!(user, "SCRAM credentials changed by an administrator");
        Ok(())
    }
}

fn node(user: &str) -> Entity {
    Entity { entity_type: EntityType::Users, name: sanitize(user) }
}

fn by_user(changes: &[CredentialChange]) -> BTreeMap<String, Vec<&CredentialChange>> {
    let mut users: BTreeMap<String, Vec<&CredentialChange>> = BTreeMap::new();
    for change in changes {
        users.entry(change.user.clone()).or_default().push(change);
    }
    users
}

/// What is wrong with a user's changes by themselves; what is wrong with an upsertion is told first.
fn check(user: &str, changes: &[&CredentialChange]) -> Result<(), ScramError> {
    if user.is_empty() {
        return Err(ScramError::EmptyUser);
    }
    let (upsertions, deletions): (Vec<_>, Vec<_>) =
        changes.iter().partition(|change| change.upsertion.is_some());
    let wrong = |change: &&&CredentialChange| {
        if ScramMechanism::from_wire(change.mechanism).is_none() {
            return Some(ScramError::UnknownMechanism);
        }
        let iterations = change.upsertion.as_ref()?.iterations;
        if iterations < ScramMechanism::ITERATIONS_MIN {
            Some(ScramError::TooFewIterations)
        } else if iterations > ScramMechanism::ITERATIONS_MAX {
            Some(ScramError::TooManyIterations)
        } else {
            None
        }
    };
    // Of several wrong ones Kafka tells the last.
    if let Some(error) = upsertions.iter().rev().find_map(wrong).or_else(|| deletions.iter().find_map(wrong))
    {
        return Err(error);
    }
    let mut seen = BTreeSet::new();
    if !changes.iter().all(|change| seen.insert(change.mechanism)) {
        return Err(ScramError::AlteredTwice);
    }
    Ok(())
}

/// Makes the changes; they were checked before.
fn apply(configs: &mut Configs, changes: &[&CredentialChange]) -> Result<(), ScramError> {
    for change in changes {
        let Some(mechanism) = ScramMechanism::from_wire(change.mechanism) else {
            return Err(ScramError::UnknownMechanism);
        };
        let key = mechanism.as_str();
        match &change.upsertion {
            Some(Upsertion { iterations, salt, salted_password }) => {
                let text = credential::stored(mechanism, salt, salted_password, *iterations);
                configs.insert(key.to_owned(), text);
            }
            None if configs.remove(key).is_none() => return Err(ScramError::NothingToDelete),
            None => {}
        }
    }
    Ok(())
}

/// The credentials in a user's node; `None` when there are none.
fn credentials(user: &str, configs: &Configs) -> Result<Option<Credentials>, ScramError> {
    let mut found = Credentials::new();
    for mechanism in ScramMechanism::ALL {
        if let Some(text) = configs.get(mechanism.as_str()) {
            let iterations = credential::iterations(text);
            found.push((mechanism, iterations.ok_or_else(|| ScramError::Stored(user.to_owned()))?));
        }
    }
    Ok(Some(found).filter(|found| !found.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upsert(mechanism: i8, iterations: i32) -> CredentialChange {
        let upsertion = Upsertion { iterations, salt: vec![1], salted_password: vec![2] };
        CredentialChange { user: "u".to_owned(), mechanism, upsertion: Some(upsertion) }
    }

    fn delete(mechanism: i8) -> CredentialChange {
        CredentialChange { user: "u".to_owned(), mechanism, upsertion: None }
    }

    #[test]
    fn changes_are_checked() {
        #[track_caller]
        fn told(user: &str, changes: &[CredentialChange], expected: Result<(), &str>) {
            let found = check(user, &changes.iter().collect::<Vec<_>>()).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned));
        }
        told("u", &[upsert(1, 4096), delete(2)], Ok(()));
        told("", &[delete(1)], Err("Username must not be empty"));
        told("u", &[delete(0)], Err("Unknown SCRAM mechanism"));
        told("u", &[delete(0), upsert(1, 4095)], Err("Too few iterations"));
        told("u", &[upsert(1, 4095), upsert(2, 16385)], Err("Too many iterations"));
        told(
            "u",
            &[upsert(1, 4096), delete(1)],
            Err("A user credential cannot be altered twice in the same request"),
        );
    }

    #[test]
    fn credentials_come_and_go() {
        let mut configs = Configs::from([("producer_byte_rate".to_owned(), "1".to_owned())]);
        apply(&mut configs, &[&upsert(2, 8192)]).expect("applied");
        let found = credentials("u", &configs).expect("readable");
        assert_eq!(found, Some(vec![(ScramMechanism::Sha512, 8192)]));
        assert!(matches!(apply(&mut configs, &[&delete(1)]), Err(ScramError::NothingToDelete)));
        apply(&mut configs, &[&delete(2)]).expect("applied");
        assert_eq!(credentials("u", &configs).expect("readable"), None);
        configs.insert("SCRAM-SHA-256".to_owned(), "nonsense".to_owned());
        assert!(credentials("u", &configs).is_err());
    }
}
