//! gregor-log.
