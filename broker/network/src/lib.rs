//! gregor-network.
