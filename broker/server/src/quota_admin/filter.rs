//! Which client quotas an administrator asks for (`ClientQuotaFilter`). Pure.

use super::QuotaError;
use super::entity::{CLIENT_ID, EntityName, IP, QuotaEntity, USER};

/// What one part of an entity must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// That name, or the default.
    Exactly(EntityName),
    /// There, whatever it is.
    Any,
}

impl Wanted {
    /// From a request's match type and name.
    pub fn parse(match_type: i8, name: Option<&str>) -> Result<Wanted, QuotaError> {
        match match_type {
            0 => match name {
                Some(name) => Ok(Wanted::Exactly(Some(name.to_owned()))),
                None => Err(QuotaError::Invalid("An exact match needs a name.".to_owned())),
            },
            1 => Ok(Wanted::Exactly(None)),
            2 => Ok(Wanted::Any),
            other => Err(QuotaError::UnknownMatch(other)),
        }
    }
}

/// Which entities to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaFilter {
    user: Option<Wanted>,
    client_id: Option<Wanted>,
    ip: Option<Wanted>,
    strict: bool,
}

impl QuotaFilter {
    /// A filter of these parts; a `strict` one wants no other part to be there.
    pub fn parse<'a>(
        parts: impl IntoIterator<Item = (&'a str, Wanted)>,
        strict: bool,
    ) -> Result<QuotaFilter, QuotaError> {
        let mut filter = QuotaFilter { strict, ..QuotaFilter::default() };
        for (entity_type, wanted) in parts {
            let (part, name) = match entity_type {
                USER => (&mut filter.user, "user"),
                CLIENT_ID => (&mut filter.client_id, "client"),
                IP => (&mut filter.ip, "ip"),
                "" => {
                    let message = "Unexpected empty filter component entity type";
                    return Err(QuotaError::Invalid(message.to_owned()));
                }
                other => return Err(QuotaError::UnsupportedType(other.to_owned())),
            };
            if part.replace(wanted).is_some() {
                return Err(QuotaError::Invalid(format!("Duplicate {name} filter component entity type")));
            }
        }
        if filter.ip.is_some() && (filter.user.is_some() || filter.client_id.is_some()) {
            return Err(QuotaError::Invalid(
                "Invalid entity filter component combination, IP filter component should not be used with user or clientId filter component."
                    .to_owned(),
            ));
        }
        Ok(filter)
    }

    /// Whether an entity is one of those.
    pub fn matches(&self, entity: &QuotaEntity) -> bool {
        let part = |wanted: &Option<Wanted>, part: &Option<EntityName>| match (wanted, part) {
            (Some(Wanted::Exactly(name)), Some(part)) => name == part,
            (Some(Wanted::Any), part) => part.is_some(),
            (Some(Wanted::Exactly(_)), None) => false,
            (None, part) => part.is_none() || !self.strict,
        };
        part(&self.user, &entity.user)
            && part(&self.client_id, &entity.client_id)
            && part(&self.ip, &entity.ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(user: Option<Option<&str>>, client_id: Option<Option<&str>>) -> QuotaEntity {
        let name = |name: Option<Option<&str>>| name.map(|name| name.map(str::to_owned));
        QuotaEntity { user: name(user), client_id: name(client_id), ip: None }
    }

    #[test]
    fn filters() {
        let exactly = |name: &str| Wanted::Exactly(Some(name.to_owned()));
        let entities = [
            entity(Some(Some("u")), None),
            entity(Some(None), None),
            entity(Some(Some("u")), Some(Some("c"))),
            entity(None, Some(Some("c"))),
            QuotaEntity { ip: Some(None), ..QuotaEntity::default() },
        ];
        let check = |parts: &[(&str, Wanted)], strict, expected: [bool; 5]| {
            let filter = QuotaFilter::parse(parts.iter().cloned(), strict).expect("a filter");
            assert_eq!(entities.each_ref().map(|entity| filter.matches(entity)), expected, "{filter:?}");
        };
        check(&[], false, [true; 5]);
        check(&[], true, [false; 5]);
        check(&[(USER, exactly("u"))], false, [true, false, true, false, false]);
        check(&[(USER, exactly("u"))], true, [true, false, false, false, false]);
        check(&[(USER, Wanted::Exactly(None))], true, [false, true, false, false, false]);
        check(&[(USER, Wanted::Any)], true, [true, true, false, false, false]);
        check(&[(USER, Wanted::Any), (CLIENT_ID, Wanted::Any)], false, [false, false, true, false, false]);
        check(&[(CLIENT_ID, exactly("c"))], false, [false, false, true, true, false]);
        check(&[(IP, Wanted::Any)], true, [false, false, false, false, true]);
    }

    #[test]
    fn what_is_no_filter() {
        let message = |parts: &[&str]| {
            QuotaFilter::parse(parts.iter().map(|part| (*part, Wanted::Any)), false)
                .expect_err("no filter")
                .to_string()
        };
        assert_eq!(message(&[""]), "Unexpected empty filter component entity type");
        assert_eq!(message(&["group"]), "Custom entity type 'group' not supported");
        assert_eq!(message(&[USER, USER]), "Duplicate user filter component entity type");
        assert!(message(&[USER, IP]).starts_with("Invalid entity filter component combination"));
        assert!(Wanted::parse(3, None).is_err());
    }
}
