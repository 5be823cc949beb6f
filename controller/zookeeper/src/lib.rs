//! gregor-zookeeper.
