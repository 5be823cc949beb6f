//! gregor-config.
