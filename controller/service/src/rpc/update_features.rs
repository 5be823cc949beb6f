//! UpdateFeatures (57).

use gregor_controller_machine::{
    FeatureUpdate, FeatureUpdateError, FeatureUpdateResult, NotController, UpdateFeaturesRequest,
};
use gregor_wire::convert::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::update_features_response::UpdatableFeatureResult;
use kafka_protocol::messages::{self, UpdateFeaturesResponse};

/// `UpgradeType.UPGRADE`: the only type that does not lower a level.
const UPGRADE: i8 = 1;

pub(crate) fn decode(request: &messages::UpdateFeaturesRequest, version: i16) -> UpdateFeaturesRequest {
    let updates = request.feature_updates.iter().map(|update| FeatureUpdate {
        name: update.feature.to_string(),
        max_version_level: update.max_version_level,
        allow_downgrade: match version {
            0 => update.allow_downgrade,
            _ => update.upgrade_type != UPGRADE,
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
        let answer = UpdatableFeatureResult::default().with_feature(text(feature));
        match result {
            Ok(()) => answer,
            Err(error) => {
                answer.with_error_code(code(error).code()).with_error_message(Some(text(&error.to_string())))
            }
        }
    };
    UpdateFeaturesResponse::default().with_results(results.iter().map(result).collect())
}

fn code(error: &FeatureUpdateError) -> ResponseError {
    match error {
        FeatureUpdateError::InvalidRequest(_) => ResponseError::InvalidRequest,
        FeatureUpdateError::Failed => ResponseError::FeatureUpdateFailed,
    }
}
