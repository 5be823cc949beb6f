//! gregor-records.
