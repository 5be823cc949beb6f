//! Delegation tokens: made, renewed, expired, described.

use bytes::Bytes;
use kafka_protocol::messages::create_delegation_token_request::CreatableRenewers;
use kafka_protocol::messages::describe_delegation_token_request::DescribeDelegationTokenOwner;
use kafka_protocol::messages::{
    ApiKey, CreateDelegationTokenRequest, DescribeDelegationTokenRequest, ExpireDelegationTokenRequest,
    RenewDelegationTokenRequest,
};

use super::principal::Principal;
use super::{Admin, AdminError, Target, text};

/// A token (`DelegationToken`). Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationToken {
    /// Its id.
    pub id: String,
    /// The secret.
    pub hmac: Bytes,
    /// Whose it is.
    pub owner: Principal,
    /// Who asked for it.
    pub requester: Principal,
    /// Who may renew it, besides its owner.
    pub renewers: Vec<Principal>,
    /// When it was made.
    pub issued_ms: i64,
    /// Until when it holds.
    pub expiry_ms: i64,
    /// Until when it can be renewed.
    pub max_ms: i64,
}

fn principal(kind: &str, name: &str) -> Principal {
    Principal { kind: kind.to_owned(), name: name.to_owned() }
}

impl Admin {
    /// Makes a token, for oneself unless an owner is named.
    pub async fn create_token(
        &mut self,
        owner: Option<&Principal>,
        renewers: &[Principal],
        max_lifetime_ms: i64,
    ) -> Result<DelegationToken, AdminError> {
        let wire_renewers = renewers.iter().map(|renewer| {
            CreatableRenewers::default()
                .with_principal_type(text(&renewer.kind))
                .with_principal_name(text(&renewer.name))
        });
        let request = CreateDelegationTokenRequest::default()
            .with_renewers(wire_renewers.collect())
            .with_max_lifetime_ms(max_lifetime_ms);
        let build = |version| match owner {
            // Older versions make tokens only for who asks.
            Some(owner) if version >= 3 => request
                .clone()
                .with_owner_principal_type(Some(text(&owner.kind)))
                .with_owner_principal_name(Some(text(&owner.name))),
            _ => request.clone(),
        };
        let key = ApiKey::CreateDelegationToken;
        let answer = self
            .call("createDelegationToken", key, Target::Controller, build, |answer| answer.error_code)
            .await?;
        AdminError::check(answer.error_code, None)?;
        let owner = principal(&answer.principal_type, &answer.principal_name);
        let requester =
            principal(&answer.token_requester_principal_type, &answer.token_requester_principal_name);
        Ok(DelegationToken {
            id: answer.token_id.to_string(),
            hmac: answer.hmac.clone(),
            requester: if requester.name.is_empty() { owner.clone() } else { requester },
            owner,
            renewers: renewers.to_vec(),
            issued_ms: answer.issue_timestamp_ms,
            expiry_ms: answer.expiry_timestamp_ms,
            max_ms: answer.max_timestamp_ms,
        })
    }

    /// Lets a token hold for longer, and gives until when.
    pub async fn renew_token(&mut self, hmac: Bytes, period_ms: i64) -> Result<i64, AdminError> {
        let build = |_| {
            RenewDelegationTokenRequest::default().with_hmac(hmac.clone()).with_renew_period_ms(period_ms)
        };
        let key = ApiKey::RenewDelegationToken;
        let answer = self
            .call("renewDelegationToken", key, Target::Controller, build, |answer| answer.error_code)
            .await?;
        AdminError::check(answer.error_code, None)?;
        Ok(answer.expiry_timestamp_ms)
    }

    /// Lets a token hold for so long, or no longer if negative, and gives until when.
    pub async fn expire_token(&mut self, hmac: Bytes, period_ms: i64) -> Result<i64, AdminError> {
        let build = |_| {
            let request = ExpireDelegationTokenRequest::default().with_hmac(hmac.clone());
            request.with_expiry_time_period_ms(period_ms)
        };
        let key = ApiKey::ExpireDelegationToken;
        let answer = self
            .call("expireDelegationToken", key, Target::Controller, build, |answer| answer.error_code)
            .await?;
        AdminError::check(answer.error_code, None)?;
        Ok(answer.expiry_timestamp_ms)
    }

    /// The tokens of these owners; all that may be seen if none is named.
    pub async fn describe_tokens(
        &mut self,
        owners: &[Principal],
    ) -> Result<Vec<DelegationToken>, AdminError> {
        let wanted = owners.iter().map(|owner| {
            DescribeDelegationTokenOwner::default()
                .with_principal_type(text(&owner.kind))
                .with_principal_name(text(&owner.name))
        });
        let owners = (!owners.is_empty()).then(|| wanted.collect());
        let request = DescribeDelegationTokenRequest::default().with_owners(owners);
        let build = |_| request.clone();
        let key = ApiKey::DescribeDelegationToken;
        let answer =
            self.call("describeDelegationToken", key, Target::Any, build, |answer| answer.error_code).await?;
        AdminError::check(answer.error_code, None)?;
        let tokens = answer.tokens.iter().map(|token| {
            let owner = principal(&token.principal_type, &token.principal_name);
            let requester =
                principal(&token.token_requester_principal_type, &token.token_requester_principal_name);
            let renewers = token.renewers.iter();
            DelegationToken {
                id: token.token_id.to_string(),
                hmac: token.hmac.clone(),
                requester: if requester.name.is_empty() { owner.clone() } else { requester },
                owner,
                renewers: renewers.map(|one| principal(&one.principal_type, &one.principal_name)).collect(),
                issued_ms: token.issue_timestamp,
                expiry_ms: token.expiry_timestamp,
                max_ms: token.max_timestamp,
            }
        });
        Ok(tokens.collect())
    }
}
