//! Which ACL a znode is created with (`ZkData.defaultAcls`).

/// One entry of a znode's ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `world:anyone`, all permissions.
    AnyoneAll,
    /// `world:anyone`, read.
    AnyoneRead,
    /// `auth:`, all permissions: whoever the session is authenticated as.
    CreatorAll,
}

const SENSITIVE: [&str; 3] = ["/config/users", "/config/brokers", "/delegation_token/tokens"];

/// The ACL for a znode; `secure` is `zookeeper.set.acl`. The path is without chroot.
pub fn for_path(path: &str, secure: bool) -> &'static [Entry] {
    if !secure || path == super::consumer::PARENT {
        &[Entry::AnyoneAll]
    } else if SENSITIVE.iter().any(|prefix| path.starts_with(prefix)) {
        &[Entry::CreatorAll]
    } else {
        &[Entry::CreatorAll, Entry::AnyoneRead]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_old_consumers_may_write() {
        for (path, secure, expected) in [
            ("/brokers/ids/1", false, &[Entry::AnyoneAll][..]),
            ("/brokers/ids/1", true, &[Entry::CreatorAll, Entry::AnyoneRead]),
            ("/config/users/alice", true, &[Entry::CreatorAll]),
            ("/config/topics/t", true, &[Entry::CreatorAll, Entry::AnyoneRead]),
            ("/consumers", true, &[Entry::AnyoneAll]),
            ("/consumers/g", true, &[Entry::CreatorAll, Entry::AnyoneRead]),
        ] {
            assert_eq!(for_path(path, secure), expected, "{path}");
        }
    }
}
