//! Finalized features in `/feature`: what a new controller makes of the node (`maybeSetupFeatureVersioning`), and
//! UpdateFeatures. A broker in ZooKeeper mode supports no feature, so nothing can be raised; what is there can be deleted.

use crate::broker_change::supports;
use crate::controller::Controller;
use crate::operation::{Operation, Outcome};
use crate::request::{FeatureUpdate, FeatureUpdateError, FeatureUpdateResult, Reply, UpdateFeaturesRequest};
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
        let mut results = Vec::with_capacity(request.updates.len());
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
            let result =
                judged.map(|_| ()).map_err(|reason| FeatureUpdateError::InvalidRequest(reason.to_owned()));
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

    /// This broker supports no feature; the others are asked, too, should they be of another kind.
    fn is_supported_by_all(&self, update: &FeatureUpdate, level: Option<i16>) -> Result<(), &'static str> {
        let Some(level) = level else { return Ok(()) };
        let wanted = FinalizedFeatures::from([(update.name.clone(), level)]);
        let own = SupportedFeatures::new();
        let all = self.context.brokers.registrations().all(|broker| supports(&broker.features, &wanted));
        if supports(&own, &wanted) && all {
            Ok(())
        } else {
            Err("The feature is not supported at this level.")
        }
    }
}

/// The new level (`None` deletes), or why there is none (`validateFeatureUpdate`).
fn judge(update: &FeatureUpdate, existing: Option<i16>) -> Result<Option<i16>, &'static str> {
    let level = update.max_version_level;
    if update.name.is_empty() {
        return Err("The name of the feature is empty.");
    }
    if level < 1 {
        return match (update.allow_downgrade, existing) {
            (false, _) => Err("A level below 1 deletes the feature, which must be allowed as a downgrade."),
            (true, None) => Err("The feature to delete is not finalized."),
            (true, Some(_)) => Ok(None),
        };
    }
    match existing {
        Some(existing) if level == existing => Err("The feature has this level already."),
        Some(existing) if level < existing && !update.allow_downgrade => {
            Err("The update would be a downgrade.")
        }
        Some(existing) if level > existing && update.allow_downgrade => {
            Err("An update that allows a downgrade must lower the level.")
        }
        _ => Ok(Some(level)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(name: &str, max_version_level: i16, allow_downgrade: bool) -> FeatureUpdate {
        FeatureUpdate { name: name.to_owned(), max_version_level, allow_downgrade }
    }

    #[test]
    fn updates_are_judged() {
        let level = |update: &FeatureUpdate, existing| judge(update, existing).ok();
        assert_eq!(level(&update("", 1, false), None), None);
        assert_eq!(level(&update("f", 0, false), Some(1)), None);
        assert_eq!(level(&update("f", 0, true), None), None);
        assert_eq!(level(&update("f", 0, true), Some(1)), Some(None));
        assert_eq!(level(&update("f", 2, false), Some(2)), None);
        assert_eq!(level(&update("f", 1, false), Some(2)), None);
        assert_eq!(level(&update("f", 1, true), Some(2)), Some(Some(1)));
        assert_eq!(level(&update("f", 3, true), Some(2)), None);
        assert_eq!(level(&update("f", 3, false), Some(2)), Some(Some(3)));
        assert_eq!(level(&update("f", 1, false), None), Some(Some(1)));
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
