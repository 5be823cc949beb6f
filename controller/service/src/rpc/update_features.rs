//! UpdateFeatures (57).

use gregor_controller_machine::{
    FeatureUpdate, FeatureUpdateError, FeatureUpdateResult, NotController, UpdateFeaturesRequest, UpgradeType,
};
use gregor_wire::convert::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::update_features_response::UpdatableFeatureResult;
use kafka_protocol::messages::{self, UpdateFeaturesResponse};

pub(crate) fn decode(request: &messages::UpdateFeaturesRequest, version: i16) -> UpdateFeaturesRequest {
    let updates = request.feature_updates.iter().map(|update| FeatureUpdate {
        name: update.feature.to_string(),
        max_version_level: update.max_version_level,
        upgrade_type: match (version, update.allow_downgrade, update.upgrade_type) {
            (0, true, _) => UpgradeType::SafeDowngrade,
            (0, false, _) | (_, _, 1) => UpgradeType::Upgrade,
            (_, _, 2) => UpgradeType::SafeDowngrade,
            (_, _, 3) => UpgradeType::UnsafeDowngrade,
            _ => UpgradeType::Unknown,
        },
    });
    UpdateFeaturesRequest { updates: updates.collect() }
}

pub(crate) fn answer(answer: Result<Vec<FeatureUpdateResult>, NotController>) -> UpdateFeaturesResponse {
    let results = match answer {
        Ok(results) => results,
        Err(error) => {
            return UpdateFeaturesResponse::default()
                .with_error_code(ResponseError::NotController.code())
                .with_error_message(Some(text(&error.to_string())));
        }
    };
    let result = |(feature, result): &FeatureUpdateResult| {
        let answer = UpdatableFeatureResult::default().with_feature(text(feature)).with_error_message(None);
        match result {
            Ok(()) => answer,
            Err(error) => {
                answer.with_error_code(code(error).code()).with_error_message(Some(text(&error.to_string())))
            }
        }
    };
    UpdateFeaturesResponse::default()
        .with_error_message(None)
        .with_results(results.iter().map(result).collect())
}

fn code(error: &FeatureUpdateError) -> ResponseError {
    match error {
        FeatureUpdateError::InvalidRequest(_) => ResponseError::InvalidRequest,
        FeatureUpdateError::Failed => ResponseError::FeatureUpdateFailed,
    }
}
