//! DescribeUserScramCredentials (50), version 0 (`handleDescribeUserScramCredentialsRequest`). As in Kafka the message is
//! empty, not absent, where there is no error.

use gregor_wire::convert::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult as UserResult,
};
use kafka_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::scram_admin::{Credentials, ScramError};

/// Tells which credentials users have.
pub async fn handle(
    broker: &Broker,
    request: &DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let users: Vec<String> = request.users.iter().flatten().map(|user| user.name.to_string()).collect();
    match broker.scram_admin.describe(&users).await {
        Ok(described) => DescribeUserScramCredentialsResponse::default()
            .with_results(described.into_iter().map(|(user, found)| result(&user, found)).collect()),
        Err(error) => {
            tracing::error!(%error, "cannot read SCRAM credentials");
            DescribeUserScramCredentialsResponse::default()
                .with_error_code(ResponseError::UnknownServerError.code())
                .with_error_message(Some(text(&error.to_string())))
        }
    }
}

fn result(user: &str, found: Result<Credentials, ScramError>) -> UserResult {
    let result = UserResult::default().with_user(text(user));
    match found {
        Ok(credentials) => {
            let infos = credentials.into_iter().map(|(mechanism, iterations)| {
                CredentialInfo::default().with_mechanism(mechanism.wire_id()).with_iterations(iterations)
            });
            result.with_credential_infos(infos.collect())
        }
        Err(error) => result
            .with_error_code(error.kafka_error().code())
            .with_error_message(Some(text(&error.to_string()))),
    }
}
