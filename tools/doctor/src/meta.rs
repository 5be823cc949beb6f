//! `meta.properties`: whose data a log directory holds. Pure.

use std::path::Path;

use gregor_config::Properties;

use crate::finding::{Finding, Kind, Repair};
use crate::step::Step;

/// The file.
pub(crate) const NAME: &str = "meta.properties";

/// What it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) broker: Option<i32>,
    pub(crate) cluster: Option<String>,
    pub(crate) directory: Option<String>,
}

/// Reads the file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Identity, String> {
    let properties = Properties::parse(bytes)?;
    match properties.get("version").map(str::trim) {
        None | Some("0") => {}
        Some(version) => return Err(format!("version {version} is not of a broker with ZooKeeper")),
    }
    let broker = properties.get("broker.id").map(str::trim);
    let broker =
        broker.map(|id| id.parse().map_err(|_| format!("broker.id {id} is no number"))).transpose()?;
    let text = |key: &str| properties.get(key).map(|value| value.trim().to_owned());
    Ok(Identity { broker, cluster: text("cluster.id"), directory: text("directory.id") })
}

fn format(identity: &Identity) -> Vec<u8> {
    let mut text = "#\nversion=0\n".to_owned();
    if let Some(broker) = identity.broker {
        text.push_str(&format!("broker.id={broker}\n"));
    }
    if let Some(cluster) = &identity.cluster {
        text.push_str(&format!("cluster.id={cluster}\n"));
    }
    text.into_bytes()
}

/// Checks the files of all directories against each other. A damaged one is written anew as the others are.
pub(crate) fn check(files: &[(&Path, Option<&[u8]>)]) -> Vec<Finding> {
    let parsed: Vec<_> = files.iter().map(|(dir, bytes)| (*dir, bytes.map(parse))).collect();
    let sound: Vec<(&Path, &Identity)> =
        parsed.iter().filter_map(|(dir, identity)| Some((*dir, identity.as_ref()?.as_ref().ok()?))).collect();
    let mut findings = Vec::new();
    for (dir, identity) in &parsed {
        let path = dir.join(NAME);
        let place = path.display().to_string();
        match identity {
            None => findings.push(Finding::new(
                place,
                Kind::MissingMetaProperties,
                "it is missing: a broker writes it when it starts",
            )),
            Some(Err(what)) => {
                let finding = Finding::new(place, Kind::BrokenMetaProperties, what.clone());
                findings.push(match sound.first() {
                    None => finding,
                    Some((other, identity)) => {
                        let does = format!("writes it anew as in {}", other.display());
                        finding.repaired_by(Repair::lossless(
                            does,
                            vec![Step::Write { path, bytes: format(identity) }],
                        ))
                    }
                });
            }
            Some(Ok(_)) => {}
        }
    }
    findings.extend(differences(&sound));
    findings
}

fn differences(sound: &[(&Path, &Identity)]) -> Vec<Finding> {
    let Some(((first_dir, first), others)) = sound.split_first() else { return Vec::new() };
    let mut findings = Vec::new();
    for (dir, identity) in others {
        let place = dir.join(NAME).display().to_string();
        let first_dir = first_dir.display();
        let mut differs = |what: String| {
            findings.push(Finding::new(place.clone(), Kind::DifferentIdentities, what));
        };
        if identity.broker != first.broker {
            differs(format!("broker {:?}, and {first_dir} is of {:?}", identity.broker, first.broker));
        }
        if identity.cluster != first.cluster {
            differs(format!("cluster {:?}, and {first_dir} is of {:?}", identity.cluster, first.cluster));
        }
        if identity.directory.is_some() && identity.directory == first.directory {
            differs(format!("the same directory.id as {first_dir}"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"#\nversion=0\nbroker.id=3\ncluster.id=abc\n";

    #[track_caller]
    fn run(files: &[Option<&[u8]>], expected: &[(Kind, bool)]) {
        let names = ["/a", "/b", "/c"].map(Path::new);
        let files: Vec<_> = names.into_iter().zip(files.iter().copied()).collect();
        let found: Vec<_> =
            check(&files).iter().map(|finding| (finding.kind, finding.repair.is_some())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn identities_are_held_against_each_other() {
        run(&[Some(GOOD), Some(GOOD)], &[]);
        run(&[None, Some(GOOD)], &[(Kind::MissingMetaProperties, false)]);
        run(&[Some(b"version=1\nnode.id=3"), Some(GOOD)], &[(Kind::BrokenMetaProperties, true)]);
        run(&[Some(b"broker.id=three")], &[(Kind::BrokenMetaProperties, false)]);
        let other: &[u8] = b"broker.id=4\ncluster.id=abd\n";
        run(
            &[Some(GOOD), Some(other)],
            &[(Kind::DifferentIdentities, false), (Kind::DifferentIdentities, false)],
        );
        let twin: &[u8] = b"broker.id=3\ncluster.id=abc\ndirectory.id=x\n";
        run(&[Some(twin), Some(GOOD), Some(twin)], &[(Kind::DifferentIdentities, false)]);
        assert_eq!(parse(&format(&parse(GOOD).unwrap())), parse(GOOD));
    }
}
