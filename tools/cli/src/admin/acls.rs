//! Access control lists: who may do what with what.

use std::fmt;

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{
    ApiKey, CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeAclsResponse,
};

use super::{Admin, AdminError, Target, text};

/// Names of numbers on the wire, from 1; what is not there is `UNKNOWN`.
const RESOURCE_TYPES: [&str; 7] =
    ["ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"];
const PATTERN_TYPES: [&str; 4] = ["ANY", "MATCH", "LITERAL", "PREFIXED"];
const OPERATIONS: [&str; 14] = [
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "CREATE_TOKENS",
    "DESCRIBE_TOKENS",
];
const PERMISSIONS: [&str; 3] = ["ANY", "DENY", "ALLOW"];

/// The number of a name on the wire.
fn number(names: &[&str], name: &str) -> Option<i8> {
    let index = names.iter().position(|known| *known == name)?;
    i8::try_from(index + 1).ok()
}

macro_rules! wire_names {
    ($(#[$doc:meta])* $name:ident, $names:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i8);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let index = usize::try_from(self.0).ok().and_then(|number| number.checked_sub(1));
                f.write_str(index.and_then(|index| $names.get(index)).unwrap_or(&"UNKNOWN"))
            }
        }
    };
}

wire_names! {
    /// What is protected (`ResourceType`).
    ResourceKind, RESOURCE_TYPES
}
wire_names! {
    /// How a resource's name is meant (`PatternType`).
    PatternType, PATTERN_TYPES
}
wire_names! {
    /// What is done (`AclOperation`).
    Operation, OPERATIONS
}
wire_names! {
    /// Whether it may be done (`AclPermissionType`).
    Permission, PERMISSIONS
}

impl ResourceKind {
    /// Topics.
    pub const TOPIC: ResourceKind = ResourceKind(2);
    /// Groups.
    pub const GROUP: ResourceKind = ResourceKind(3);
    /// The cluster.
    pub const CLUSTER: ResourceKind = ResourceKind(4);
    /// Transactional ids.
    pub const TRANSACTIONAL_ID: ResourceKind = ResourceKind(5);
    /// Delegation tokens.
    pub const DELEGATION_TOKEN: ResourceKind = ResourceKind(6);
    /// Users.
    pub const USER: ResourceKind = ResourceKind(7);
    const ANY: ResourceKind = ResourceKind(1);
}

impl PatternType {
    /// This name.
    pub const LITERAL: PatternType = PatternType(3);
    /// Names that begin so.
    pub const PREFIXED: PatternType = PatternType(4);
    const ANY: PatternType = PatternType(1);

    /// By Kafka's name; None if there is no such.
    pub fn named(name: &str) -> Option<PatternType> {
        number(&PATTERN_TYPES, name).map(PatternType)
    }
}

impl Operation {
    /// Everything.
    pub const ALL: Operation = Operation(2);
    const ANY: Operation = Operation(1);

    /// By Kafka's name; None if there is no such.
    pub fn named(name: &str) -> Option<Operation> {
        number(&OPERATIONS, name).map(Operation)
    }
}

impl Permission {
    /// It may not.
    pub const DENY: Permission = Permission(2);
    /// It may.
    pub const ALLOW: Permission = Permission(3);
    const ANY: Permission = Permission(1);
}

/// Resources (`ResourcePattern`, `ResourcePatternFilter`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourcePattern {
    /// What they are.
    pub kind: ResourceKind,
    /// Their name; None for any.
    pub name: Option<String>,
    /// How the name is meant.
    pub pattern: PatternType,
}

impl ResourcePattern {
    /// Everything.
    pub const ANY: ResourcePattern =
        ResourcePattern { kind: ResourceKind::ANY, name: None, pattern: PatternType::ANY };
}

/// As Kafka's tool prints it.
impl fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ResourcePattern { kind, name, pattern } = self;
        let name = name.as_deref().unwrap_or("<any>");
        write!(f, "ResourcePattern(resourceType={kind}, name={name}, patternType={pattern})")
    }
}

/// Who may or may not do what, from where (`AccessControlEntry`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclEntry {
    /// Who.
    pub principal: String,
    /// From where; `*` is anywhere.
    pub host: String,
    /// What.
    pub operation: Operation,
    /// Whether.
    pub permission: Permission,
}

/// As Kafka's tool prints it.
impl fmt::Display for AclEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AclEntry { principal, host, operation, permission } = self;
        write!(f, "(principal={principal}, host={host}, operation={operation}, permissionType={permission})")
    }
}

impl Admin {
    /// Adds entries to a resource. Fails with the first entry's error.
    pub async fn create_acls(
        &mut self,
        resource: &ResourcePattern,
        entries: &[AclEntry],
    ) -> Result<(), AdminError> {
        let creations = entries.iter().map(|entry| {
            AclCreation::default()
                .with_resource_type(resource.kind.0)
                .with_resource_name(text(resource.name.as_deref().unwrap_or_default()))
                .with_resource_pattern_type(resource.pattern.0)
                .with_principal(text(&entry.principal))
                .with_host(text(&entry.host))
                .with_operation(entry.operation.0)
                .with_permission_type(entry.permission.0)
        });
        let request = CreateAclsRequest::default().with_creations(creations.collect());
        let build = |_| request.clone();
        let answer = self.call("createAcls", ApiKey::CreateAcls, Target::Any, build, |_| 0).await?;
        answer
            .results
            .iter()
            .try_for_each(|result| AdminError::check(result.error_code, result.error_message.as_deref()))
    }

    /// Deletes entries of the resources that a filter means; all if none is given.
    pub async fn delete_acls(
        &mut self,
        filter: &ResourcePattern,
        entries: &[AclEntry],
    ) -> Result<(), AdminError> {
        let resource = DeleteAclsFilter::default()
            .with_resource_type_filter(filter.kind.0)
            .with_resource_name_filter(filter.name.as_deref().map(text))
            .with_pattern_type_filter(filter.pattern.0);
        let filters = if entries.is_empty() {
            let everyone = resource.with_principal_filter(None).with_host_filter(None);
            vec![everyone.with_operation(Operation::ANY.0).with_permission_type(Permission::ANY.0)]
        } else {
            let filter = |entry: &AclEntry| {
                resource
                    .clone()
                    .with_principal_filter(Some(text(&entry.principal)))
                    .with_host_filter(Some(text(&entry.host)))
                    .with_operation(entry.operation.0)
                    .with_permission_type(entry.permission.0)
            };
            entries.iter().map(filter).collect()
        };
        let request = DeleteAclsRequest::default().with_filters(filters);
        let build = |_| request.clone();
        let answer = self.call("deleteAcls", ApiKey::DeleteAcls, Target::Any, build, |_| 0).await?;
        for result in &answer.filter_results {
            AdminError::check(result.error_code, result.error_message.as_deref())?;
            let mut deleted = result.matching_acls.iter();
            deleted.try_for_each(|acl| AdminError::check(acl.error_code, acl.error_message.as_deref()))?;
        }
        Ok(())
    }

    /// The resources that a filter means, with their entries.
    pub async fn describe_acls(
        &mut self,
        filter: &ResourcePattern,
    ) -> Result<Vec<(ResourcePattern, Vec<AclEntry>)>, AdminError> {
        let build = |_| {
            DescribeAclsRequest::default()
                .with_resource_type_filter(filter.kind.0)
                .with_resource_name_filter(filter.name.as_deref().map(text))
                .with_pattern_type_filter(filter.pattern.0)
                .with_principal_filter(None)
                .with_host_filter(None)
                .with_operation(Operation::ANY.0)
                .with_permission_type(Permission::ANY.0)
        };
        let answer = self
            .call("describeAcls", ApiKey::DescribeAcls, Target::Any, build, |answer| answer.error_code)
            .await?;
        AdminError::check(answer.error_code, answer.error_message.as_deref())?;
        Ok(described(&answer))
    }
}

fn described(answer: &DescribeAclsResponse) -> Vec<(ResourcePattern, Vec<AclEntry>)> {
    let resources = answer.resources.iter().map(|resource| {
        let pattern = ResourcePattern {
            kind: ResourceKind(resource.resource_type),
            name: Some(resource.resource_name.to_string()),
            pattern: PatternType(resource.pattern_type),
        };
        let entries = resource.acls.iter().map(|acl| AclEntry {
            principal: acl.principal.to_string(),
            host: acl.host.to_string(),
            operation: Operation(acl.operation),
            permission: Permission(acl.permission_type),
        });
        (pattern, entries.collect())
    });
    resources.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        assert_eq!(Operation::named("DESCRIBE_CONFIGS").map(|operation| operation.0), Some(10));
        assert_eq!(Operation::named("NONSENSE"), None);
        assert_eq!(Operation(99).to_string(), "UNKNOWN");
        assert_eq!(Operation(0).to_string(), "UNKNOWN");
        let any = ResourcePattern::ANY.to_string();
        assert_eq!(any, "ResourcePattern(resourceType=ANY, name=<any>, patternType=ANY)");
        let entry = AclEntry {
            principal: "User:a".to_owned(),
            host: "*".to_owned(),
            operation: Operation(3),
            permission: Permission::ALLOW,
        };
        assert_eq!(entry.to_string(), "(principal=User:a, host=*, operation=READ, permissionType=ALLOW)");
    }
}
