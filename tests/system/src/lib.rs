//! gregor-system-tests.
