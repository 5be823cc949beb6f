use super::*;

fn node(data: &[u8], version: i32, owner: Option<i64>) -> Option<Node> {
    let stat = Stat {
        czxid: 1,
        mzxid: 2,
        version: ZnodeVersion(version),
        created_ms: 0,
        ephemeral_owner: owner.map(SessionId),
        children: 0,
    };
    Some(Node { data: data.to_vec(), stat })
}

fn create(path: &str, data: &[u8], mode: CreateMode) -> Write {
    Write::Create { path: path.to_owned(), data: data.to_vec(), mode }
}

fn set(path: &str, data: &[u8], version: i32) -> Write {
    Write::Set { path: path.to_owned(), data: data.to_vec(), version: Some(ZnodeVersion(version)) }
}

const OURS: SessionId = SessionId(7);

#[track_caller]
fn check(writes: &[Write], nodes: &[Option<Node>], performed: bool) {
    assert_eq!(was_performed(writes, nodes, OURS).is_some(), performed);
}

#[test]
fn an_election_is_recognised_as_our_own_by_session_and_epoch() {
    let writes = [create("/controller", b"us", CreateMode::Ephemeral), set("/controller_epoch", b"5", 8)];
    check(&writes, &[node(b"us", 0, Some(7)), node(b"5", 9, None)], true);
    // Somebody else won with the same epoch.
    check(&writes, &[node(b"them", 0, Some(8)), node(b"5", 9, None)], false);
    // Nothing was done.
    check(&writes, &[None, node(b"4", 8, None)], false);
    // We won, and lost since.
    check(&writes, &[None, node(b"5", 9, None)], false);
}

#[test]
fn a_registration_is_recognised_by_its_last_write() {
    let writes = [create("/brokers/ids/1", b"", CreateMode::Ephemeral), set("/brokers/ids/1", b"data", 0)];
    let here = node(b"data", 1, Some(7));
    check(&writes, &[here.clone(), here], true);
    let foreign = node(b"data", 1, Some(8));
    check(&writes, &[foreign.clone(), foreign], false);
}

#[test]
fn a_conditional_set_is_recognised_by_version_and_content() {
    let writes = [
        Write::Check { path: "/controller_epoch".to_owned(), version: ZnodeVersion(3) },
        set("/state", b"new", 4),
        Write::Delete { path: "/marker".to_owned(), version: None },
    ];
    let epoch = node(b"1", 3, None);
    check(&writes, &[epoch.clone(), node(b"new", 5, None), None], true);
    check(&writes, &[epoch.clone(), node(b"other", 5, None), None], false);
    check(&writes, &[epoch.clone(), node(b"new", 6, None), None], false);
    check(&writes, &[epoch, node(b"new", 5, None), node(b"", 0, None)], false);
}
