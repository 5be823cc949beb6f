//! bad_start
