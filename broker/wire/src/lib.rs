//! gregor-wire.
