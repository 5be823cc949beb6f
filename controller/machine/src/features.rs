//! Finalized features in `/feature`: what a new controller makes of the node (`maybeSetupFeatureVersioning`), and
//! UpdateFeatures. A broker in ZooKeeper mode supports no feature, so nothing can be raised; what is there can be deleted.

use crate::broker_change::supports;
use crate::controller::Controller;
use crate::operation::{Operation, Outcome};
use crate::request::{
    FeatureUpdate, FeatureUpdateError, FeatureUpdateResult, Reply, UpdateFeaturesRequest, UpgradeType,
};
use crate::znode::{FeatureNode, FinalizedFeatures, SupportedFeatures};

/// What UpdateFeatures waits for: the new features, and what to answer.
#[derive(Debug)]
pub(crate) struct FeaturesAwait(FinalizedFeatures, Vec<FeatureUpdateResult>);

/// What `/feature` is to hold, and whether it must be written for that.
pub(crate) fn set_up(found: Option<FeatureNode>) -> (FeatureNode, bool) {
    let features = match &found {
        Some(node) if node.enabled => node.features.clone(),
        _ => FinalizedFeatures::new(),
    };
    let wanted = FeatureNode { enabled: true, current_form: true, features };
    let write = found.as_ref() != Some(&wanted);
    (wanted, write)
}

impl Controller {
    /// Begins with an UpdateFeatures.
    pub(crate) fn update_features(&mut self, request: UpdateFeaturesRequest) {
        let mut target = self.context.finalized_features.clone();
        let mut results: Vec<FeatureUpdateResult> = Vec::with_capacity(request.updates.len());
        for update in request.updates {
            let judged = judge(&update, self.context.finalized_features.get(&update.name).copied());
            let judged = judged.and_then(|level| self.is_supported_by_all(&update, level).map(|()| level));
            match judged {
                Ok(Some(level)) => {
                    target.insert(update.name.clone(), level);
                }
                Ok(None) => {
                    target.remove(&update.name);
                }
                Err(_) => {}
            }
            let result = judged.map(|_| ()).map_err(FeatureUpdateError::InvalidRequest);
            // Of a feature that is named twice the last word is told.
            results.retain(|(name, _)| *name != update.name);
            results.push((update.name, result));
        }
        if target == self.context.finalized_features {
            return self.reply(Reply::UpdateFeatures(Ok(results)));
        }
        let node = FeatureNode { enabled: true, current_form: true, features: target.clone() };
        self.store(Operation::WriteFeatures(node), FeaturesAwait(target, results));
    }

    /// Answers once the node is written.
    pub(crate) fn resume_features(&mut self, awaited: &FeaturesAwait, outcome: &Outcome) {
        let FeaturesAwait(target, results) = awaited;
        let written = *outcome == Outcome::Done;
        if written {
            self.context.finalized_features = target.clone();
        }
        let results = results.iter().map(|(name, result)| {
            let result =
                if written { result.clone() } else { result.clone().and(Err(FeatureUpdateError::Failed)) };
            (name.clone(), result)
        });
        let reply = Reply::UpdateFeatures(Ok(results.collect()));
        self.reply(reply);
    }

    /// This broker supports no feature; the others are asked, too, should they be of another kind
    /// (`newFinalizedVersionOrIncompatibilityError`).
    fn is_supported_by_all(&self, update: &FeatureUpdate, level: Option<i16>) -> Result<(), String> {
        let Some(level) = level else { return Ok(()) };
        let wanted = FinalizedFeatures::from([(update.name.clone(), level)]);
        if !supports(&SupportedFeatures::new(), &wanted) {
            return Err(refusal("the provided feature is not supported."));
        }
        if !self.context.brokers.registrations().all(|broker| supports(&broker.features, &wanted)) {
            return Err(refusal("brokers were found to have incompatible versions for the feature."));
        }
        Ok(())
    }
}

fn refusal(reason: &str) -> String {
    format!("Could not apply finalized feature update because {reason}")
}

/// The new level (`None` deletes), or why there is none, in Kafka's words (`validateFeatureUpdate`).
fn judge(update: &FeatureUpdate, existing: Option<i16>) -> Result<Option<i16>, String> {
    let FeatureUpdate { name, max_version_level: level, upgrade_type } = update;
    let refused = |reason: String| Err(reason);
    if name.is_empty() {
        return refused("Feature name can not be empty.".to_owned());
    }
    if *upgrade_type == UpgradeType::Unknown {
        return refused("Received unknown upgrade type.".to_owned());
    }
    if *level < 1 {
        return match (upgrade_type, existing) {
            (UpgradeType::Upgrade, _) => refused(format!(
                "Can not provide versionLevel: {level} less than 1 without setting the SAFE downgradeType in the request."
            )),
            (_, None) => refused("Can not delete non-existing finalized feature.".to_owned()),
            (_, Some(_)) => Ok(None),
        };
    }
    match existing {
        Some(existing) if *level == existing => {
            let way = if *upgrade_type == UpgradeType::SafeDowngrade { "downgrade" } else { "upgrade" };
            refused(format!(
                "Can not {way} a finalized feature from existing versionLevel:{existing} to the same value."
            ))
        }
        Some(existing) if *level < existing && *upgrade_type != UpgradeType::SafeDowngrade => {
            refused(format!(
                "Can not downgrade finalized feature from existing versionLevel:{existing} to provided versionLevel:{level} without setting the downgradeType to SAFE in the request."
            ))
        }
        Some(existing) if *level > existing && *upgrade_type != UpgradeType::Upgrade => refused(format!(
            "When the downgradeType is set to SAFE in the request, the provided versionLevel:{level} can not be greater than existing versionLevel:{existing}."
        )),
        _ => Ok(Some(*level)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(name: &str, max_version_level: i16, upgrade_type: UpgradeType) -> FeatureUpdate {
        FeatureUpdate { name: name.to_owned(), max_version_level, upgrade_type }
    }

    #[test]
    fn updates_are_judged() {
        use UpgradeType::{SafeDowngrade as Safe, Unknown, UnsafeDowngrade as Unsafe, Upgrade};
        let level = |update: &FeatureUpdate, existing| judge(update, existing).ok();
        for (name, wanted, upgrade_type, existing, expected) in [
            ("", 1, Upgrade, None, None),
            ("f", 1, Unknown, None, None),
            ("f", 0, Upgrade, Some(1), None),
            ("f", 0, Safe, None, None),
            ("f", 0, Safe, Some(1), Some(None)),
            ("f", 0, Unsafe, Some(1), Some(None)),
            ("f", 2, Upgrade, Some(2), None),
            ("f", 1, Upgrade, Some(2), None),
            ("f", 1, Unsafe, Some(2), None),
            ("f", 1, Safe, Some(2), Some(Some(1))),
            ("f", 3, Safe, Some(2), None),
            ("f", 3, Upgrade, Some(2), Some(Some(3))),
            ("f", 1, Upgrade, None, Some(Some(1))),
        ] {
            let update = update(name, wanted, upgrade_type);
            assert_eq!(level(&update, existing), expected, "{update:?} over {existing:?}");
        }
    }

    #[test]
    fn node_is_set_up() {
        let node = |enabled, current_form| FeatureNode {
            enabled,
            current_form,
            features: FinalizedFeatures::from([("f".to_owned(), 1)]),
        };
        assert!(set_up(None).1);
        assert_eq!(set_up(Some(node(true, true))), (node(true, true), false));
        assert_eq!(set_up(Some(node(true, false))), (node(true, true), true));
        let (wanted, write) = set_up(Some(node(false, true)));
        assert!(write && wanted.enabled && wanted.features.is_empty());
    }
}
