//! `meta.properties`: which broker of which cluster a log directory belongs to (`MetaPropertiesEnsemble`).
//!
//! `MetaProperties` is the file's content; `verify` is the pure decision whether the directories found belong to this
//! broker; `load` and `store` touch the disk. ZooKeeper mode knows version 0 only. A directory that cannot be read
//! starts offline; one without the file is empty and gets it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gregor_model::{BrokerId, ClusterId};

/// The name of the file in each log directory.
pub const META_PROPERTIES: &str = "meta.properties";

/// What a directory says about its owner. All members may be absent in version 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaProperties {
    /// `broker.id`.
    pub broker_id: Option<BrokerId>,
    /// `cluster.id`.
    pub cluster_id: Option<ClusterId>,
    /// `directory.id`, kept when found (a broker in migration wrote it) and never invented.
    pub directory_id: Option<String>,
}

/// A `meta.properties` that is not what Kafka writes.
#[derive(Debug, thiserror::Error)]
pub enum MetaPropertiesError {
    /// Not the syntax of a properties file.
    #[error("malformed {path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A version other than 0: the directory belongs to a KRaft broker.
    #[error("unexpected version {version} in {path}: a ZooKeeper broker supports only version 0")]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: String,
    },
    /// Another cluster's data.
    #[error("invalid cluster.id in {path}: expected {expected}, but read {found}")]
    ClusterId {
        /// The file.
        path: PathBuf,
        /// This cluster.
        expected: ClusterId,
        /// What it says.
        found: ClusterId,
    },
    /// Another broker's data.
    #[error(
        "stored broker.id {found} doesn't match broker.id {expected} in {path}. If you moved your data, make sure \
         your configured broker id matches. If you intend to create a new broker, remove all data in your log directories"
    )]
    BrokerId {
        /// The file.
        path: PathBuf,
        /// This broker.
        expected: BrokerId,
        /// What it says.
        found: BrokerId,
    },
    /// Two directories with one id.
    #[error("directory.id {id} was found in both {first} and {second}")]
    DuplicateDirectory {
        /// The id.
        id: String,
        /// Where it was seen first.
        first: PathBuf,
        /// Where it was seen again.
        second: PathBuf,
    },
}

/// What was found in the log directories.
#[derive(Debug, Default)]
pub struct Directories {
    /// Directories with a `meta.properties`, in configured order.
    pub found: Vec<(PathBuf, MetaProperties)>,
    /// Directories without one.
    pub empty: Vec<PathBuf>,
    /// Directories that cannot be read, and why: they start offline.
    pub failed: Vec<(PathBuf, io::Error)>,
}

impl Directories {
    /// Looks into every directory; creates none.
    pub fn load(paths: &[PathBuf]) -> Result<Directories, MetaPropertiesError> {
        let mut directories = Directories::default();
        for path in paths {
            match fs::read(path.join(META_PROPERTIES)) {
                Ok(bytes) => {
                    let properties = MetaProperties::decode(&path.join(META_PROPERTIES), &bytes)?;
                    directories.found.push((path.clone(), properties));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => directories.empty.push(path.clone()),
                Err(error) => directories.failed.push((path.clone(), error)),
            }
        }
        Ok(directories)
    }

    /// Whether all of it belongs to this cluster and to one broker (`MetaPropertiesEnsemble.verify`). Answers the
    /// broker's id, if it is configured or stored.
    pub fn verify(
        &self,
        cluster: &ClusterId,
        configured: Option<BrokerId>,
    ) -> Result<Option<BrokerId>, MetaPropertiesError> {
        let mut broker = configured;
        let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
        for (directory, properties) in &self.found {
            let path = || directory.join(META_PROPERTIES);
            if let Some(found) = properties.cluster_id.as_ref().filter(|found| *found != cluster) {
                return Err(MetaPropertiesError::ClusterId {
                    path: path(),
                    expected: cluster.clone(),
                    found: found.clone(),
                });
            }
            match (broker, properties.broker_id) {
                (Some(expected), Some(found)) if expected != found => {
                    return Err(MetaPropertiesError::BrokerId { path: path(), expected, found });
                }
                (None, found) => broker = found,
                _ => {}
            }
            if let Some(id) = &properties.directory_id
                && let Some(first) = seen.insert(id, directory)
            {
                return Err(MetaPropertiesError::DuplicateDirectory {
                    id: id.clone(),
                    first: first.to_owned(),
                    second: directory.clone(),
                });
            }
        }
        Ok(broker)
    }

    /// Writes the file where it is missing or incomplete. A directory where that fails is offline from the start:
    /// the answer names them.
    pub fn store(&self, cluster: &ClusterId, broker: BrokerId) -> Vec<(PathBuf, io::Error)> {
        let empty = self.empty.iter().map(|path| (path, None));
        let found = self.found.iter().map(|(path, properties)| (path, Some(properties)));
        let mut failed = Vec::new();
        for (path, before) in empty.chain(found) {
            let properties = MetaProperties {
                broker_id: Some(broker),
                cluster_id: Some(cluster.clone()),
                directory_id: before.and_then(|before| before.directory_id.clone()),
            };
            if before == Some(&properties) {
                continue;
            }
            if let Err(error) = properties.write(path) {
                failed.push((path.clone(), error));
            }
        }
        failed
    }
}

impl MetaProperties {
    fn decode(path: &Path, bytes: &[u8]) -> Result<MetaProperties, MetaPropertiesError> {
        let malformed = |reason: String| MetaPropertiesError::Malformed { path: path.to_owned(), reason };
        let map = java_properties::read(bytes).map_err(|error| malformed(error.to_string()))?;
        if let Some(version) = map.get("version").filter(|version| version.trim() != "0") {
            return Err(MetaPropertiesError::Version { path: path.to_owned(), version: version.clone() });
        }
        let broker_id = match map.get("broker.id") {
            None => None,
            Some(text) => Some(
                text.trim()
                    .parse::<i32>()
                    .ok()
                    .and_then(BrokerId::from_wire)
                    .ok_or_else(|| malformed(format!("broker.id {text:?} is not an id")))?,
            ),
        };
        Ok(MetaProperties {
            broker_id,
            cluster_id: map.get("cluster.id").map(|id| ClusterId::new(id.trim())),
            directory_id: map.get("directory.id").map(|id| id.trim().to_owned()),
        })
    }

    fn encode(&self) -> String {
        let mut text = String::from("#\n");
        if let Some(id) = self.broker_id {
            text.push_str(&format!("broker.id={id}\n"));
        }
        if let Some(id) = &self.cluster_id {
            text.push_str(&format!("cluster.id={}\n", id.as_str()));
        }
        if let Some(id) = &self.directory_id {
            text.push_str(&format!("directory.id={id}\n"));
        }
        text.push_str("version=0\n");
        text
    }

    /// Replaces the file of a directory, which is created when missing: written aside, synced, renamed.
    fn write(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let aside = directory.join("meta.properties.tmp");
        let mut file = File::create(&aside)?;
        file.write_all(self.encode().as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, directory.join(META_PROPERTIES))?;
        File::open(directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(broker: i32, cluster: &str, directory: Option<&str>) -> MetaProperties {
        MetaProperties {
            broker_id: Some(BrokerId(broker)),
            cluster_id: Some(ClusterId::new(cluster)),
            directory_id: directory.map(str::to_owned),
        }
    }

    fn decode(text: &str) -> Result<MetaProperties, MetaPropertiesError> {
        MetaProperties::decode(Path::new("/d/meta.properties"), text.as_bytes())
    }

    #[test]
    fn round_trip() {
        for properties in [properties(3, "c", None), properties(0, "qkR7yXx3QWmJ0h0C8aZ1bg", Some("d"))] {
            assert_eq!(decode(&properties.encode()).expect("own encoding"), properties);
        }
    }

    #[test]
    fn what_kafka_writes() {
        let found = decode("#\n#Fri Nov 20 10:33:12 UTC 2026\nbroker.id=7\ncluster.id=abc\nversion=0\n");
        assert_eq!(found.expect("valid"), properties(7, "abc", None));
        assert_eq!(decode("").expect("all optional"), MetaProperties::default());
    }

    #[test]
    fn refusals() {
        assert!(matches!(decode("version=1\nnode.id=3\n"), Err(MetaPropertiesError::Version { .. })));
        assert!(matches!(decode("broker.id=x\n"), Err(MetaPropertiesError::Malformed { .. })));
        assert!(matches!(decode("broker.id=-1\n"), Err(MetaPropertiesError::Malformed { .. })));
        assert!(matches!(decode("a=\\u12\n"), Err(MetaPropertiesError::Malformed { .. })));
    }

    #[test]
    fn verification() {
        #[track_caller]
        fn check(found: &[MetaProperties], configured: Option<i32>, expected: Result<Option<i32>, &str>) {
            let directories = Directories {
                found: found
                    .iter()
                    .enumerate()
                    .map(|(n, p)| (PathBuf::from(format!("/d{n}")), p.clone()))
                    .collect(),
                ..Directories::default()
            };
            let answer = directories.verify(&ClusterId::new("c"), configured.map(BrokerId));
            match (answer, expected) {
                (Ok(id), Ok(expected)) => assert_eq!(id.map(|id| id.0), expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (answer, expected) => panic!("{answer:?} instead of {expected:?}"),
            }
        }
        check(&[], None, Ok(None));
        check(&[], Some(1), Ok(Some(1)));
        check(&[properties(1, "c", None), properties(1, "c", None)], None, Ok(Some(1)));
        check(&[MetaProperties::default(), properties(2, "c", None)], None, Ok(Some(2)));
        check(&[properties(1, "c", None)], Some(2), Err("doesn't match broker.id 2"));
        check(&[properties(1, "c", None), properties(2, "c", None)], None, Err("doesn't match broker.id 1"));
        check(&[properties(1, "other", None)], Some(1), Err("expected c, but read other"));
        check(
            &[properties(1, "c", Some("x")), properties(1, "c", Some("x"))],
            Some(1),
            Err("both /d0 and /d1"),
        );
    }

    #[test]
    fn stores_where_missing_and_keeps_what_is_right() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = [dir.path().join("a"), dir.path().join("b")];
        let cluster = ClusterId::new("c");
        let found = Directories::load(&paths).expect("nothing there");
        assert_eq!(found.empty.len(), 2);
        assert!(found.store(&cluster, BrokerId(5)).is_empty());
        let found = Directories::load(&paths).expect("valid");
        assert_eq!(found.found.len(), 2);
        assert_eq!(found.verify(&cluster, None).expect("same"), Some(BrokerId(5)));
        fs::write(paths[0].join(META_PROPERTIES), "# mine\nbroker.id=5\ncluster.id=c\nversion=0\n")
            .expect("write");
        let found = Directories::load(&paths).expect("valid");
        assert!(found.store(&cluster, BrokerId(5)).is_empty());
        let kept = fs::read_to_string(paths[0].join(META_PROPERTIES)).expect("read");
        assert!(kept.starts_with("# mine"));
    }
}
