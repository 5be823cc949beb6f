//! Who may what, on a listener where nobody is asked: every answer is a refusal, and it must be the right one.

use crate::case::{Case, plain, text};
use bytes::Bytes;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{
    ApiKey, CreateAclsRequest, CreateDelegationTokenRequest, DeleteAclsRequest, DescribeAclsRequest,
    DescribeDelegationTokenRequest, ExpireDelegationTokenRequest, RenewDelegationTokenRequest,
    SaslAuthenticateRequest, SaslHandshakeRequest,
};

pub fn cases() -> Vec<Case> {
    let creation = AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text("plain"))
        .with_principal(text("User:alice"))
        .with_host(text("*"))
        .with_operation(3)
        .with_permission_type(3);
    let filter =
        DeleteAclsFilter::default().with_resource_type_filter(1).with_operation(1).with_permission_type(1);
    let describe =
        DescribeAclsRequest::default().with_resource_type_filter(1).with_operation(1).with_permission_type(1);
    let hmac = || Bytes::from_static(b"hmac");
    vec![
        plain(
            ApiKey::SaslHandshake,
            "where there is no SASL",
            SaslHandshakeRequest::default().with_mechanism(text("PLAIN")),
        ),
        plain(ApiKey::SaslAuthenticate, "where there is no SASL", SaslAuthenticateRequest::default()),
        plain(ApiKey::DescribeAcls, "without authorizer", describe),
        plain(
            ApiKey::CreateAcls,
            "without authorizer",
            CreateAclsRequest::default().with_creations(vec![creation]),
        ),
        plain(
            ApiKey::DeleteAcls,
            "without authorizer",
            DeleteAclsRequest::default().with_filters(vec![filter]),
        ),
        plain(
            ApiKey::CreateDelegationToken,
            "without SASL",
            CreateDelegationTokenRequest::default().with_max_lifetime_ms(-1),
        ),
        plain(
            ApiKey::RenewDelegationToken,
            "without SASL",
            RenewDelegationTokenRequest::default().with_hmac(hmac()),
        ),
        plain(
            ApiKey::ExpireDelegationToken,
            "without SASL",
            ExpireDelegationTokenRequest::default().with_hmac(hmac()),
        ),
        plain(ApiKey::DescribeDelegationToken, "without SASL", DescribeDelegationTokenRequest::default()),
    ]
}
