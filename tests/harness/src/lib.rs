//! gregor-harness.
