//! gregor-replication.
