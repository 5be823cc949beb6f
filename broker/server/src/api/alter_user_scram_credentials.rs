//! AlterUserScramCredentials (51), version 0 (`handleAlterUserScramCredentialsRequest`). Only the controller alters.

use gregor_wire::convert::text;
use indexmap::IndexSet;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult as UserResult;
use kafka_protocol::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::scram_admin::{CredentialChange, Upsertion};

/// Changes the credentials of each user.
pub async fn handle(
    broker: &Broker,
    request: &AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let changes = changes(request);
    if !broker.controller.is_active() {
        let users: IndexSet<&str> = changes.iter().map(|change| change.user.as_str()).collect();
        let refused = users.into_iter().map(|user| {
            refusal(
                user,
                ResponseError::NotController,
                "This is not the correct controller for this cluster.",
            )
        });
        return AlterUserScramCredentialsResponse::default().with_results(refused.collect());
    }
    let altered = broker.scram_admin.alter(&changes).await;
    let results = altered.into_iter().map(|(user, outcome)| match outcome {
        Ok(()) => UserResult::default().with_user(text(&user)),
        Err(error) => refusal(&user, error.kafka_error(), &error.to_string()),
    });
    AlterUserScramCredentialsResponse::default().with_results(results.collect())
}

fn changes(request: &AlterUserScramCredentialsRequest) -> Vec<CredentialChange> {
    let deletions = request.deletions.iter().map(|deletion| CredentialChange {
        user: deletion.name.to_string(),
        mechanism: deletion.mechanism,
        upsertion: None,
    });
    let upsertions = request.upsertions.iter().map(|upsertion| CredentialChange {
        user: upsertion.name.to_string(),
        mechanism: upsertion.mechanism,
        upsertion: Some(Upsertion {
            iterations: upsertion.iterations,
            salt: upsertion.salt.to_vec(),
            salted_password: upsertion.salted_password.to_vec(),
        }),
    });
    deletions.chain(upsertions).collect()
}

fn refusal(user: &str, error: ResponseError, message: &str) -> UserResult {
    UserResult::default()
        .with_user(text(user))
        .with_error_code(error.code())
        .with_error_message(Some(text(message)))
}
