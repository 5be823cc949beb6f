//! Incremental fetch sessions on the leader's side (KIP-227, `FetchSession`).
